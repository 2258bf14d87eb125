"""Calls in which work is begun before the turn is decided: what is kept of it, and what it costs."""

import pytest

from serve_app.conversation.recognition import OVERHEAR_EVERY
from serve_app.conversation.server_messages import Audio, TentativeUserTranscript, UserTranscript
from serve_app.conversation.speculation import Ration, Speculation
from tests.conversation.score import RATE, Call, agent, conversation_of

DECIDED_S = 0.26
"""After the last word, in frames."""


def a_turn(speculation: Speculation) -> tuple[Call, float]:
    call = Call(speculation=speculation)
    call.silence(1)
    call.says("quero um café")
    stopped = call.now
    call.silence(0.24)
    return call, stopped


@pytest.mark.parametrize(
    ("speculation", "recognised", "thought", "spoken"),
    [
        (Speculation.OFF, 0, 0, 0),
        (Speculation.STT, 1, 0, 0),
        (Speculation.LLM, 1, 1, 0),
        (Speculation.TTS, 1, 1, 1),
    ],
)
def test_what_is_begun_before_the_turn_is_decided(
    speculation: Speculation, recognised: int, thought: int, spoken: int
) -> None:
    call, _ = a_turn(speculation)
    assert (len(call.recognised), len(call.thought), len(call.spoken)) == (recognised, thought, spoken)
    assert not call.messages(UserTranscript)
    assert not call.messages(Audio)
    call.silence(3)
    assert call.outline()[1:] == ["user: quero um café", "agent: Você disse quero um café.", "audio"]


def test_each_step_is_quicker_than_the_one_before() -> None:
    firsts = []
    for speculation in Speculation:
        call, stopped = a_turn(speculation)
        call.silence(3)
        firsts.append(call.times(Audio)[0] - stopped)
    assert firsts == sorted(firsts, reverse=True)
    assert firsts[-1] < firsts[0] - 0.15


def pause(after: str, then: str = "") -> Call:
    """The caller pauses for long enough that an answer is begun, then goes on."""
    call = Call()
    call.silence(1)
    call.says(after)
    call.silence(0.24)
    assert call.thought
    call.says(then, seconds=0.4)
    call.silence(3)
    return call


def test_who_goes_on_gets_an_answer_to_all_of_it() -> None:
    call = pause("quero um café", "com leite")
    assert call.outline()[1:] == [
        "user: quero um café com leite",
        "agent: Você disse quero um café com leite.",
        "audio",
    ]
    assert [message.content for message in conversation_of(call) if message.role == "assistant"] == []
    assert len(call.thought) == 2


def test_who_only_coughs_gets_the_answer_that_was_begun() -> None:
    call = pause("quero um café")
    assert call.outline()[1:] == ["user: quero um café", "agent: Você disse quero um café.", "audio"]
    assert len(call.thought) == 1
    assert len(call.recognised) == 2
    assert not [entry for entry in call.log("discarded") if entry["stage"] == "llm"]


@pytest.mark.parametrize("recogniser_s", [0.05, 0.4])
def test_the_latencies_of_an_answer_that_was_kept_are_all_there(recogniser_s: float) -> None:
    """The second time its words come before the turn is decided, or after."""
    call = Call()
    call.silence(1)
    call.says("quero um café")
    call.silence(0.24)
    call.recogniser_s = recogniser_s
    call.says("", seconds=0.2)
    call.silence(3)
    metrics = call.log("agent_turn")[0]["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["convai_ttf_audio_since_silence"] == pytest.approx(0.36 + max(0.0, recogniser_s - 0.3), abs=0.05)


def test_what_is_thrown_away_is_counted() -> None:
    call = pause("quero um café", "com leite")
    assert [entry["stage"] for entry in call.log("discarded")] == ["stt", "llm"]
    [_, model] = call.log("discarded")
    assert model["requests"] == 1
    assert model["tokens"] == len(["Você", "disse", "quero", "um", "café."])
    assert model["characters"] == len("Você disse quero um café.")


def test_the_history_never_holds_an_answer_that_was_thrown_away() -> None:
    call = pause("quero um café", "com leite")
    call.says("obrigado")
    call.silence(3)
    assert [message.content for message in conversation_of(call)] == [
        "quero um café com leite",
        "Você disse quero um café com leite.",
        "obrigado",
    ]


def test_a_typed_message_is_not_answered_with_what_was_begun_for_a_spoken_one() -> None:
    call = Call()
    call.silence(1)
    call.says("quero um café")
    call.silence(0.24)
    call.says("", seconds=0.1)
    call.types("oi")
    call.silence(3)
    assert call.outline()[1:] == ["user: oi", "agent: Você disse oi.", "audio"]


# ---- while the caller speaks


def listened(ration: Ration | None = None, events: tuple[str, ...] = ("tentative_user_transcript",)) -> Call:
    call = Call(agent(events=events), ration=ration)
    call.silence(1)
    call.says("um dois três quatro cinco seis sete oito nove dez")
    return call


def test_what_the_caller_says_is_shown_while_they_speak() -> None:
    call = listened()
    shown = [m.user_transcript for m in call.messages(TentativeUserTranscript)]
    assert shown == ["um dois três", "um dois três quatro cinco seis"]
    assert all(look.end - look.start >= OVERHEAR_EVERY for look in call.looked)
    call.silence(0.24)
    call.says("onze")
    call.silence(2)
    assert call.messages(TentativeUserTranscript)[-1].user_transcript.endswith("dez onze")


def test_nobody_is_asked_for_what_the_client_does_not_want() -> None:
    assert listened(events=("audio",)).looked == []


def test_it_keeps_to_its_ration() -> None:
    call = listened(Ration(1, 600))
    assert len(call.looked) == 1
    call.silence(0.24)
    assert call.recognised == [], "what is early goes by the same ration"
    call.silence(2)
    assert len(call.recognised) == 1


def test_two_looks_cost_ten_billed_seconds_each() -> None:
    assert len(listened(Ration(600, 19)).looked) == 1


def test_audio_is_counted_at_16_khz() -> None:
    assert OVERHEAR_EVERY == RATE
