"""Chat whose server refuses, stalls or breaks off, and whose listener leaves."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from serve_app.conversation.agent import Prompt
from serve_app.errors import LanguageModelError
from serve_app.ports import Message, ModelRequest, Reasoning
from serve_app.providers.refusals import Hiccup, RequestRefused
from tests.fakes.groq_server import Behaviour, FakeGroq, Fault
from tests.providers.chat_calls import DIALOGUE, KEY, ask, chat_model, chunk, request, say
from tests.providers.groq_faults import TOLD, one_error


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        *TOLD,
        (Fault.MALFORMED, "something other than chat chunks"),
        (Fault.HALF_OPEN, "neither text nor a tool call within 0.2 s"),
        (Fault.STALL, "neither text nor a tool call within 0.2 s"),
        (Fault.STALL_MIDWAY, "neither text nor a tool call within 0.05 s"),
    ],
)
def test_a_fault_is_one_error_that_says_what_to_check(fake: FakeGroq, fault: Fault, message: str) -> None:
    fake.fault = fault
    with one_error(fake, LanguageModelError, message, secrets=(KEY, "123")):
        ask(fake.chat_url, first_token_s=0.2 if fault in (Fault.STALL, Fault.HALF_OPEN) else 5, gap_s=0.05)


@pytest.mark.parametrize("event", [5, "text", None, [1], {"error": {"message": f"bad key {KEY}"}}])
def test_an_event_that_is_no_chunk_ends_in_an_error(fake: FakeGroq, event: Any) -> None:
    fake.chunks = [event]
    with pytest.raises(LanguageModelError) as caught:
        ask(fake.chat_url)
    assert KEY not in str(caught.value)


def test_nobody_there_is_an_error(fake: FakeGroq) -> None:
    with pytest.raises(LanguageModelError, match="check the base URL"):
        ask("http://127.0.0.1:1/v1")


def test_the_text_before_a_stall_is_delivered(fake: FakeGroq) -> None:
    fake.fault = Fault.STALL_MIDWAY

    async def heard() -> list[str]:
        texts: list[str] = []
        async with chat_model(fake.chat_url, gap_s=0.05) as model:
            with pytest.raises(LanguageModelError):
                await say(model, "word " * 20, into=texts)
        return texts

    assert asyncio.run(heard())[:2] == ["You", " said"]
    assert fake.disconnected.wait(5)


def test_thoughts_do_not_prolong_the_wait_for_the_first_text(fake: FakeGroq) -> None:
    fake.fault = Fault.STALL_MIDWAY
    fake.chunks = [chunk({"index": 0, "delta": {"reasoning": "hm"}})] * 20
    with pytest.raises(LanguageModelError, match=r"within 0\.05 s"):
        ask(fake.chat_url, first_token_s=0.05, gap_s=60)


def test_an_agent_may_wait_longer_for_the_first_text_alone(fake: FakeGroq) -> None:
    fake.behaviours = {"chat": Behaviour(delay_s=0.3)}
    patient = ModelRequest(DIALOGUE, "en", Prompt(cascade_timeout_seconds=5))
    assert "".join(ask(fake.chat_url, patient, first_token_s=0.05)) == "You said my number is 123"
    with pytest.raises(LanguageModelError, match=r"within 0\.05 s"):
        ask(fake.chat_url, first_token_s=0.05)
    fake.behaviours = {"chat": Behaviour(Fault.STALL_MIDWAY)}
    with pytest.raises(LanguageModelError, match=r"within 0\.05 s"):
        ask(fake.chat_url, patient, gap_s=0.05)


def test_what_may_be_over_at_once_is_told_from_what_may_not(fake: FakeGroq) -> None:
    kinds = {
        Fault.SERVER_ERROR: Hiccup,
        Fault.EARLY_CLOSE: Hiccup,
        Fault.RESET: Hiccup,
        Fault.RATE_LIMIT: LanguageModelError,  # for seven seconds
        Fault.BAD_KEY: LanguageModelError,
    }
    for fault, kind in kinds.items():
        fake.fault = fault
        with pytest.raises(LanguageModelError) as error:
            ask(fake.chat_url)
        assert type(error.value) is kind
    fake.fault = None
    with pytest.raises(RequestRefused):
        ask(fake.chat_url, request(Message("tool", "of no call")))


def test_closing_the_iterator_hangs_up_at_once(fake: FakeGroq) -> None:
    fake.fault = Fault.STALL_MIDWAY

    async def hang_up_after_one_word() -> bool:
        async with chat_model(fake.chat_url) as model:
            async with aclosing(model.reply(request(Message("user", "word " * 20)))) as pieces:
                assert await anext(pieces) == Reasoning("They want an answer.")
                assert await anext(pieces) == "You"
            return await asyncio.to_thread(fake.disconnected.wait, 5)

    assert asyncio.run(hang_up_after_one_word())


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.STALL_MIDWAY])
def test_cancelling_the_listener_hangs_up_at_once(fake: FakeGroq, fault: Fault) -> None:
    fake.fault = fault

    async def cancel() -> bool:
        async with chat_model(fake.chat_url) as model:
            listener = asyncio.create_task(say(model, "hi"))
            await asyncio.to_thread(fake.stalling.wait, 5)
            listener.cancel()
            with pytest.raises(asyncio.CancelledError):  # and not our own error
                await listener
            return await asyncio.to_thread(fake.disconnected.wait, 5)

    assert asyncio.run(cancel())


def test_a_client_serves_on_after_a_fault(fake: FakeGroq) -> None:
    async def twice() -> str:
        async with chat_model(fake.chat_url, gap_s=0.05) as model:
            fake.fault = Fault.STALL_MIDWAY
            with pytest.raises(LanguageModelError):
                await say(model, "hi")
            fake.fault = None
            return await say(model, "hi")

    assert asyncio.run(twice()) == "You said hi"
