"""An agent as its file describes it: ElevenLabs' `conversation_config` shape, the fields that are honoured here."""

import msgspec

# ElevenLabs' default leaves the correction out; without it a client shows what was never heard.
DEFAULT_CLIENT_EVENTS = (
    "audio",
    "interruption",
    "agent_response",
    "agent_response_correction",
    "user_transcript",
    "conversation_initiation_metadata",
    "ping",
)


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prompt: str = ""


class Persona(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`language` (ISO 639-1): until the caller speaks another. An empty `first_message`: the caller speaks first."""

    language: str = "pt"
    first_message: str = ""
    prompt: Prompt = Prompt()


class Hearing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user_input_audio_format: str = "pcm_16000"


class Voice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    voice_id: str = "cjVigY5qzO86Huf0OWal"
    agent_output_audio_format: str = "pcm_16000"


class Events(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    client_events: tuple[str, ...] = DEFAULT_CLIENT_EVENTS


class ConversationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    agent: Persona = Persona()
    asr: Hearing = Hearing()
    tts: Voice = Voice()
    conversation: Events = Events()


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    conversation_config: ConversationConfig = ConversationConfig()
