"""What is sent to a client: one struct a message.

It leaves as {"type": T, ENVELOPE: {...fields}}: the struct holds the fields, the class the names.
"""

from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from serve_app.conversation.playback import Alignment
from serve_app.errors import HelloError


class ServerMessage(msgspec.Struct, frozen=True):
    """Base of all that we send. No field is null unless its comment says so: clients break on it. ENVELOPE None: there
    are no fields."""

    TYPE: ClassVar[str]
    ENVELOPE: ClassVar[str | None]


class Resume(msgspec.Struct, frozen=True):
    """For clients that have asked for it: with `token` they may come back within the time. `received_audio_ms`: so much
    of their audio, from the first sample they ever sent, need not be sent again. `resumed`: they have come back."""

    token: str
    expires_in_secs: int
    received_audio_ms: int
    resumed: bool


class ConversationInitiationMetadata(ServerMessage, frozen=True):
    """Always the first frame of a connection, exactly once: clients hang or die otherwise. `resume` is not of
    ElevenLabs' protocol, and only for who asks for it."""

    TYPE: ClassVar[str] = "conversation_initiation_metadata"
    ENVELOPE: ClassVar[str] = "conversation_initiation_metadata_event"
    conversation_id: str
    agent_output_audio_format: str
    user_input_audio_format: str
    resume: Resume | UnsetType = UNSET


class Ping(ServerMessage, frozen=True):
    """`ping_ms` is always there, null until measured: the Python client indexes it."""

    TYPE: ClassVar[str] = "ping"
    ENVELOPE: ClassVar[str] = "ping_event"
    event_id: int
    ping_ms: int | None


class AudioAlignment(msgspec.Struct, frozen=True):
    """When each character sounds, in ms from the first sample of its message."""

    chars: tuple[str, ...]
    char_start_times_ms: tuple[int, ...]
    char_durations_ms: tuple[int, ...]

    @staticmethod
    def of(alignment: Alignment) -> "AudioAlignment":
        return AudioAlignment(alignment.chars, alignment.starts_ms, alignment.durations_ms)


class Audio(ServerMessage, frozen=True):
    """Without `alignment` where the voice gives none: null would end the Python client."""

    TYPE: ClassVar[str] = "audio"
    ENVELOPE: ClassVar[str] = "audio_event"
    audio_base_64: bytes
    event_id: int
    alignment: AudioAlignment | UnsetType = UNSET


class UserTranscript(ServerMessage, frozen=True):
    TYPE: ClassVar[str] = "user_transcript"
    ENVELOPE: ClassVar[str] = "user_transcription_event"
    user_transcript: str
    event_id: int


class TentativeUserTranscript(ServerMessage, frozen=True):
    """What was recognised while the turn may still go on."""

    TYPE: ClassVar[str] = "tentative_user_transcript"
    ENVELOPE: ClassVar[str] = "tentative_user_transcription_event"
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


class AgentResponseComplete(ServerMessage, frozen=True):
    """The answer was delivered to its end, or cut off: nothing more of it comes."""

    TYPE: ClassVar[str] = "agent_response_complete"
    ENVELOPE: ClassVar[str] = "agent_response_complete_event"
    event_id: int


PartType = Literal["start", "delta", "stop"]


class AgentChatResponsePart(ServerMessage, frozen=True):
    """The answer as it is written: start, deltas, stop, all under the id of its `agent_response`."""

    TYPE: ClassVar[str] = "agent_chat_response_part"
    ENVELOPE: ClassVar[str] = "text_response_part"
    text: str
    type: PartType
    event_id: int


class AgentReasoningResponsePart(ServerMessage, frozen=True):
    """What the model thinks to itself, in the same manner."""

    TYPE: ClassVar[str] = "agent_reasoning_response_part"
    ENVELOPE: ClassVar[str] = "reasoning_response_part"
    text: str
    type: PartType
    event_id: int


class Interruption(ServerMessage, frozen=True):
    """Its id is above all audio sent: the Python client drops audio up to it."""

    TYPE: ClassVar[str] = "interruption"
    ENVELOPE: ClassVar[str] = "interruption_event"
    event_id: int


class VadScore(ServerMessage, frozen=True):
    """How sure the detector is that the caller speaks, 0..1."""

    TYPE: ClassVar[str] = "vad_score"
    ENVELOPE: ClassVar[str] = "vad_score_event"
    vad_score: float


class InternalTurnProbability(ServerMessage, frozen=True):
    """The judge's view of a pause, 0..1: is the turn over?"""

    TYPE: ClassVar[str] = "internal_turn_probability"
    ENVELOPE: ClassVar[str] = "turn_probability_internal_event"
    turn_probability: float


class InternalTentativeAgentResponse(ServerMessage, frozen=True):
    """An answer that is ready before its turn is decided."""

    TYPE: ClassVar[str] = "internal_tentative_agent_response"
    ENVELOPE: ClassVar[str] = "tentative_agent_response_internal_event"
    tentative_agent_response: str


class ClientToolCall(ServerMessage, frozen=True):
    """`parameters` is an object in any case: null ends the Python client."""

    TYPE: ClassVar[str] = "client_tool_call"
    ENVELOPE: ClassVar[str] = "client_tool_call"
    tool_name: str
    tool_call_id: str
    parameters: dict[str, Any]
    event_id: int
    expects_response: bool


class AgentToolRequest(ServerMessage, frozen=True):
    TYPE: ClassVar[str] = "agent_tool_request"
    ENVELOPE: ClassVar[str] = "agent_tool_request"
    tool_name: str
    tool_call_id: str
    tool_type: str
    event_id: int


class AgentToolResponse(ServerMessage, frozen=True):
    """`tool_name` end_call makes the JavaScript client hang up at once: it is sent when the goodbye has been heard."""

    TYPE: ClassVar[str] = "agent_tool_response"
    ENVELOPE: ClassVar[str] = "agent_tool_response"
    tool_name: str
    tool_call_id: str
    tool_type: str
    event_id: int
    is_error: bool
    is_called: bool


class AgentToolResponseFullPayload(ServerMessage, frozen=True):
    TYPE: ClassVar[str] = "agent_tool_response_full_payload"
    ENVELOPE: ClassVar[str] = "agent_tool_response_full_payload"
    tool_name: str
    tool_call_id: str
    tool_type: str
    event_id: int
    is_error: bool
    is_called: bool
    full_tool_result: str
    truncated: bool


class GuardrailTriggered(ServerMessage, frozen=True):
    """That, and no more: what was found is for the record."""

    TYPE: ClassVar[str] = "guardrail_triggered"
    ENVELOPE: ClassVar[str | None] = None


class Error(ServerMessage, frozen=True):
    """Just before the close frame, which carries the same code; or, without a close, in answer to a message that can
    not be honoured."""

    TYPE: ClassVar[str] = "error"
    ENVELOPE: ClassVar[str] = "error_event"
    code: int
    message: str
    error_type: str
    reason: str

    @staticmethod
    def of(error: HelloError) -> "Error":
        return Error(error.close_code, error.message, error.error_type, error.message)


SERVER_MESSAGES: dict[str, type[ServerMessage]] = {message.TYPE: message for message in ServerMessage.__subclasses__()}
"""By `type`: all that are ever sent."""

ERROR_CODES = frozenset({1000, 1002, 1008, 1011})
"""What an error event may say; a close code beyond these (1013: try again later) speaks for itself."""

ALWAYS_SENT = frozenset({ConversationInitiationMetadata.TYPE, Ping.TYPE, Error.TYPE, ClientToolCall.TYPE})
"""Clients need these whatever their `client_events` say; a client tool that is never called would hang the agent."""
