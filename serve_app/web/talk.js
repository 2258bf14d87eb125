// The talk page: one conversation at a time, from the click on Talk to the click on Hang up.

import { audioFormat } from "./audio-format.js";
import { Conversation } from "./conversation.js";
import { Sound, SoundError } from "./sound.js";
import { Transcript } from "./transcript.js";
import { switchLanguage, translate, wordElement } from "./words.js";

const AUDIBLE = 0.003; // RMS, about -50 dBFS: below it the agent counts as silent
const METER_FLOOR_DB = -60;

const CLOSE_WORDS = { 1002: "failed", 1008: "refused", 1011: "failed", 1012: "busy", 1013: "busy" };
const BUTTON_WORDS = { idle: "start", connecting: "cancel", listening: "stop", speaking: "stop" };

const page = Object.fromEntries(
  ["toggle", "status", "language", "problem", "welcome", "composer", "text", "send", "you-level", "agent-level"].map(
    (id) => [id, document.getElementById(id)],
  ),
);
const transcript = new Transcript(document.getElementById("transcript"));

let call = null; // { sound, conversation } from the click on Talk until it ends
let interruptions = 0;

// --- the call ---------------------------------------------------------------------------------------------------

async function start() {
  const starting = (call = {});
  tellProblem(null);
  transcript.clear();
  page.welcome.hidden = true;
  show("connecting");
  try {
    const sound = await Sound.open();
    if (call !== starting) return void sound.close(); // cancelled while the browser was asking
    starting.sound = sound;
    starting.conversation = new Conversation(agentId(), handlers(starting));
  } catch (error) {
    if (!(error instanceof SoundError)) throw error;
    if (call === starting) end(error.word);
  }
}

function end(problem = null, detail = "") {
  const { sound, conversation } = call;
  call = null; // first: closing fires handlers, which must find no call
  conversation?.close();
  sound?.close();
  if (problem) tellProblem(problem, detail);
  show("idle");
}

function handlers(own) {
  const { sound } = own;
  let format = null;
  const whileOurs = (handle) => (event) => call === own && handle(event);
  const table = {
    conversation_initiation_metadata(event) {
      try {
        format = audioFormat(event.agent_output_audio_format);
        startAudio(own, audioFormat(event.user_input_audio_format ?? "pcm_16000"), format);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        end("unknown_format", error.message);
      }
    },
    audio: (event) => sound.play(format.decode(event.audio_base_64)),
    interruption() {
      interruptions += 1;
      sound.interrupt();
      transcript.interrupted();
    },
    user_transcript: (event) => transcript.userSaid(event.user_transcript),
    tentative_user_transcript: (event) => transcript.userMaySay(event.user_transcript),
    agent_response: (event) => transcript.agentSaid(event.agent_response, event.event_id),
    agent_response_correction: (event) =>
      transcript.agentCorrected(event.original_agent_response, event.corrected_agent_response, event.event_id),
    agent_response_metadata: (event) =>
      transcript.answerTook(event.metadata.conversation_turn_metrics?.metrics ?? {}, event.event_id),
    error: (event) => tellProblem("trouble", event.message), // a close may follow, and then says more
    closed: ({ code, reason, began }) => end(closeWord(code, began), code === 1000 ? "" : closeDetail(code, reason)),
  };
  return Object.fromEntries(Object.entries(table).map(([type, handle]) => [type, whileOurs(handle)]));
}

function startAudio(own, input, output) {
  own.sound.speak(output.rate, ({ level, queued }) => {
    if (call !== own) return;
    setLevel("agent-level", level);
    show(queued > 0 || level > AUDIBLE ? "speaking" : "listening"); // a pause between words is still speaking
  });
  own.sound.listen(input.rate, (samples) => {
    if (call !== own) return;
    setLevel("you-level", rms(samples));
    own.conversation.sendAudio(input.encode(samples));
  });
  show("listening");
}

function closeWord(code, began) {
  if (code === 1000) return null;
  if (CLOSE_WORDS[code]) return CLOSE_WORDS[code];
  return began ? "lost" : "away";
}

function closeDetail(code, reason) {
  return reason ? `${code}: ${reason}` : `${code}`;
}

function agentId() {
  return new URLSearchParams(location.search).get("agent_id") ?? "default";
}

// --- the page ---------------------------------------------------------------------------------------------------

function show(state) {
  if (document.body.dataset.state === state && page.status.textContent) return; // 25 reports a second say the same
  document.body.dataset.state = state;
  setWord(page.status, state);
  setWord(page.toggle, BUTTON_WORDS[state]);
  const talking = state === "listening" || state === "speaking";
  page.text.disabled = page.send.disabled = !talking;
  if (!talking) ["you-level", "agent-level"].forEach((meter) => setLevel(meter, 0));
}

function setWord(element, word) {
  element.dataset.word = word;
  translate(element.parentElement);
}

function setLevel(meter, level) {
  const decibels = 20 * Math.log10(Math.max(level, 1e-6));
  page[meter].style.setProperty("--level", Math.max(0, 1 - decibels / METER_FLOOR_DB).toFixed(3));
}

function tellProblem(word, detail = "") {
  page.problem.hidden = !word;
  if (!word) return;
  const element = document.createElement("code");
  element.textContent = detail;
  page.problem.replaceChildren(wordElement("span", word), element);
}

function rms(samples) {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

page.toggle.addEventListener("click", () => (call ? end() : start()));
page.language.addEventListener("click", switchLanguage);
page.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = page.text.value.trim();
  if (!call?.conversation || !text) return;
  call.conversation.sendText(text);
  transcript.userTyped(text);
  page.text.value = "";
});

translate(document);
show("idle");

// For the console and for tests: what is heard, not just what was received.
window.talk = {
  get state() {
    return document.body.dataset.state;
  },
  get heard() {
    return call?.sound?.heard ?? null;
  },
  get interruptions() {
    return interruptions;
  },
};
