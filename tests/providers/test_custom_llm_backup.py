"""Which models are asked when the first one fails, and what becomes of them."""

import asyncio
from typing import Any

import pytest

from serve_app.conversation.agent import BackupLlm, CustomLlm, Prompt
from serve_app.conversation.breaker import OPENS_AT, State
from serve_app.errors import LanguageModelError
from serve_app.ports import Fallback, Message, ModelRequest
from serve_app.providers.chat import ChatModel
from serve_app.providers.custom_llm import MOST_BREAKERS, AgentModels
from serve_app.providers.offline_agent import OfflineAgent
from tests.fakes.groq_server import Behaviour, FakeGroq, Fault

HELLO = (Message("user", "hello"),)
DOWN = Behaviour(Fault.BAD_KEY)
STALLED = Behaviour(Fault.STALL)
STALLED_MIDWAY = Behaviour(Fault.STALL_MIDWAY)
WITHIN_S = 0.3


def models(fake: FakeGroq, *, backup: bool = True, **options: Any) -> AgentModels:
    def chat(model: str) -> ChatModel:
        return ChatModel(fake.chat_url, "gsk_secret", model, first_token_s=WITHIN_S, gap_s=WITHIN_S)

    return AgentModels(chat("big"), {}, backup=chat("small") if backup else None, **options)


def request(fake: FakeGroq, *, custom: bool = False, hurry: bool = False, **prompt: Any) -> ModelRequest:
    if custom:
        prompt["custom_llm"] = CustomLlm(url=f"{fake.url}/v1", model_id="theirs")
    return ModelRequest(HELLO, "en", Prompt(**prompt), hurry=hurry)


async def say(models: AgentModels, asked: ModelRequest) -> tuple[str, list[Fallback]]:
    pieces = [piece async for piece in models.reply(asked)]
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    return text, [piece for piece in pieces if isinstance(piece, Fallback)]


def ask(models: AgentModels, asked: ModelRequest) -> tuple[str, list[Fallback]]:
    async def answer() -> tuple[str, list[Fallback]]:
        try:
            return await say(models, asked)
        finally:
            await models.aclose()

    return asyncio.run(answer())


def asked(fake: FakeGroq) -> list[str]:
    return [received.model for received in fake.received]


ALL_DOWN = dict.fromkeys(("big", "small", "theirs", "x", "y"), DOWN)


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({}, ["big", "small"]),
        ({"hurry": True}, ["small", "big"]),
        ({"llm": "x"}, ["x", "big", "small"]),
        ({"llm": "x", "hurry": True}, ["x", "small", "big"]),
        ({"llm": "small"}, ["small", "big"]),
        ({"llm": "big"}, ["big", "small"]),
        ({"llm": "custom-llm"}, ["big", "small"]),
        ({"custom": True}, ["theirs", "big", "small"]),
        ({"custom": True, "llm": "custom-llm"}, ["theirs", "big", "small"]),
        ({"custom": True, "llm": "x"}, ["x", "big", "small"]),
        ({"backup_llm_config": BackupLlm("disabled")}, ["big"]),
        ({"backup_llm_config": BackupLlm("disabled"), "hurry": True}, ["big"]),
        ({"backup_llm_config": BackupLlm("disabled"), "llm": "x"}, ["x"]),
        ({"backup_llm_config": BackupLlm("disabled"), "custom": True}, ["theirs"]),
        ({"backup_llm_config": BackupLlm("override", ("x", "y"))}, ["big", "x", "y"]),
        ({"backup_llm_config": BackupLlm("override", ("small", "x")), "llm": "x"}, ["x", "small"]),
        ({"backup_llm_config": BackupLlm("override", ("x", "custom-llm")), "custom": True}, ["theirs", "x"]),
    ],
)
def test_who_is_asked_and_in_which_order(fake: FakeGroq, fields: dict[str, Any], order: list[str]) -> None:
    fake.behaviours = ALL_DOWN
    with pytest.raises(LanguageModelError) as error:
        ask(models(fake), request(fake, **fields))
    assert asked(fake) == order
    assert error.value.message.count("HTTP 401") == len(order)


def test_agents_own_endpoint_has_nobody_behind_it_where_the_server_has_no_model(fake: FakeGroq) -> None:
    fake.behaviours = {"theirs": DOWN}
    with pytest.raises(LanguageModelError, match="theirs answered HTTP 401"):
        ask(AgentModels(OfflineAgent(), {}), request(fake, custom=True))


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (DOWN, "big answered HTTP 401: check the API key"),
        (Behaviour(Fault.RATE_LIMIT), "big answered HTTP 429: the key's rate limit or quota is used up"),
        (Behaviour(Fault.SERVER_ERROR), "big answered HTTP 500: the provider is in trouble"),
        (Behaviour(Fault.MALFORMED), "big sent an error, or something other than chat chunks"),
        (STALLED, "big sent neither text nor a tool call within 0.3 s"),
        (Behaviour(Fault.HALF_OPEN), "big sent neither text nor a tool call within 0.3 s"),
    ],
)
def test_the_backup_answers_and_the_record_says_why(fake: FakeGroq, behaviour: Behaviour, why: str) -> None:
    fake.behaviours = {"big": behaviour}
    assert ask(models(fake), request(fake)) == ("You said hello", [Fallback("llm", "big", why, "small")])


