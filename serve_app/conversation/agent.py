"""An agent as its file describes it: ElevenLabs' shape, the fields that are honoured here, and no others.

A field with one possible value is one whose other values are not served: the file is refused, rather than the value
ignored. docs/agents.md lists them all.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from serve_app.conversation import personal_data
from serve_app.conversation.manners import Eagerness, Manners, Strategy
from serve_app.conversation.tools import (
    BuiltInTools,
    ClientTool,
    Reference,
    Secret,
    Tool,
    TransferToAgent,
    WebhookTool,
)

DEFAULT_CLIENT_EVENTS = (
    "audio",
    "interruption",
    "agent_response",
    "user_transcript",
    "tentative_user_transcript",
    "conversation_initiation_metadata",
    "ping",
)
"""ElevenLabs' default (their AsyncAPI). It leaves out agent_response_correction: our own agents list it."""

Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$")]
"""ISO 639, with or without a country: pt, pt-br."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class CustomLlm(_Section, frozen=True):
    """An OpenAI-compatible endpoint of the agent's own. `url` goes up to and including its `/v1`."""

    url: Annotated[str, Meta(pattern=r"^https?://[^/]+")]
    model_id: str = ""
    api_key: Secret | None = None
    request_headers: dict[str, str | Secret] = {}
    api_type: Literal["chat_completions"] = "chat_completions"


class BackupLlm(_Section, frozen=True):
    """Who answers when the model fails: the server's own models, nobody, or those of `order`, at the server's
    endpoint."""

    preference: Literal["default", "disabled", "override"] = "default"
    order: tuple[str, ...] = ()


class Prompt(_Section, frozen=True):
    """What the language model is told, which one it is (empty: the server's), and what it may do.

    `cascade_timeout_seconds`: how long a model may take for its first word before the next is asked (None: the
    server's own patience).
    """

    prompt: str = ""
    llm: str = ""
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(ge=-1)] = -1
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    enable_parallel_tool_calls: bool | None = None
    tools: tuple[ClientTool | WebhookTool, ...] = ()
    tool_ids: tuple[str, ...] | None = None
    """Which of `tools`, by name; None: all."""
    built_in_tools: BuiltInTools = BuiltInTools()
    custom_llm: CustomLlm | None = None
    backup_llm_config: BackupLlm = BackupLlm()
    cascade_timeout_seconds: Annotated[float, Meta(ge=2, le=15)] | None = None


class DynamicVariables(_Section, frozen=True):
    """Values of variables that the client does not give."""

    dynamic_variable_placeholders: dict[str, str | int | float | bool] = {}


class Persona(_Section, frozen=True):
    """`language` (ISO 639-1): until the caller speaks another. An empty `first_message`: the caller speaks first."""

    language: Language = "pt"
    first_message: str = ""
    disable_first_message_interruptions: bool = False
    max_conversation_duration_message: str | None = None
    """Spoken when time is up; None: ours, in the language of the conversation. Empty: nothing."""
    dynamic_variables: DynamicVariables = DynamicVariables()
    prompt: Prompt = Prompt()


class Hearing(_Section, frozen=True):
    """`keywords`: words that the recogniser should expect."""

    user_input_audio_format: str = "pcm_16000"
    quality: Literal["high"] = "high"
    keywords: tuple[str, ...] = ()


class SoftTimeout(_Section, frozen=True):
    """What is said while the language model lets the caller wait. -1: nothing."""

    timeout_seconds: Annotated[float, Meta(ge=-1, le=8)] = -1.0
    message: str = ""
    additional_soft_timeout_messages: tuple[str, ...] = ()
    max_soft_timeouts_per_generation: Annotated[int, Meta(ge=1)] = 1
    disable_until_first_user_message: bool = False


