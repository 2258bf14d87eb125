// A page with the React client, as an application has it: the hook's state is shown, its functions are called.

import { ConversationProvider, useConversation } from "@elevenlabs/react";
import { createRoot } from "react-dom/client";

import { offer, report } from "./page.js";
import { listening } from "./perform.js";

let current;

function Call() {
  const { startSession, ...conversation } = useConversation();
  current = { ...conversation, startSession: (options) => startSession(listening(options, report)) };
  return (
    <p>
      {conversation.status} {conversation.mode} {conversation.message}
    </p>
  );
}

createRoot(document.querySelector("main")).render(
  <ConversationProvider>
    <Call />
  </ConversationProvider>,
);

offer(() => current);
