// What a test asks of a client, and what the client's callbacks are told, in the same words in node and in a page.

import { CALLBACK_KEYS } from "@elevenlabs/client/internal";

// The first, once given, takes unknown tools away from the client; the other two repeat every frame.
const LEFT_OUT = ["onUnhandledClientToolCall", "onIncomingEvent", "onOutgoingEvent"];

/** startSession's options from those of a test, with every callback reported. In `clientTools` a test gives each
 * tool's result: an object with `throws` is an exception of that message. */
export function listening({ clientTools = {}, ...options }, report) {
  const callbacks = CALLBACK_KEYS.filter((name) => !LEFT_OUT.includes(name));
  const reporting = (name) => [name, (...values) => report(name, values)];
  const tool = ([name, result]) => [
    name,
    (parameters) => {
      report("clientTool", [name, parameters]);
      if (result?.throws) throw new Error(result.throws);
      return result;
    },
  ];
  return {
    ...Object.fromEntries(callbacks.map(reporting)),
    ...options,
    clientTools: Object.fromEntries(Object.entries(clientTools).map(tool)),
  };
}

/** Call a method; its `{ value }` or its `{ error }`, either fit for JSON. */
export async function perform(subject, method, values) {
  try {
    return { value: (await subject[method](...values)) ?? null };
  } catch (error) {
    return { error: { name: error.name, message: error.message, ...error } };
  }
}
