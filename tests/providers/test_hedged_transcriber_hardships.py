"""Hedging when a recogniser stays away, is not needed any more, or comes back."""

import asyncio

import pytest

from serve_app.conversation.breaker import OPENS_AT, PROBE_AFTER_S, Breaker, State
from serve_app.errors import TranscriptionError
from serve_app.ports import Transcript
from serve_app.providers.groq_stt import GroqTranscriber
from serve_app.providers.hedged_transcriber import FORGOTTEN_S, HedgedTranscriber
from tests import virtual_time
from tests.fakes.groq_server import FakeGroq, Fault
from tests.providers.ears import REFUSED, Ear, groq, hear, local, opened

STALLED_S = 2.0


# ---- the breaker


def test_an_open_breaker_leaves_the_local_one_alone_with_it() -> None:
    async def turns() -> list[tuple[str, float]]:
        primary = groq(0.0, error=REFUSED)
        hedged = HedgedTranscriber(primary, local(0.2), Breaker("Groq"))
        heard = [await hear(hedged) for _ in range(OPENS_AT + 1)]
        assert len(primary.asked) == OPENS_AT
        return [(transcript.fallbacks[0].why, seconds) for transcript, seconds in heard]

    *asked, alone = virtual_time.run(turns())
    assert asked == [("Groq answered HTTP 500", 0.2)] * OPENS_AT
    assert alone == ("it has failed several times in a row, and is left alone for now", 0.2)


def test_when_it_is_open_and_the_local_one_fails_both_are_named() -> None:
    async def turn() -> None:
        breaker = Breaker("Groq")
        for _ in range(OPENS_AT):
            breaker.failed(0.0)
        await hear(HedgedTranscriber(groq(0.1), local(error=TranscriptionError("the replica failed")), breaker))

    with pytest.raises(TranscriptionError, match="left alone for now; local Whisper: the replica failed"):
        virtual_time.run(turn())


def test_a_probe_makes_no_caller_wait_for_long_and_is_heard_out() -> None:
    async def turns() -> tuple[tuple[Transcript, float], tuple[Transcript, float]]:
        breaker = opened()
        hedged = HedgedTranscriber(groq(0.5), local(0.1), breaker)
        probing = await hear(hedged)
        assert breaker.state is State.HALF_OPEN
        await asyncio.sleep(0.3)
        assert breaker.state is State.CLOSED
        return probing, await hear(hedged)

    probing, then = virtual_time.run(turns())
    assert (probing[0].text, probing[1]) == ("from here", 0.4)
    assert (then[0].text, then[1]) == ("from Groq", 0.5)


def test_a_probe_that_is_first_is_the_answer() -> None:
    heard, seconds = virtual_time.run(hear(HedgedTranscriber(groq(0.1), local(0.2), opened())))
    assert (heard.text, heard.fallbacks, seconds) == ("from Groq", (), 0.1)


def test_a_service_that_hangs_opens_the_breaker() -> None:
    """From then on nobody waits for it, but a probe now and then, and that for less."""

    async def turns() -> list[float]:
        hanging = groq(STALLED_S, error=TranscriptionError("Groq transcribed nothing within 2 s"))
        hedged = HedgedTranscriber(hanging, local(0.2), Breaker("Groq"))
        seconds = []
        for _ in range(6):
            seconds.append((await hear(hedged))[1])
            await asyncio.sleep(STALLED_S)
        assert hanging.now <= 1
        await hedged.aclose()
        return seconds

    assert virtual_time.run(turns()) == [0.7, 0.7, 0.7, 0.2, 0.5, 0.2]


# ---- while the caller is still speaking


def overhear(primary: Ear, second: Ear, breaker: Breaker) -> tuple[Transcript, float]:
    return virtual_time.run(hear(HedgedTranscriber(primary, second, breaker), tentative=True))


def test_what_is_tentative_is_asked_once_however_late() -> None:
    primary, second = groq(1.5), local()
    assert overhear(primary, second, Breaker("Groq")) == (Transcript("from Groq", "pt", 0.9), 1.5)
    assert (primary.tentative, second.asked) == (True, [])


def test_and_not_again_when_it_fails() -> None:
    second, breaker = local(), Breaker("Groq")
    for _ in range(OPENS_AT):
        with pytest.raises(TranscriptionError, match="HTTP 500"):
            overhear(groq(0.1, error=REFUSED), second, breaker)
    assert (second.asked, breaker.state) == ([], State.OPEN)


def test_then_the_local_one_hears_it() -> None:
    second, breaker = local(0.2), opened()
    breaker.admits(0.0)  # somebody else's probe is under way
    heard, seconds = overhear(groq(0.1), second, breaker)
    assert (heard.text, seconds, second.tentative) == ("from here", 0.2, True)


def test_it_may_be_the_probe() -> None:
    breaker = opened()
    assert overhear(groq(0.1), local(), breaker)[0].text == "from Groq"
    assert breaker.state is State.CLOSED


# ---- while the local one is asleep: asking starts it, which takes long and costs


def asleep(delay_s: float = 8.0) -> Ear:
    ear = local(delay_s)
    ear.asleep = True
    return ear


def test_a_late_answer_does_not_wake_it() -> None:
    second = asleep()
    heard, seconds = virtual_time.run(hear(HedgedTranscriber(groq(1.5), second, Breaker("Groq"))))
    assert (heard.text, seconds, second.asked) == ("from Groq", 1.5, [])


