// The client in node. A line in: ["method", [values]], of the conversation or startSession. Lines out: {"event": ...} as
// a callback is called, {"value": ...} or {"error": ...} in answer to a line. The end of the input ends the process.

import { createInterface } from "node:readline";

import { Conversation } from "@elevenlabs/client";

import { listening, perform } from "./perform.js";

let conversation = {
  async startSession(options) {
    conversation = await Conversation.startSession(listening(options, report));
    return conversation.getId();
  },
};

function write(message) {
  process.stdout.write(JSON.stringify(message) + "\n");
}

function report(event, values) {
  write({ event, values, at: performance.now() / 1000 });
}

createInterface({ input: process.stdin })
  .on("line", async (line) => write(await perform(conversation, ...JSON.parse(line))))
  .on("close", () => process.exit());
