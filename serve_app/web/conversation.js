// The client's side of the ElevenLabs Agents WebSocket protocol. When its line breaks, it comes back and goes on.

import { KeptAudio } from "./kept-audio.js";

const CLIENT_EVENTS = [
  "audio",
  "interruption",
  "agent_response",
  "agent_response_correction",
  "user_transcript",
  "tentative_user_transcript",
  "agent_response_metadata",
];

// Close codes after which the conversation may go on elsewhere: all others are the server's last word.
const COME_BACK = new Set([1001, 1006, 1011, 1012, 1013]);
const SHORTEST_WAIT_MS = 50;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
const GIVE_UP_AFTER_MS = 60_000; // no longer does a server keep a conversation that nobody is in
const STEADY_MS = 2_000; // a line that has held for so long was a good one: its loss is new trouble
const ANSWER_MS = 2_000; // and so much more with each attempt: a frozen server never answers, a slow line takes long
const LONGEST_ANSWER_MS = 10_000;
const SILENCE_MS = 20_000; // the server pings every 15 s

export class Conversation {
  /**
   * Open a conversation with `agentId` on the server this page came from.
   *
   * `handlers` has a function for each message type of interest, called with that message's event object;
   * `reconnecting(attempt)` when the line is lost, before each attempt, from 1; `resumed(seconds)` when it goes on,
   * after so long; and `closed({ code, reason, began })`, called once, where `began` says whether the server ever
   * answered. Audio of an answer that was interrupted never reaches its handler.
   */
  constructor(agentId, handlers) {
    this.handlers = handlers;
    this.staleUntil = -Infinity; // audio up to this id is not for the ear
    this.lastEventId = 0;
    this.began = false;
    this.live = false; // between the metadata and the loss of a line
    this.resume = null; // of the metadata: how to come back
    this.unsent = [];
    this.attempt = 0;
    this.connect({ agent_id: agentId, resume: 1 });
  }

  /** Before any is sent: the format of the caller's audio. */
  speakIn(format) {
    this.format = format;
    this.kept = new KeptAudio(format.rate);
  }

  sendAudio(samples) {
    this.kept.push(samples);
    if (this.live) this.sendSamples(samples);
  }

  sendText(text) {
    this.unsent.push({ type: "user_message", text });
    this.sendUnsent();
  }

  close() {
    clearTimeout(this.timer);
    this.resume = null;
    this.socket.close(1000, "User ended conversation");
  }

  // --- the line ---------------------------------------------------------------------------------------------------

  connect(query) {
    this.socket = new WebSocket(conversationUrl(query), ["convai"]);
    this.socket.onopen = () => this.began || this.introduce();
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    this.socket.onclose = ({ code, reason }) => this.lost(code, reason);
    this.expectWithin(Math.min(ANSWER_MS * this.attempt, LONGEST_ANSWER_MS));
  }

  introduce() {
    this.send({
      type: "conversation_initiation_client_data",
      conversation_config_override: { conversation: { client_events: CLIENT_EVENTS } },
      source_info: { source: "talk_page", version: "1" },
    });
  }

  receive(message) {
    const event = message[Object.keys(message).find((key) => key.endsWith("_event"))];
    if (message.type === "conversation_initiation_metadata") return this.begin(event);
    this.expectWithin(SILENCE_MS);
    this.lastEventId = Math.max(this.lastEventId, event?.event_id ?? 0);
    if (message.type === "ping") return this.send({ type: "pong", event_id: event.event_id });
    if (message.type === "interruption") this.staleUntil = event.event_id;
    if (message.type === "audio" && event.event_id <= this.staleUntil) return;
    this.handlers[message.type]?.(event);
  }

  /** With the metadata, which comes first over every line. */
  begin(event) {
    this.resume = event.resume ?? null;
    this.lineSince = performance.now();
    this.live = true;
    this.expectWithin(SILENCE_MS);
    if (this.began) return this.goOn(this.resume.received_audio_ms);
    this.began = true;
    this.id = event.conversation_id;
    this.handlers.conversation_initiation_metadata(event);
  }

  goOn(receivedMs) {
    this.staleUntil = this.lastEventId;
    this.sendUnsent();
    for (const samples of this.kept.after(receivedMs)) this.sendSamples(samples);
    this.handlers.resumed((this.lineSince - this.lostAt) / 1000);
    this.lostAt = null;
  }

  lost(code, reason) {
    const now = performance.now();
    clearTimeout(this.timer);
    if (this.live && now - this.lineSince >= STEADY_MS) this.attempt = 0;
    this.live = false;
    this.lostAt ??= now;
    const wait = waitBefore(this.attempt);
    if (!this.resume || !COME_BACK.has(code) || now + wait > this.lostAt + GIVE_UP_AFTER_MS) {
      return this.handlers.closed({ code, reason, began: this.began });
    }
    this.timer = setTimeout(() => this.comeBack(), wait);
    this.handlers.reconnecting(++this.attempt);
  }

  comeBack() {
    this.connect({
      conversation_id: this.id,
      resume_token: this.resume.token,
      last_event_id: this.lastEventId,
    });
  }

  /** A line over which nothing comes for so long is dead, whatever the browser believes. */
  expectWithin(milliseconds) {
    clearTimeout(this.timer);
    if (this.resume) this.timer = setTimeout(() => this.drop(), milliseconds);
  }

  drop() {
    this.socket.onmessage = this.socket.onclose = null; // a close would be waited for as long as anything else
    this.socket.close();
    this.lost(1006, "");
  }

  /** What was typed, now or while the line was down. */
  sendUnsent() {
    if (!this.live || this.socket.readyState !== WebSocket.OPEN) return;
    for (const message of this.unsent.splice(0)) this.send(message);
  }

  sendSamples(samples) {
    this.send({ user_audio_chunk: this.format.encode(samples) });
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}

/** Of many clients that have lost the same server, each comes back at a moment of its own. */
function waitBefore(attempt) {
  const longest = Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS);
  return SHORTEST_WAIT_MS + Math.random() * (longest - SHORTEST_WAIT_MS);
}

function conversationUrl(query) {
  const url = new URL("/v1/convai/conversation", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams(query);
  return url;
}
