"""Who is asked, when, and whose answer counts. In virtual time."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.breaker import Breaker
from serve_app.errors import TranscriptionError
from serve_app.ports import Fallback, Transcript
from serve_app.providers.hedged_transcriber import (
    FEWEST,
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    MOST,
    SHORTEST_DELAY_S,
    HedgedTranscriber,
)
from tests import virtual_time
from tests.providers.ears import REFUSED, Ear, groq, hear, local


def once(primary: Ear, second: Ear) -> tuple[Transcript, float]:
    return virtual_time.run(hear(HedgedTranscriber(primary, second, Breaker("Groq"))))


def fallback(why: str) -> Fallback:
    return Fallback("stt", "Groq", why, "local Whisper")


def test_an_answer_in_time_is_the_only_one_asked_for() -> None:
    primary, second = groq(0.4), local()
    assert once(primary, second) == (Transcript("from Groq", "pt", 0.9), 0.4)
    assert primary.asked == [(b"pcm", "pt", ("Pix",))]
    assert second.asked == []


def test_a_late_one_is_not_waited_for() -> None:
    primary, second = groq(1.5), local(0.2)
    heard, seconds = once(primary, second)
    assert (heard.text, seconds) == ("from here", 0.7)
    assert heard.fallbacks == (fallback("late: no answer within 0.70 s"),)
    assert second.asked == [(b"pcm", "pt", ("Pix",))]


def test_it_still_counts_if_it_is_first() -> None:
    second = local(0.5)
    assert once(groq(0.8), second) == (Transcript("from Groq", "pt", 0.9), 0.8)
    assert (second.now, second.cancelled) == (0, 1)


@pytest.mark.parametrize(("text", "confidence"), [("mumble", 0.3), ("", 0.0)])
def test_what_the_primary_says_is_final(text: str, confidence: float) -> None:
    assert once(groq(0.4, text, confidence), local())[0].text == text
    assert once(groq(0.8, text, confidence), local(1.0))[0].text == text


@pytest.mark.parametrize(("text", "confidence"), [("mumble", 0.59), ("", 0.0)])
def test_what_the_local_one_is_not_sure_of_waits(text: str, confidence: float) -> None:
    heard, seconds = once(groq(1.5), local(0.1, text, confidence))
    assert (heard.text, heard.fallbacks, seconds) == ("from Groq", (), 1.5)


@pytest.mark.parametrize(("text", "confidence"), [("mumble", 0.3), ("", 0.0)])
def test_and_is_all_there_is_when_the_primary_fails(text: str, confidence: float) -> None:
    heard, seconds = once(groq(1.5, error=REFUSED), local(0.1, text, confidence))
    assert (heard.text, heard.confidence, seconds) == (text, confidence, 1.5)
    assert heard.fallbacks == (fallback("Groq answered HTTP 500"),)


def test_a_failure_is_made_up_for_at_once() -> None:
    heard, seconds = once(groq(0.05, error=REFUSED), local(0.2, confidence=0.3))
    assert (heard.text, heard.confidence, seconds) == ("from here", 0.3, 0.25)
    assert heard.fallbacks == (fallback("Groq answered HTTP 500"),)


def test_a_failure_while_both_are_asked_is_told() -> None:
    heard, seconds = once(groq(0.6, error=REFUSED), local(0.5))
    assert (heard.text, seconds) == ("from here", 1.0)
    assert heard.fallbacks == (fallback("Groq answered HTTP 500"),)


@pytest.mark.parametrize("delay_s", [0.1, 1.0])
def test_a_local_failure_leaves_the_primary(delay_s: float) -> None:
    crashed = local(0.1, error=TranscriptionError("the replica failed"))
    heard, seconds = once(groq(delay_s), crashed)
    assert (heard.text, heard.fallbacks, seconds) == ("from Groq", (), delay_s)


@pytest.mark.parametrize(("groq_s", "local_s"), [(0.1, 0.1), (0.9, 0.1), (0.6, 0.5)])
def test_when_both_fail_both_reasons_are_told(groq_s: float, local_s: float) -> None:
    crashed = local(local_s, error=TranscriptionError("the replica failed"))
    with pytest.raises(TranscriptionError, match=r"^Groq answered HTTP 500; local Whisper: the replica failed$"):
        once(groq(groq_s, error=REFUSED), crashed)


def test_a_bug_is_not_taken_for_a_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        once(groq(0.1, error=ZeroDivisionError()), local())


# ---- how long it is waited for


def delay_after(latencies: Sequence[float], percentile: float = 0.95) -> float:
    async def learn() -> float:
        ear = groq(0.0)
        hedged = HedgedTranscriber(ear, local(), Breaker("Groq"), percentile=percentile)
        for ear.delay_s in latencies:
            await hear(hedged)
            await asyncio.sleep(3)
        return hedged.delay_s

    return virtual_time.run(learn())


def test_at_first_nothing_is_known() -> None:
    assert delay_after([0.05] * (FEWEST - 1)) == FIRST_DELAY_S
    assert delay_after([0.4] * FEWEST) == pytest.approx(0.4)


def test_the_percentile_is_of_all_answers_also_of_those_that_came_too_late() -> None:
    usual = [0.4] * 90 + [1.5] * 10
    assert delay_after(usual) == LONGEST_DELAY_S
    assert delay_after(usual, percentile=0.9) == pytest.approx(0.4)


def test_old_latencies_are_forgotten() -> None:
    assert delay_after([0.7] * MOST + [0.4] * MOST) == pytest.approx(0.4)


def test_the_percentile_can_be_changed() -> None:
    async def change() -> list[float]:
        ear = groq(0.0)
        hedged = HedgedTranscriber(ear, local(), Breaker("Groq"))
        for ear.delay_s in [0.35, 0.45] * 10:
            await hear(hedged)
        delays = [hedged.delay_s]
        hedged.percentile = 0.5
        return [*delays, hedged.delay_s]

    assert virtual_time.run(change()) == pytest.approx([0.45, 0.35])


@given(st.lists(st.floats(0, 3), max_size=30), st.floats(0.01, 1))
def test_the_wait_is_never_long_and_never_none(latencies: list[float], percentile: float) -> None:
    assert SHORTEST_DELAY_S <= delay_after(latencies, percentile) <= LONGEST_DELAY_S