class Turn(_Section, frozen=True):
    """Seconds. `turn_timeout`: of silence before the agent speaks up; `initial_wait_time`: the same before the first
    word, if the caller is to speak first (None: turn_timeout); `silence_end_call_timeout`: of silence that end the
    call (-1: none).

    `turn_eagerness`: how long a pause in mid-sentence may be; `spelling_patience`: callers get time to dictate.
    `interruption_ignore_terms`: what may be said over the agent without interrupting it; besides our own terms, if
    there are none or with `merge_with_default_ignore_terms`, of `interruption_ignore_term_languages` (None: of the
    conversation's). `transcribe_on_disabled_interruptions`: what is said over words that must not be interrupted is a
    turn after them."""

    turn_eagerness: Eagerness = "normal"
    spelling_patience: Literal["auto", "off"] = "auto"
    interruption_ignore_terms: tuple[str, ...] = ()
    merge_with_default_ignore_terms: bool = True
    interruption_ignore_term_languages: tuple[Language, ...] | None = None
    transcribe_on_disabled_interruptions: bool = False
    turn_timeout: Annotated[float, Meta(ge=1, le=30)] = 7.0
    initial_wait_time: Annotated[float, Meta(ge=1, le=300)] | None = None
    silence_end_call_timeout: Annotated[float, Meta(ge=-1)] = -1.0
    soft_timeout_config: SoftTimeout = SoftTimeout()


class Voice(_Section, frozen=True):
    """`stability`, `similarity_boost` and `model_id` are for voices that know them (ElevenLabs')."""

    voice_id: str = "cjVigY5qzO86Huf0OWal"
    model_id: str = ""
    agent_output_audio_format: str = "pcm_16000"
    stability: Annotated[float, Meta(ge=0, le=1)] = 0.5
    similarity_boost: Annotated[float, Meta(ge=0, le=1)] = 0.8
    speed: Annotated[float, Meta(ge=0.7, le=1.2)] = 1.0


class Rules(_Section, frozen=True):
    """`client_events` None: the default list. `max_duration_seconds`: of the whole call."""

    text_only: bool = False
    max_duration_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 600
    client_events: tuple[str, ...] | None = None


class ConversationConfig(_Section, frozen=True):
    agent: Persona = Persona()
    asr: Hearing = Hearing()
    tts: Voice = Voice()
    turn: Turn = Turn()
    conversation: Rules = Rules()
    language_presets: dict[Language, "LanguagePreset"] = {}


class Translation(_Section, frozen=True):
    text: str


class LanguagePreset(_Section, frozen=True):
    """What is different in another language. `overrides` is shaped as what a client may override; a translation is for
    a message that they leave as it is."""

    overrides: dict[str, Any] = {}
    first_message_translation: Translation | None = None
    soft_timeout_translation: Translation | None = None


class AllowedHost(_Section, frozen=True):
    hostname: str


class Auth(_Section, frozen=True):
    """`enable_auth`: only with a signed URL or an API key. `allowlist`: only pages of these hosts; those without an
    Origin (no browser) only unless `require_origin_header`."""

    enable_auth: bool = False
    allowlist: tuple[AllowedHost, ...] = ()
    require_origin_header: bool = False


class Permissions(_Section, frozen=True):
    """Which overrides a client may send: `conversation_config_override` has the shape of one, with true as leaves."""

    conversation_config_override: dict[str, Any] = {}
    custom_llm_extra_body: bool = False


class CallLimits(_Section, frozen=True):
    """`agent_concurrency_limit`: how many conversations there may be at once on each node; -1: as many as come."""

    agent_concurrency_limit: Annotated[int, Meta(ge=-1)] = -1


class HistoryRedaction(_Section, frozen=True):
    """Which personal data the stored transcript is without; no `entities`: all that can be found."""

    enabled: bool = False
    entities: tuple[str, ...] = ()


class Privacy(_Section, frozen=True):
    """`record_voice`: both sides of its calls are recorded. `retention_days`: after its end a call's record is kept as
    long, and deleted then; -1: never."""

    record_voice: bool = False
    retention_days: Annotated[int, Meta(ge=-1, le=36_500)] = -1
    conversation_history_redaction: HistoryRedaction = HistoryRedaction()


class PromptInjection(_Section, frozen=True):
    is_enabled: bool = False


class Guardrails(_Section, frozen=True):
    """`prompt_injection`: the caller's words, what goes to tools, and what the agent is about to say are looked at;
    what follows is for `hello.on_guardrail` to say."""

    prompt_injection: PromptInjection = PromptInjection()


