"""Timestamps of a turn -> latencies, in seconds, under ElevenLabs' names. One definition each.

All stamps are of the session's one clock. "The caller stopped" is the last voiced sample, not when we noticed.

    convai_turn_silence_before_initiation  the caller stopped -> the turn was decided
    convai_asr_trailing_service_latency    the caller stopped -> the transcript was there (0: it was there already)
    convai_llm_service_ttfb                the model was asked -> its first token
    convai_llm_service_ttf_sentence        the model was asked -> the first clause worth speaking
    convai_llm_service_tt_last_sentence    the model was asked -> the answer was complete
    convai_tts_service_ttfb                the voice was asked -> its first audio
    convai_ttf_audio_since_silence         the caller stopped -> the first audio of the answer left (voice to voice)

Two are of our own:

    hello_vad_latency           a message with the caller's audio came -> the verdict on its frames: the worst, from
                                the onset of what they said until the turn was decided
    hello_interruption_latency  the caller's voice began over the agent's -> the first of that which left lowered

The model and the voice are asked before the turn is decided, so the stages overlap and do not add up.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

Level = Literal["target", "critical"]


class Stage(NamedTuple):
    """A part of a turn, by the latency that tells it. `target_ms` None: nothing is promised of it, as it depends on
    whose model it is."""

    name: str
    latency: str
    target_ms: float | None = None
    critical_ms: float | None = None


STAGES = (
    Stage("vad", "hello_vad_latency", 20, 30),
    Stage("stt", "convai_asr_trailing_service_latency", 150, 300),
    Stage("llm", "convai_llm_service_ttfb"),
    Stage("tts", "convai_tts_service_ttfb", 200, 300),
    Stage("interruption", "hello_interruption_latency", 80, 120),
    Stage("turn_transition", "convai_ttf_audio_since_silence", 300, 450),
)
"""The last one is the whole: what the caller waits for, from end to end."""


def breaches(latencies: Mapping[str, float]) -> Iterator[tuple[str, Level]]:
    """{name: seconds} of a turn -> each stage that took longer than its target, and the worst that it has missed."""
    for stage in STAGES:
        if stage.target_ms is None or stage.critical_ms is None or stage.latency not in latencies:
            continue
        took_ms = latencies[stage.latency] * 1000
        if took_ms > stage.target_ms:
            yield stage.name, "critical" if took_ms > stage.critical_ms else "target"


class TurnMetrics(msgspec.Struct):
    """Stamps (seconds); None: has not happened, or not in this turn (a typed message has no recognition).
    `audio_waited` is no stamp, but how long; `recognised_early`: the words were asked for before the silence was
    enough."""

    audio_waited: float | None = None
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
    talked_over: float | None = None
    lowered: float | None = None
    recognised_early: bool = False

    def heard(self, other: "TurnMetrics") -> None:
        """The caller's side of the turn is another's: the answer was begun before."""
        self.audio_waited, self.recognised_early = other.audio_waited, other.recognised_early
        self.caller_stopped, self.transcript, self.decided = other.caller_stopped, other.transcript, other.decided

    def talk_over(self, began: float) -> None:
        """The caller makes another sound while the answer is spoken."""
        self.talked_over, self.lowered = began, None

    def sounded(self, now: float) -> None:
        """Some of the voice has left, lowered if it is talked over."""
        if self.talked_over is not None and self.lowered is None:
            self.lowered = now

    def begun_early(self) -> list[str]:
        """What was asked for before the turn was decided, and served it."""
        thought = self.model_asked is not None and self.decided is not None and self.model_asked < self.decided
        return [stage for stage, early in (("stt", self.recognised_early), ("llm", thought)) if early]

    def user_turn(self) -> dict[str, float]:
        return _known(
            {
                "hello_vad_latency": None if self.audio_waited is None else round(self.audio_waited, 4),
                "convai_asr_trailing_service_latency": _span(self.caller_stopped, self.transcript),
            }
        )

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

    def interruption(self) -> dict[str, float]:
        return _known({"hello_interruption_latency": _span(self.talked_over, self.lowered)})


def wire(latencies: dict[str, float]) -> dict[str, dict[str, dict[str, float]]]:
    """{name: seconds} -> ElevenLabs' `conversation_turn_metrics`."""
    return {"metrics": {name: {"elapsed_time": seconds} for name, seconds in latencies.items()}}


def _span(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else round(max(0.0, end - begin), 4)


def _known(latencies: dict[str, float | None]) -> dict[str, float]:
    return {name: seconds for name, seconds in latencies.items() if seconds is not None}
