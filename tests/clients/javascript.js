// A page with the plain client.

import { Conversation } from "@elevenlabs/client";

import { offer, report } from "./page.js";
import { listening } from "./perform.js";

let conversation = {
  async startSession(options) {
    conversation = await Conversation.startSession(listening(options, report));
    return conversation.getId();
  },
};

offer(() => conversation);
