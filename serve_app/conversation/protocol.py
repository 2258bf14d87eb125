"""ElevenLabs Agents wire messages <-> typed structs. One struct a message; decoding is validation.

A client message arrives as {"type": T, ...fields}, except microphone audio, which has no type at all.
A server message leaves as {"type": T, ENVELOPE: {...fields}}: the struct holds the fields, the class the names.
Unknown messages and unknown fields are ignored: newer clients must not break.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from serve_app.conversation.playback import Alignment
from serve_app.errors import HelloError, InvalidMessage

LONGEST_MESSAGE = 1 << 20
"""Characters: more than any honest message has (a second of 48 kHz audio is 128,000 in base64)."""
LONGEST_EVENT = 250_000
"""Of any message but audio: what is read costs time, and the others wait for it."""
LONGEST_TEXT = 100_000
"""Characters of one typed message, context or result: beyond it no language model would take the dialogue for long."""

LONGEST_VALUE = 10_000
"""Characters of a dynamic variable."""

Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Name = Annotated[str, Meta(max_length=200)]
Value = Annotated[str, Meta(max_length=LONGEST_VALUE)] | int | float | bool | None
EventId = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""What JavaScript, too, holds exactly."""


NOTHING = msgspec.Raw(b"null")
"""Fields that are not honoured are not read further than this: they may be as deep and as wide as JSON allows."""


def asks_for_something(raw: msgspec.Raw) -> bool:
    return bytes(raw).strip() not in (b"null", b"{}", b"[]", b'""', b"false")


# ---- client -> server


class UserAudioChunk(msgspec.Struct, frozen=True):
    """Microphone audio in the format that metadata named. The only message without a `type`."""

    user_audio_chunk: bytes


class _Override(msgspec.Struct, frozen=True, omit_defaults=True):
    """None: not overridden. Clients send empty objects and nulls where they override nothing."""


class PromptOverride(_Override, frozen=True):
    prompt: Text | None = None
    llm: Name | None = None
    reasoning_effort: Name | None = None
    tool_ids: list[Name] | None = None
    tool_ids_strict: bool | None = None
    knowledge_base: list[Any] | None = None
    native_mcp_server_ids: list[Name] | None = None


class PersonaOverride(_Override, frozen=True):
    first_message: Text | None = None
    language: Name | None = None
    prompt: PromptOverride | None = None
    max_conversation_duration_message: Text | None = None
    native_mcp_server_ids: list[Name] | None = None


class HearingOverride(_Override, frozen=True):
    keywords: list[Name] | None = None


class VoiceOverride(_Override, frozen=True):
    voice_id: Name | None = None
    model_id: Name | None = None
    stability: float | None = None
    speed: float | None = None
    similarity_boost: float | None = None


class SoftTimeoutOverride(_Override, frozen=True):
    message: Text | None = None
    additional_soft_timeout_messages: list[Text] | None = None


class TurnOverride(_Override, frozen=True):
    soft_timeout_config: SoftTimeoutOverride | None = None


class RulesOverride(_Override, frozen=True):
    text_only: bool | None = None
    client_events: list[Name] | None = None
    max_duration_seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None


class ConfigOverride(_Override, frozen=True):
    """`text_only` stands at the top in the Python client, under `conversation` in the JavaScript one."""

    agent: PersonaOverride | None = None
    asr: HearingOverride | None = None
    tts: VoiceOverride | None = None
    turn: TurnOverride | None = None
    conversation: RulesOverride | None = None
    text_only: bool | None = None


class SourceInfo(msgspec.Struct, frozen=True):
    source: Name | None = None
    version: Name | None = None


class ConversationInitiation(msgspec.Struct, frozen=True):
    """The client's opening message. What is not honoured here is answered with an error unless it is empty;
    `branch_id` and `environment` are ignored, since an agent has one version here (docs/protocol.md)."""

    conversation_config_override: ConfigOverride | None = None
    custom_llm_extra_body: dict[str, Any] | None = None
    dynamic_variables: dict[Name, Value] | None = None
    """A null is one that is not given."""
    user_id: Name | None = None
    source_info: SourceInfo | None = None
    branch_id: Name | None = None
    environment: Name | None = None
    starting_workflow_node_id: msgspec.Raw = NOTHING
    procedure_ids: msgspec.Raw = NOTHING
    start_procedure_ids: msgspec.Raw = NOTHING
    tool_mock_config: msgspec.Raw = NOTHING
    unknown_overrides: Any = ()
    """Not of the wire: paths in conversation_config_override that nobody knows."""