class PlatformSettings(_Section, frozen=True):
    auth: Auth = Auth()
    privacy: Privacy = Privacy()
    guardrails: Guardrails = Guardrails()
    overrides: Permissions = Permissions()
    call_limits: CallLimits = CallLimits()
    widget: dict[str, Any] = {}
    """Of the embeddable widget: handed to it as it is."""


class OnFailure(_Section, frozen=True):
    """What follows when no provider is left to answer with: `message` (empty: ours), then the caller is asked again,
    put through to the agent `agent_id`, or the call ends."""

    action: Literal["retry", "transfer", "end"] = "retry"
    message: str = ""
    agent_id: str = ""


class OnGuardrail(_Section, frozen=True):
    """What follows when a guardrail is triggered: it is noted and nothing else, `message` (empty: ours) is said in
    place of an answer, or it is said and the call ends."""

    action: Literal["ignore", "deflect", "end"] = "deflect"
    message: str = ""


class Hello(_Section, frozen=True):
    """What ElevenLabs' agents do not have. `confidence_threshold`: the caller is asked again after words that were
    understood less surely than this, 0..1. `overlap`: what becomes of the agent's words when the caller speaks over
    them. `backchannels`: it murmurs ("uhum") while callers speak long."""

    confidence_threshold: Annotated[float, Meta(ge=0, le=1)] = 0.6
    overlap: Strategy = "overlap_aware"
    backchannels: bool = True
    on_failure: OnFailure = OnFailure()
    on_guardrail: OnGuardrail = OnGuardrail()


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    conversation_config: ConversationConfig = ConversationConfig()
    platform_settings: PlatformSettings = PlatformSettings()
    hello: Hello = Hello()

    @property
    def tools(self) -> dict[str, Tool]:
        """All of its tools, by name."""
        prompt = self.conversation_config.agent.prompt
        named = {tool.name: tool for tool in prompt.tools}
        chosen = named if prompt.tool_ids is None else {name: named[name] for name in prompt.tool_ids}
        return {**chosen, **prompt.built_in_tools.all()}

    @property
    def manners(self) -> Manners:
        turn = self.conversation_config.turn
        return Manners(
            turn.turn_eagerness,
            turn.spelling_patience == "auto",
            self.hello.overlap,
            turn.transcribe_on_disabled_interruptions,
            self.hello.backchannels,
        )

    @property
    def redacts(self) -> list[str]:
        """Kinds of personal data that its conversations are stored without."""
        redaction = self.platform_settings.privacy.conversation_history_redaction
        return personal_data.kinds(redaction.entities) if redaction.enabled else []

    @property
    def client_events(self) -> frozenset[str]:
        """What the client wants to be sent. A text conversation without a list of its own gets the answer in parts."""
        rules = self.conversation_config.conversation
        if rules.client_events is not None:
            return frozenset(rules.client_events)
        return frozenset(DEFAULT_CLIENT_EVENTS) | ({"agent_chat_response_part"} if rules.text_only else set())

    @property
    def languages(self) -> list[str]:
        """Those it can change to."""
        config = self.conversation_config
        return list(dict.fromkeys([config.agent.language, *config.language_presets]))

    @property
    def secrets(self) -> set[str]:
        """Names of the environment variables it needs."""
        prompt = self.conversation_config.agent.prompt
        webhooks = [tool for tool in prompt.tools if isinstance(tool, WebhookTool)]
        headers = [value for tool in webhooks for value in tool.api_schema.request_headers.values()]
        needed = {value.secret_id for value in headers if isinstance(value, Reference) and value.secret_id}
        if llm := prompt.custom_llm:
            own = [llm.api_key, *llm.request_headers.values()]
            needed |= {value.secret_id for value in own if isinstance(value, Secret)}
        return needed

    @property
    def transfers_to(self) -> set[str]:
        """Ids of other agents."""
        on_failure = {self.hello.on_failure.agent_id} if self.hello.on_failure.action == "transfer" else set()
        tool = self.conversation_config.agent.prompt.built_in_tools.transfer_to_agent
        if tool is None or not isinstance(tool.params, TransferToAgent):
            return on_failure
        return on_failure | {transfer.agent_id for transfer in tool.params.transfers}
