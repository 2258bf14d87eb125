"""Timestamps of a turn -> latencies, in seconds, under ElevenLabs' names. One definition each.

All stamps are of the session's one clock. "The caller stopped" is the last voiced sample, not when we noticed.

    convai_turn_silence_before_initiation  the caller stopped -> the turn was decided
    convai_asr_trailing_service_latency    the caller stopped -> the transcript was there (0: it was there already)
    convai_llm_service_ttfb                the model was asked -> its first token
    convai_llm_service_ttf_sentence        the model was asked -> the first clause worth speaking
    convai_llm_service_tt_last_sentence    the model was asked -> the answer was complete
    convai_tts_service_ttfb                the voice was asked -> its first audio
    convai_ttf_audio_since_silence         the caller stopped -> the first audio of the answer left (voice to voice)

The model and the voice are asked before the turn is decided, so the stages overlap and do not add up.
"""

import msgspec


class TurnMetrics(msgspec.Struct):
    """Stamps (seconds); None: has not happened, or not in this turn (a typed message has no recognition)."""

    caller_stopped: float | None = None
    transcript: float | None = None
    decided: float | None = None
    model_asked: float | None = None
    first_token: float | None = None
    first_clause: float | None = None
    answer_complete: float | None = None
    voice_asked: float | None = None
    first_speech: float | None = None
    first_audio: float | None = None

    def heard(self, other: "TurnMetrics") -> None:
        """The caller's side of the turn is another's: the answer was begun before."""
        self.caller_stopped, self.transcript, self.decided = other.caller_stopped, other.transcript, other.decided

    def user_turn(self) -> dict[str, float]:
        return _known({"convai_asr_trailing_service_latency": _span(self.caller_stopped, self.transcript)})

    def agent_turn(self) -> dict[str, float]:
        return _known(
            {
                "convai_turn_silence_before_initiation": _span(self.caller_stopped, self.decided),
                "convai_turn_asr_latency": _span(self.caller_stopped, self.transcript),
                "convai_llm_service_ttfb": _span(self.model_asked, self.first_token),
                "convai_llm_service_ttf_sentence": _span(self.model_asked, self.first_clause),
                "convai_llm_service_tt_last_sentence": _span(self.model_asked, self.answer_complete),
                "convai_tts_service_ttfb": _span(self.voice_asked, self.first_speech),
                "convai_ttf_audio_since_silence": _span(self.caller_stopped, self.first_audio),
            }
        )


def wire(latencies: dict[str, float]) -> dict[str, dict[str, dict[str, float]]]:
    """{name: seconds} -> ElevenLabs' `conversation_turn_metrics`."""
    return {"metrics": {name: {"elapsed_time": seconds} for name, seconds in latencies.items()}}


def _span(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else round(max(0.0, end - begin), 4)


def _known(latencies: dict[str, float | None]) -> dict[str, float]:
    return {name: seconds for name, seconds in latencies.items() if seconds is not None}