class EnclaveSetupConfig(msgspec.Struct, frozen=True):
    """Comes before the opening message of clients in self-hosted mode, who may bring an agent of their own."""

    agent_config_dict: msgspec.Raw = NOTHING
    override_agent_config_list: msgspec.Raw = NOTHING
    tools_config_list: msgspec.Raw = NOTHING
    prompt_knowledge_base: msgspec.Raw = NOTHING
    post_call_transcription_webhook_url: msgspec.Raw = NOTHING
    post_call_audio_webhook_url: msgspec.Raw = NOTHING
    post_call_transcription_webhook: msgspec.Raw = NOTHING
    post_call_audio_webhook: msgspec.Raw = NOTHING
    bedrock_inference_profile: msgspec.Raw = NOTHING


class Pong(msgspec.Struct, frozen=True):
    event_id: EventId


class UserMessage(msgspec.Struct, frozen=True):
    """Typed text: a turn of the user's, as if it had been spoken."""

    text: Text | None = None
    rich_content_id: Name | None = None


class UserActivity(msgspec.Struct, frozen=True):
    """The user is busy with something, typing say: the agent does not speak up."""


class ContextualUpdate(msgspec.Struct, frozen=True):
    """Something the agent should know, and not answer. The newest of a `context_id` replaces the ones before."""

    text: Text
    context_id: Name | None = None


class Feedback(msgspec.Struct, frozen=True):
    """On the answer to which this event belongs. None takes an earlier one back."""

    event_id: EventId
    score: Literal["like", "dislike"] | None


class ClientToolResult(msgspec.Struct, frozen=True):
    """The Python client sends whatever the handler returned: any JSON value."""

    tool_call_id: Name
    result: Any
    is_error: bool


class McpToolApprovalResult(msgspec.Struct, frozen=True):
    tool_call_id: Name
    is_approved: bool


class FileInput(msgspec.Struct, frozen=True):
    file_id: Name


class MultimodalMessage(msgspec.Struct, frozen=True):
    """`file` is the first of `files`."""

    text: UserMessage | None = None
    file: FileInput | None = None
    files: list[FileInput] | None = None


ClientMessage = (
    UserAudioChunk
    | ConversationInitiation
    | EnclaveSetupConfig
    | Pong
    | UserMessage
    | UserActivity
    | ContextualUpdate
    | Feedback
    | ClientToolResult
    | McpToolApprovalResult
    | MultimodalMessage
)

CLIENT_MESSAGES: dict[str, type[msgspec.Struct]] = {
    "conversation_initiation_client_data": ConversationInitiation,
    "enclave_setup_config": EnclaveSetupConfig,
    "pong": Pong,
    "user_message": UserMessage,
    "user_activity": UserActivity,
    "contextual_update": ContextualUpdate,
    "feedback": Feedback,
    "client_tool_result": ClientToolResult,
    "mcp_tool_approval_result": McpToolApprovalResult,
    "multimodal_message": MultimodalMessage,
}
"""By `type`."""

_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(message) for kind, message in CLIENT_MESSAGES.items()
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
        if len(text) > LONGEST_EVENT:
            raise InvalidMessage(
                f"message too large: {len(text)} characters, the limit is {LONGEST_EVENT} but for audio"
            )
        decoder = _DECODERS.get(envelope.type)
        message: ClientMessage | None = decoder.decode(text) if decoder else None
        return _with_unknown_overrides(message, text) if isinstance(message, ConversationInitiation) else message
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:  # lone surrogates are not UTF-8; nested too deep
        raise InvalidMessage(f"invalid message: {e}") from e


class _Overrides(msgspec.Struct):
    conversation_config_override: dict[str, Any] | None = None


def _with_unknown_overrides(message: ConversationInitiation, text: str) -> ConversationInitiation:
    """A field that is not known is ignored, but who asked for an override must learn that it is not there."""
    sent = msgspec.json.decode(text, type=_Overrides).conversation_config_override or {}
    unknown = tuple(sorted(set(_unknown(sent, ConfigOverride, ""))))
    return msgspec.structs.replace(message, unknown_overrides=unknown)


def _unknown(section: dict[str, Any], known: type[msgspec.Struct], path: str) -> Iterator[str]:
    fields = {field.name: field.type for field in msgspec.structs.fields(known)}
    for name, value in section.items():
        if name not in fields:
            if value not in (None, {}, []):
                yield f"{path}{name}"[:100]
            continue
        inner = next((t for t in get_args(fields[name]) if isinstance(t, type) and issubclass(t, msgspec.Struct)), None)
        if inner and isinstance(value, dict):
            yield from _unknown(value, inner, f"{path}{name}.")


# ---- server -> client


class ServerMessage(msgspec.Struct, frozen=True):
    """Base of all that we send. No field is null unless its comment says so: clients break on it."""

    TYPE: ClassVar[str]
    ENVELOPE: ClassVar[str]


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

_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    """One message -> the text of its frame."""
    return f'{{"type":"{message.TYPE}","{message.ENVELOPE}":{_encoder.encode(message).decode()}}}'
