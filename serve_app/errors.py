"""Every error of ours, and the close code a caller's socket gets for it.

    HelloError
    ├── ConfigurationError      settings that cannot work: the process does not start
    ├── ClientError      1008   what the client sent cannot be honoured
    │   └── InvalidMessage      not JSON, wrong types, bad base64, odd bytes, oversize
    ├── Unavailable      1013   no room or not ready: try again later
    └── ProviderError    1002   an engine or a provider failed
        ├── TranscriptionError
        ├── LanguageModelError
        ├── SpeechError
        └── StoreError          never ends a conversation: the log retries

Foreign errors are translated once, where they enter, with `raise ... from`. All of them cross Ray: an error is
built from its message alone, so pickling keeps it whole.
"""


class HelloError(Exception):
    """Root of the tree. `close_code` is RFC 6455's or ElevenLabs' meaning; `error_type` is ElevenLabs' name for it."""

    close_code = 1011
    error_type = "unknown"

    @property
    def message(self) -> str:
        return str(self)


class ConfigurationError(HelloError):
    """Settings that cannot work. The message says which setting, and what to do."""


class ClientError(HelloError):
    close_code = 1008
    error_type = "value_error"


class InvalidMessage(ClientError):
    error_type = "invalid_message"


class Unavailable(HelloError):
    close_code = 1013


class ProviderError(HelloError):
    close_code = 1002


class TranscriptionError(ProviderError):
    error_type = "asr_transcription_error"


class LanguageModelError(ProviderError):
    error_type = "llm_error"


class SpeechError(ProviderError):
    error_type = "tts_cascade_error"


class StoreError(ProviderError):
    pass
