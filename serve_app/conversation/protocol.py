"""ElevenLabs Agents wire messages <-> typed structs. One struct a message; decoding is validation.

A client message arrives as {"type": T, ...fields}, except microphone audio, which has no type at all.
A server message leaves as {"type": T, ENVELOPE: {...fields}}: the struct holds the fields, the class the names.
Unknown messages and unknown fields are ignored: newer clients must not break.
"""

from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from serve_app.errors import InvalidMessage

LONGEST_MESSAGE = 1 << 20
"""Characters: more than any honest message has (a second of 48 kHz audio is 128,000 in base64)."""


# ---- client -> server


class UserAudioChunk(msgspec.Struct, frozen=True):
    """Microphone audio in the format that metadata named. The only message without a `type`."""

    user_audio_chunk: bytes


class ConversationOverride(msgspec.Struct, frozen=True):
    client_events: list[str] | None = None


class ConfigOverride(msgspec.Struct, frozen=True):
    conversation: ConversationOverride | None = None


class ConversationInitiation(msgspec.Struct, frozen=True):
    """The client's opening message. The JavaScript client sends empty override objects: not an attempt to override."""

    conversation_config_override: ConfigOverride | None = None
    user_id: str | None = None
    source_info: dict[str, Any] | None = None


class Pong(msgspec.Struct, frozen=True):
    event_id: int


class UserMessage(msgspec.Struct, frozen=True):
    """Typed text: a turn of the user's, as if it had been spoken."""

    text: str | None = None


ClientMessage = UserAudioChunk | ConversationInitiation | Pong | UserMessage

_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "conversation_initiation_client_data": msgspec.json.Decoder(ConversationInitiation),
    "pong": msgspec.json.Decoder(Pong),
    "user_message": msgspec.json.Decoder(UserMessage),
}


class _Envelope(msgspec.Struct):
    type: str | None = None
    user_audio_chunk: bytes | UnsetType = UNSET


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def decode(text: str) -> ClientMessage | None:
    """One text frame -> its message, or None for a kind we do not know.

    Raises InvalidMessage, whose text says what is wrong, for anything that is no message at all.
    """
    if len(text) > LONGEST_MESSAGE:
        raise InvalidMessage(f"message too large: {len(text)} characters, the limit is {LONGEST_MESSAGE}")
    try:
        envelope = _ENVELOPE.decode(text)
        if envelope.user_audio_chunk is not UNSET:
            return UserAudioChunk(envelope.user_audio_chunk)
        if envelope.type is None:
            raise InvalidMessage('message has neither "type" nor "user_audio_chunk"')
        decoder = _DECODERS.get(envelope.type)
        return decoder.decode(text) if decoder else None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:  # lone surrogates are not UTF-8; nested too deep
        raise InvalidMessage(f"invalid message: {e}") from e


# ---- server -> client


class ServerMessage(msgspec.Struct, frozen=True):
    """Base of all that we send. No field is null unless its comment says so: clients break on it."""

    TYPE: ClassVar[str]
    ENVELOPE: ClassVar[str]


class ConversationInitiationMetadata(ServerMessage, frozen=True):
    """Always the first frame, exactly once: clients hang or die otherwise."""

    TYPE: ClassVar[str] = "conversation_initiation_metadata"
    ENVELOPE: ClassVar[str] = "conversation_initiation_metadata_event"
    conversation_id: str
    agent_output_audio_format: str
    user_input_audio_format: str


class Ping(ServerMessage, frozen=True):
    """`ping_ms` is always there, null until measured: the Python client indexes it."""

    TYPE: ClassVar[str] = "ping"
    ENVELOPE: ClassVar[str] = "ping_event"
    event_id: int
    ping_ms: int | None


class Audio(ServerMessage, frozen=True):
    TYPE: ClassVar[str] = "audio"
    ENVELOPE: ClassVar[str] = "audio_event"
    audio_base_64: bytes
    event_id: int


class UserTranscript(ServerMessage, frozen=True):
    TYPE: ClassVar[str] = "user_transcript"
    ENVELOPE: ClassVar[str] = "user_transcription_event"
    user_transcript: str
    event_id: int


class AgentResponse(ServerMessage, frozen=True):
    TYPE: ClassVar[str] = "agent_response"
    ENVELOPE: ClassVar[str] = "agent_response_event"
    agent_response: str
    event_id: int


class AgentResponseCorrection(ServerMessage, frozen=True):
    """After an interruption: what the caller really heard of the answer."""

    TYPE: ClassVar[str] = "agent_response_correction"
    ENVELOPE: ClassVar[str] = "agent_response_correction_event"
    original_agent_response: str
    corrected_agent_response: str
    event_id: int


class AgentResponseMetadata(ServerMessage, frozen=True):
    """Where the time of a turn went: `metadata["conversation_turn_metrics"]`, as in the conversation's record."""

    TYPE: ClassVar[str] = "agent_response_metadata"
    ENVELOPE: ClassVar[str] = "agent_response_metadata_event"
    metadata: dict[str, Any]
    event_id: int


class Interruption(ServerMessage, frozen=True):
    """Its id is above all audio sent: the Python client drops audio up to it."""

    TYPE: ClassVar[str] = "interruption"
    ENVELOPE: ClassVar[str] = "interruption_event"
    event_id: int


class Error(ServerMessage, frozen=True):
    """Goes just before the close frame, which carries the same code."""

    TYPE: ClassVar[str] = "error"
    ENVELOPE: ClassVar[str] = "error_event"
    code: int
    message: str
    error_type: str
    reason: str


ERROR_CODES = frozenset({1000, 1002, 1008, 1011})
"""What an error event may say; a close code beyond these (1013: try again later) speaks for itself."""

ALWAYS_SENT = frozenset({ConversationInitiationMetadata.TYPE, Ping.TYPE, Error.TYPE})
"""Clients need these whatever their `client_events` say."""

_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    """One message -> the text of its frame."""
    return f'{{"type":"{message.TYPE}","{message.ENVELOPE}":{_encoder.encode(message).decode()}}}'
