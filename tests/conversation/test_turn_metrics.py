import json
from pathlib import Path

import pytest

from serve_app.conversation.turn_metrics import TurnMetrics, wire

MESSAGES = Path(__file__).parents[2] / "../shared/protocol/messages.json"

VOICE_TURN = TurnMetrics(
    caller_stopped=10.0,
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
    assert VOICE_TURN.user_turn() == {"convai_asr_trailing_service_latency": 0.12}


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
    assert VOICE_TURN.user_turn().keys() <= set(known["user_turn"])
    assert VOICE_TURN.agent_turn().keys() <= set(known["agent_turn"])
