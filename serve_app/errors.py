"""Every error of ours, and the close code a caller's socket gets for it.

    HelloError
    ├── ConfigurationError      settings that cannot work: the process does not start
    ├── ClientError      1008   what the client sent cannot be honoured
    │   ├── InvalidMessage      not JSON, wrong types, bad base64, odd bytes, oversize
    │   ├── OverrideError       an override that the agent does not permit, or that is no valid value
    │   ├── MissingVariable     dynamic variables that the agent needs and the client has not given
    │   └── UnknownHere  4004   a conversation to come back to that the store does not have
    ├── Gone             1002   the client has stopped answering, or sending
    │   └── Silent              nothing came from the user
    ├── Finished         1000   the conversation is over as it should be
    │   ├── CallerSilent        nobody spoke for as long as the agent waits
    │   └── TimeIsUp            it lasted as long as the agent allows
    ├── Unavailable      1013   no room or not ready: try again later
    ├── Elsewhere        4001   the conversation goes on over another connection
    ├── Restarting       1012   this server is being replaced: come back, and go on
    └── ProviderError    1002   an engine or a provider failed
        ├── TranscriptionError
        ├── LanguageModelError
        ├── SpeechError
        ├── ToolError           never ends a conversation: the model is told
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


class OverrideError(ClientError):
    error_type = "override_error"


class MissingVariable(ClientError):
    error_type = "missing_dynamic_variable"


class UnknownHere(ClientError):
    """It may be another region's, or was lost: a client may begin another one. The code is of those that RFC 6455
    leaves to applications."""

    close_code = 4004


class Gone(HelloError):
    close_code = 1002
    error_type = "websocket_disconnect"


class Silent(Gone):
    error_type = "transport_receive_timeout"


class Finished(HelloError):
    """An end without a fault: the close says why."""

    close_code = 1000


class CallerSilent(Finished):
    pass


class TimeIsUp(Finished):
    error_type = "max_duration_exceeded"


def recorded(code: int, message: str, error_type: str) -> HelloError:
    """An end as the record has it: without a fault, or with one."""
    if code == Finished.close_code:
        return TimeIsUp(message) if error_type == TimeIsUp.error_type else Finished(message)
    error = HelloError(message)
    error.close_code, error.error_type = code, error_type
    return error


class Unavailable(HelloError):
    close_code = 1013


class Elsewhere(HelloError):
    """A client must not come back by itself. The code, too, is left to applications."""

    close_code = 4001


def taken_over() -> Elsewhere:
    return Elsewhere("another connection has taken this conversation over")


class Restarting(HelloError):
    close_code = 1012


class ProviderError(HelloError):
    close_code = 1002


class TranscriptionError(ProviderError):
    error_type = "asr_transcription_error"


class LanguageModelError(ProviderError):
    error_type = "llm_error"


class SpeechError(ProviderError):
    error_type = "tts_cascade_error"


class ToolError(ProviderError):
    """The message is for the language model, and may hold what the tool answered."""


class StoreError(ProviderError):
    pass
