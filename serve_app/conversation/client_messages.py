"""What a client may send: one struct a message.

It arrives as {"type": T, ...fields}, except microphone audio, which has no type at all.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

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
