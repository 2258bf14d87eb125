import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.turn_metrics import STAGES, TurnMetrics, breaches, wire

MESSAGES = Path(__file__).parents[2] / "../shared/protocol/messages.json"

VOICE_TURN = TurnMetrics(
    audio_waited=0.0123,
    caller_stopped=10.0,
    recognised_early=True,
    transcript=10.12,
    decided=10.25,
    model_asked=10.13,
    first_token=10.3,
    first_clause=10.4,
    answer_complete=10.9,
    voice_asked=10.41,
    first_speech=10.5,
    first_audio=10.51,
)


def test_each_latency_has_its_own_span() -> None:
    assert VOICE_TURN.agent_turn() == {
        "convai_turn_silence_before_initiation": 0.25,
        "convai_turn_asr_latency": 0.12,
        "convai_llm_service_ttfb": 0.17,
        "convai_llm_service_ttf_sentence": 0.27,
        "convai_llm_service_tt_last_sentence": 0.77,
        "convai_tts_service_ttfb": 0.09,
        "convai_ttf_audio_since_silence": 0.51,
    }
    assert VOICE_TURN.user_turn() == {"hello_vad_latency": 0.0123, "convai_asr_trailing_service_latency": 0.12}


def test_what_did_not_happen_is_left_out() -> None:
    typed = TurnMetrics(caller_stopped=1.0, decided=1.0, model_asked=1.0, first_token=1.2)
    assert typed.user_turn() == {}
    assert typed.agent_turn() == {"convai_turn_silence_before_initiation": 0.0, "convai_llm_service_ttfb": 0.2}
    assert TurnMetrics().agent_turn() == {}


def test_a_transcript_that_was_there_before_the_caller_stopped_took_no_time() -> None:
    assert TurnMetrics(caller_stopped=2.0, transcript=1.9).user_turn() == {"convai_asr_trailing_service_latency": 0.0}


def test_the_wire_shape() -> None:
    assert wire({"convai_llm_service_ttfb": 0.21}) == {"metrics": {"convai_llm_service_ttfb": {"elapsed_time": 0.21}}}


def test_names_are_those_of_elevenlabs() -> None:
    if not MESSAGES.exists():
        pytest.skip("no recorded messages here")
    known = json.loads(MESSAGES.read_text())["conversation_turn_metrics"]
    assert VOICE_TURN.user_turn().keys() - {"hello_vad_latency"} <= set(known["user_turn"])
    assert VOICE_TURN.agent_turn().keys() <= set(known["agent_turn"])


# ---- sounds over the answer


def test_an_interruption_takes_until_the_first_lowered_sound() -> None:
    answer = TurnMetrics()
    answer.sounded(1.0)
    assert answer.interruption() == {}
    answer.talk_over(2.0)
    assert answer.interruption() == {}, "nothing has left since"
    answer.sounded(2.07)
    answer.sounded(2.11)
    assert answer.interruption() == {"hello_interruption_latency": 0.07}


def test_it_is_the_latest_sound_that_interrupts() -> None:
    answer = TurnMetrics()
    answer.talk_over(2.0)
    answer.sounded(2.07)
    answer.talk_over(5.0)
    answer.sounded(5.11)
    assert answer.interruption() == {"hello_interruption_latency": 0.11}


# ---- what was begun before the turn was decided


def test_what_was_begun_early() -> None:
    assert VOICE_TURN.begun_early() == ["stt", "llm"]
    assert TurnMetrics(decided=10.0, recognised_early=True, model_asked=10.0).begun_early() == ["stt"]
    assert TurnMetrics(decided=10.0, model_asked=10.0).begun_early() == []
    assert TurnMetrics(model_asked=10.0).begun_early() == []


def test_the_callers_side_of_a_turn_is_taken_over() -> None:
    answer = TurnMetrics(model_asked=10.13)
    answer.heard(VOICE_TURN)
    assert answer.user_turn() == VOICE_TURN.user_turn()
    assert answer.begun_early() == ["stt", "llm"]


# ---- targets


@pytest.mark.parametrize(
    ("latency", "seconds", "missed"),
    [
        ("hello_vad_latency", 0.02, []),
        ("hello_vad_latency", 0.021, [("vad", "target")]),
        ("hello_vad_latency", 0.03, [("vad", "target")]),
        ("hello_vad_latency", 0.031, [("vad", "critical")]),
        ("convai_asr_trailing_service_latency", 0.15, []),
        ("convai_asr_trailing_service_latency", 0.151, [("stt", "target")]),
        ("convai_asr_trailing_service_latency", 0.301, [("stt", "critical")]),
        ("convai_tts_service_ttfb", 0.2, []),
        ("convai_tts_service_ttfb", 0.201, [("tts", "target")]),
        ("convai_tts_service_ttfb", 0.301, [("tts", "critical")]),
        ("hello_interruption_latency", 0.08, []),
        ("hello_interruption_latency", 0.081, [("interruption", "target")]),
        ("hello_interruption_latency", 0.121, [("interruption", "critical")]),
        ("convai_ttf_audio_since_silence", 0.3, []),
        ("convai_ttf_audio_since_silence", 0.301, [("turn_transition", "target")]),
        ("convai_ttf_audio_since_silence", 0.451, [("turn_transition", "critical")]),
        ("convai_llm_service_ttfb", 60.0, []),
    ],
)
def test_a_stage_breaches_its_target_or_worse(latency: str, seconds: float, missed: list[tuple[str, str]]) -> None:
    assert list(breaches({latency: seconds})) == missed


@given(st.dictionaries(st.sampled_from([stage.latency for stage in STAGES]), st.floats(0, 60)))
def test_a_stage_breaches_once_and_only_if_it_was_measured(latencies: dict[str, float]) -> None:
    missed = [name for name, _ in breaches(latencies)]
    measured = [stage.name for stage in STAGES if stage.latency in latencies]
    assert [name for name in measured if name in missed] == missed


def test_every_stage_is_measured_in_some_part_of_a_turn() -> None:
    answer = TurnMetrics(talked_over=11.0, lowered=11.06)
    recorded = {**VOICE_TURN.user_turn(), **VOICE_TURN.agent_turn(), **answer.interruption()}
    assert {stage.latency for stage in STAGES} <= recorded.keys()