@pytest.mark.parametrize("groq_s", [0.1, 1.5])
def test_a_failure_does_and_is_waited_for(groq_s: float) -> None:
    heard, seconds = virtual_time.run(hear(HedgedTranscriber(groq(groq_s, error=REFUSED), asleep(), Breaker("Groq"))))
    assert (heard.text, seconds) == ("from here", groq_s + 8)
    assert [each.why for each in heard.fallbacks] == ["Groq answered HTTP 500"]


def test_so_does_a_provider_that_is_left_alone_or_being_tried() -> None:
    breaker = opened()
    breaker.admits(0.0)  # somebody else's probe is under way
    assert virtual_time.run(hear(HedgedTranscriber(groq(0.1), asleep(), breaker)))[0].text == "from here"
    second = asleep(0.1)
    heard, seconds = virtual_time.run(hear(HedgedTranscriber(groq(1.5), second, opened())))
    assert (heard.text, seconds) == ("from here", 0.4)


def test_what_is_tentative_never_does() -> None:
    second, breaker = asleep(), opened()
    breaker.admits(0.0)
    with pytest.raises(TranscriptionError, match="left alone for now; local Whisper is asleep"):
        overhear(groq(0.1), second, breaker)
    assert second.asked == []


def test_that_the_primary_fails_is_told_until_nobody_wants_it_any_more() -> None:
    async def outage() -> list[bool]:
        primary = groq(0.1, error=REFUSED)
        hedged = HedgedTranscriber(primary, local(), Breaker("Groq"))
        told = []
        for _ in range(OPENS_AT):
            told.append(hedged.fails)
            await hear(hedged)
        told.append(hedged.fails)
        await asyncio.sleep(FORGOTTEN_S)
        told.append(hedged.fails)
        await hear(hedged)  # a probe
        told.append(hedged.fails)
        primary.error = None
        await asyncio.sleep(PROBE_AFTER_S)
        await hear(hedged)
        return [*told, hedged.fails]

    assert virtual_time.run(outage()) == [False, False, False, True, False, True, False]


# ---- nothing is left behind


@pytest.mark.parametrize("after_s", [0.35, 0.6])
def test_cancelling_cancels_both(after_s: float) -> None:
    async def cancel() -> None:
        primary, second, breaker = groq(1.0), local(1.0), opened() if after_s < 0.5 else Breaker("Groq")
        hearing = asyncio.create_task(hear(HedgedTranscriber(primary, second, breaker)))
        await asyncio.sleep(after_s)
        assert primary.now + second.now == 2
        hearing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hearing
        assert (primary.now, second.now) == (0, 0)
        assert len(asyncio.all_tasks()) == 1
        assert breaker.admits(asyncio.get_running_loop().time()), "abandoned, and no failure"

    virtual_time.run(cancel())


def test_closing_ends_what_is_still_heard_out() -> None:
    async def close() -> None:
        primary = groq(5.0)
        hedged = HedgedTranscriber(primary, local(), Breaker("Groq"))
        await hear(hedged)
        assert primary.now == 1
        await hedged.aclose()
        assert (primary.now, primary.cancelled, primary.closed) == (0, 1, True)
        assert len(asyncio.all_tasks()) == 1

    virtual_time.run(close())


def test_many_utterances_at_once_leave_no_task() -> None:
    async def crowd() -> None:
        hedged = HedgedTranscriber(groq(1.2), local(0.3), Breaker("Groq"))
        heard = await asyncio.gather(*(hear(hedged) for _ in range(50)))
        assert {transcript.text for transcript, _ in heard} == {"from here"}
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) == 1

    virtual_time.run(crowd())


# ---- a server that fails, then heals


@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_groq_does_words_are_heard_and_it_is_used_again(fault: Fault) -> None:
    async def turns(fake: FakeGroq) -> list[Transcript]:
        transcriber, second = GroqTranscriber("gsk_secret", fake.url, budget_s=0.7), local(0.01)
        hedged = HedgedTranscriber(transcriber, second, Breaker("Groq"))
        try:
            fake.fault = fault
            failed = await hedged.transcribe(b"\1\0" * 8000, language="en")
            fake.fault, second.delay_s = None, 5
            return [failed, await hedged.transcribe(b"\1\0" * 8000, language="en")]
        finally:
            await hedged.aclose()
            await transcriber.aclose()

    with FakeGroq(hear=lambda pcm: "from Groq") as fake:
        failed, healed = asyncio.run(turns(fake))
    assert failed.text == "from here"
    assert [each.instead for each in failed.fallbacks] == ["local Whisper"]
    assert "gsk_secret" not in failed.fallbacks[0].why
    assert (healed.text, healed.fallbacks) == ("from Groq", ())


def test_a_server_that_is_gone_is_made_up_for() -> None:
    async def turns(fake: FakeGroq) -> list[str]:
        transcriber = GroqTranscriber("gsk_secret", fake.url)
        hedged = HedgedTranscriber(transcriber, local(1), Breaker("Groq"))
        heard = [await hedged.transcribe(b"\1\0" * 8000, language="en")]
        await asyncio.to_thread(fake.stop)
        heard.append(await hedged.transcribe(b"\1\0" * 8000, language="en"))
        await asyncio.to_thread(fake.start)
        heard.append(await hedged.transcribe(b"\1\0" * 8000, language="en"))
        await transcriber.aclose()
        return [transcript.text for transcript in heard]

    with FakeGroq(hear=lambda pcm: "from Groq") as fake:
        assert asyncio.run(turns(fake)) == ["from Groq", "from here", "from Groq"]
