// The talk page: one conversation at a time, from the click on Talk to the click on Hang up.

import { audioFormat } from "./audio-format.js";
import { Conversation } from "./conversation.js";
import { Sound, SoundError } from "./sound.js";
import { Transcript } from "./transcript.js";
import { switchLanguage, translate, wordElement } from "./words.js";

const AUDIBLE = 0.003; // RMS, about -50 dBFS: below it the agent counts as silent
const METER_FLOOR_DB = -60;

const BACK_SECONDS = 3; // for so long the page says that the conversation goes on

const CLOSE_WORDS = {
  1002: "failed",
  1008: "refused",
  1011: "failed",
  1012: "busy",
  1013: "busy",
  4001: "elsewhere",
};
const BUTTON_WORDS = {
  idle: "start",
  connecting: "cancel",
  listening: "stop",
  speaking: "stop",
  reconnecting: "stop",
  back: "stop",
};

const page = Object.fromEntries(
  [
    ...["toggle", "state", "detail", "language", "problem", "welcome", "composer", "text", "send"],
    ...["you-level", "agent-level"],
  ].map((id) => [id, document.getElementById(id)]),
);
const transcript = new Transcript(document.getElementById("transcript"));

let call = null; // { sound, conversation, lineUntil } from the click on Talk until it ends
let interruptions = 0;

// --- the call ---------------------------------------------------------------------------------------------------

async function start() {
  const starting = (call = { lineUntil: 0 });
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
    reconnecting: (attempt) => showLine(own, "reconnecting", `(${attempt})`, Infinity),
    resumed: (seconds) => showLine(own, "back", inSeconds(seconds), performance.now() + 1000 * BACK_SECONDS),
    error: (event) => tellProblem("trouble", event.message), // a close may follow, and then says more
    closed: ({ code, reason, began }) => end(closeWord(code, began), code === 1000 ? "" : closeDetail(code, reason)),
  };
  return Object.fromEntries(Object.entries(table).map(([type, handle]) => [type, whileOurs(handle)]));
}

function startAudio(own, input, output) {
  own.sound.speak(output.rate, ({ level, queued }) => {
    if (call !== own) return;
    setLevel("agent-level", level);
    if (performance.now() < own.lineUntil) return; // what is said of the line stays to be read
    show(queued > 0 || level > AUDIBLE ? "speaking" : "listening"); // a pause between words is still speaking
  });
  own.conversation.speakIn(input);
  own.sound.listen(input.rate, (samples) => {
    if (call !== own) return;
    setLevel("you-level", rms(samples));
    own.conversation.sendAudio(samples);
  });
  show("listening");
}

/** Say how the line is until then, in milliseconds of the page's clock; what is queued plays on. */
function showLine(own, state, detail, until) {
  own.lineUntil = until;
  show(state, detail);
}

function inSeconds(seconds) {
  const digits = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return `${seconds.toLocaleString(document.documentElement.lang, digits)} s`;
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

function show(state, detail = "") {
  page.detail.textContent = detail;
  if (document.body.dataset.state === state && page.state.textContent) return; // 25 reports a second say the same
  document.body.dataset.state = state;
  setWord(page.state, state);
  setWord(page.toggle, BUTTON_WORDS[state]);
  const talking = BUTTON_WORDS[state] === "stop";
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

// For the console and for tests: what is heard and said, not just what was received and sent.
window.talk = {
  get state() {
    return document.body.dataset.state;
  },
  get heard() {
    return call?.sound?.heard ?? null;
  },
  get said() {
    return call?.conversation?.kept?.seconds ?? 0;
  },
  get interruptions() {
    return interruptions;
  },
};
