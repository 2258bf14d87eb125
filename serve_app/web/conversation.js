// The client's side of the ElevenLabs Agents WebSocket protocol.

const CLIENT_EVENTS = [
  "audio",
  "interruption",
  "agent_response",
  "agent_response_correction",
  "user_transcript",
  "tentative_user_transcript",
  "agent_response_metadata",
];

export class Conversation {
  /**
   * Open a conversation with `agentId` on the server this page came from.
   *
   * `handlers` has a function for each message type of interest, called with that message's event object, and
   * `closed({ code, reason, began })`, called once, where `began` says whether the server ever answered.
   * Audio of an answer that was interrupted never reaches its handler.
   */
  constructor(agentId, handlers) {
    this.handlers = handlers;
    this.interruptedId = -Infinity;
    this.began = false;
    this.socket = new WebSocket(conversationUrl(agentId), ["convai"]);
    this.socket.onopen = () => this.introduce();
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    this.socket.onclose = ({ code, reason }) => handlers.closed({ code, reason, began: this.began });
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
    if (message.type === "ping") return this.send({ type: "pong", event_id: event.event_id });
    if (message.type === "conversation_initiation_metadata") this.began = true;
    if (message.type === "interruption") this.interruptedId = event.event_id;
    if (message.type === "audio" && event.event_id <= this.interruptedId) return;
    this.handlers[message.type]?.(event);
  }

  sendAudio(base64) {
    this.send({ user_audio_chunk: base64 });
  }

  sendText(text) {
    this.send({ type: "user_message", text });
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  close() {
    this.socket.close(1000, "User ended conversation");
  }
}

function conversationUrl(agentId) {
  const url = new URL("/v1/convai/conversation", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ agent_id: agentId });
  return url;
}