@pytest.mark.parametrize("fault", [Fault.STALL_MIDWAY, Fault.EARLY_CLOSE, Fault.RESET])
def test_the_backup_goes_on_with_what_was_said(fake: FakeGroq, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "answer", lambda messages: "and on." if len(messages) > 1 else "So it goes " * 10)
    fake.behaviours = {"big": Behaviour(fault)}
    text, fallbacks = ask(models(fake), request(fake))
    assert (len(fallbacks), asked(fake)) == (1, ["big", "small"])
    begun = text.removesuffix(" and on.")
    assert begun != text
    if begun:  # a reset may overtake the words before it
        assert [message["role"] for message in fake.received[1].fields["messages"]] == ["user", "assistant", "system"]
        assert fake.received[1].fields["messages"][1]["content"] == begun.strip()


def test_a_connection_that_broke_is_made_anew_where_there_is_no_backup(fake: FakeGroq) -> None:
    async def turns() -> list[tuple[str, list[Fallback]]]:
        alone = models(fake, backup=False)
        answers = [await say(alone, request(fake))]
        await asyncio.to_thread(fake.stop)
        await asyncio.to_thread(fake.start)
        answers.append(await say(alone, request(fake)))
        await alone.aclose()
        return answers

    assert [text for text, _ in asyncio.run(turns())] == ["You said hello"] * 2


def test_nobody_there_is_an_error_that_is_quickly_told(fake: FakeGroq) -> None:
    nobody = AgentModels(ChatModel("http://127.0.0.1:1/v1", "k", "big"), {})
    with pytest.raises(LanguageModelError, match="big: no connection; check the base URL and the network"):
        ask(nobody, request(fake))


def test_a_model_that_keeps_failing_is_left_alone_by_all_agents(fake: FakeGroq) -> None:
    async def turns() -> list[str]:
        told: dict[str, State] = {}
        shared = models(fake, on_change=told.__setitem__)
        assert told == {"big": State.CLOSED, "small": State.CLOSED}
        for _ in range(OPENS_AT):
            await say(shared, request(fake))
        assert told == {"big": State.OPEN, "small": State.CLOSED}
        fake.received.clear()
        await say(shared, request(fake, llm="big"))
        await say(shared, request(fake, custom=True))
        await shared.aclose()
        return asked(fake)

    fake.behaviours = {"big": DOWN}
    assert asyncio.run(turns()) == ["small", "theirs"]


def test_an_endpoint_of_an_agents_own_has_a_breaker_of_its_own(fake: FakeGroq) -> None:
    async def turns() -> dict[str, State]:
        told: dict[str, State] = {}
        shared = models(fake, on_change=told.__setitem__)
        with FakeGroq() as elsewhere:
            for _ in range(OPENS_AT):
                elsewhere.fault = Fault.BAD_KEY
                await say(shared, request(elsewhere, custom=True))
        await shared.aclose()
        return told

    states = asyncio.run(turns())
    assert states == {"big": State.CLOSED, "small": State.CLOSED, "theirs at 127.0.0.1": State.OPEN}


def test_models_that_clients_make_up_fill_no_memory(fake: FakeGroq) -> None:
    async def turns() -> int:
        told: dict[str, State] = {}
        shared = models(fake, on_change=told.__setitem__)
        for number in range(MOST_BREAKERS + 20):
            await say(shared, request(fake, llm=f"model {number}"))
        await shared.aclose()
        return len(told)

    assert asyncio.run(turns()) == MOST_BREAKERS


def test_an_agent_may_wait_longer(fake: FakeGroq) -> None:
    fake.behaviours = {"big": Behaviour(delay_s=2 * WITHIN_S)}
    assert ask(models(fake), request(fake, cascade_timeout_seconds=5)) == ("You said hello", [])
    assert asked(fake) == ["big"]


def test_closing_the_answer_hangs_up_and_leaves_nothing(fake: FakeGroq) -> None:
    async def hang_up() -> bool:
        shared = models(fake)
        waiting = asyncio.create_task(say(shared, request(fake)))
        await asyncio.to_thread(fake.stalling.wait, 5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        left = await asyncio.to_thread(fake.disconnected.wait, 5)
        assert len(asyncio.all_tasks()) == 1
        await shared.aclose()
        return left

    fake.fault = Fault.STALL
    assert asyncio.run(hang_up())


def test_the_last_model_may_take_its_time(fake: FakeGroq) -> None:
    """The one before it is left after WITHIN_S."""
    fake.behaviours = {"big": STALLED, "small": Behaviour(delay_s=3 * WITHIN_S)}
    text, [fallback] = ask(models(fake), request(fake))
    assert (text, fallback.instead) == ("You said hello", "small")


def test_unless_the_agent_says_how_long(fake: FakeGroq) -> None:
    fake.behaviours = {"big": Behaviour(delay_s=2.5)}
    with pytest.raises(LanguageModelError, match="within 2 s"):
        ask(models(fake, backup=False), request(fake, cascade_timeout_seconds=2.0))
