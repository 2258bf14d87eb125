// What the pages of both clients have in common: `call` and `report` for the test, its microphone and loudspeaker.

import { audibleTime, heard } from "./loudspeaker.js";
import { replaceMicrophone, say } from "./microphone.js";
import { perform } from "./perform.js";

export function report(event, values) {
  window.tell(JSON.stringify({ event, values, at: performance.now() / 1000, audible: audibleTime() }));
}

/** Give the test a client; `subject` returns the object whose methods it may call. */
export function offer(subject) {
  Object.assign(window, { audibleTime, heard, replaceMicrophone, say });
  window.call = (method, ...values) => perform(subject(), method, values);
}
