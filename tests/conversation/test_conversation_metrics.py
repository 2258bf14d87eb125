"""Calls, and the latencies that their records hold."""

from typing import Any

import pytest

from serve_app.conversation.playback import CHUNK_S
from serve_app.conversation.speculation import Speculation
from tests.conversation.score import Call, agent

LONG = "Uma frase comprida que ainda vai durar um bom tempo."
LOWERED_WITHIN_S = 0.080 + CHUNK_S


def metrics(call: Call, kind: str) -> list[Any]:
    return [entry["metrics"] for entry in call.log(kind)]


def test_the_wait_for_a_verdict_is_the_worst_of_the_turn() -> None:
    call = Call()
    call.waited_s = 0.5
    call.silence(1)
    call.waited_s = 0.004
    call.says("quero")
    call.waited_s = 0.025
    call.says("um")
    call.waited_s = 0.003
    call.says("café")
    call.silence(4)
    call.says("obrigado")
    call.silence(2)
    assert [turn["hello_vad_latency"] for turn in metrics(call, "user_turn")] == [0.025, 0.003]


def test_what_is_typed_waits_for_no_verdict() -> None:
    call = Call()
    call.types("quero um café")
    call.silence(1)
    assert metrics(call, "user_turn") == [{}]


def test_an_interruption_tells_how_soon_the_voice_was_lowered() -> None:
    call = Call(agent(LONG))
    call.silence(1)
    call.says("espera um pouco")
    call.silence(2)
    [interruption] = metrics(call, "interruption")
    assert 0.0 < interruption["hello_interruption_latency"] <= LOWERED_WITHIN_S


def test_in_lumps_the_voice_is_lowered_as_much_later() -> None:
    call = Call(agent(LONG), lump_s=0.2)
    call.silence(1)
    call.says("espera um pouco")
    call.silence(2)
    [interruption] = metrics(call, "interruption")
    assert 0.0 < interruption["hello_interruption_latency"] <= LOWERED_WITHIN_S + 0.2


def test_words_that_interrupt_after_the_voice_had_swelled_count_from_when_it_was_lowered() -> None:
    call = Call(agent(f"{LONG} {LONG}"))
    call.silence(1)
    call.says("espera", seconds=0.24)
    call.silence(3)
    assert call.outline().count("interruption") == 1
    [interruption] = metrics(call, "interruption")
    assert 0.0 < interruption["hello_interruption_latency"] <= LOWERED_WITHIN_S


@pytest.mark.parametrize(
    ("speculation", "kept"),
    [
        (Speculation.OFF, []),
        (Speculation.STT, ["stt"]),
        (Speculation.LLM, ["stt", "llm"]),
        (Speculation.TTS, ["stt", "llm"]),
    ],
)
def test_what_was_begun_early_and_used_is_recorded(speculation: Speculation, kept: list[str]) -> None:
    call = Call(speculation=speculation)
    call.silence(1)
    call.says("quero um café")
    call.silence(4)
    assert [entry["stage"] for entry in call.log("kept")] == kept
    assert not call.log("discarded")


def test_what_was_begun_in_vain_is_not_kept() -> None:
    call = Call()
    call.silence(1)
    call.says("quero um café")
    call.silence(0.24)
    call.says("com leite", seconds=0.6)
    call.silence(4)
    assert [entry["stage"] for entry in call.log("discarded")] == ["stt", "llm"]
    assert [entry["stage"] for entry in call.log("kept")] == ["stt", "llm"]
