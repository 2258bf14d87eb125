"""Streaming chat against a server that speaks the wire, and breaks it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from serve_app.conversation.agent import Prompt
from serve_app.errors import LanguageModelError
from serve_app.ports import Message, ModelRequest, Reasoning, ToolCall
from serve_app.providers.chat import ChatModel
from tests.fakes.groq_server import FakeGroq, Fault

KEY = "gsk_secret"
DIALOGUE = (Message("system", "Be brief."), Message("user", "my number is 123"))


@pytest.fixture(scope="module")
def server() -> Iterator[FakeGroq]:
    with FakeGroq() as server:
        yield server


@pytest.fixture
def fake(server: FakeGroq) -> FakeGroq:
    server.reset()
    return server


@asynccontextmanager
async def chat_model(base_url: str, *, first_token_s: float = 5, gap_s: float = 5) -> AsyncIterator[ChatModel]:
    model = ChatModel(base_url, KEY, "llama-3.3-70b-versatile", first_token_s=first_token_s, gap_s=gap_s)
    try:
        yield model
    finally:
        await model.aclose()


def request(*messages: Message) -> ModelRequest:
    return ModelRequest(messages or DIALOGUE, "en")


def pieces(base_url: str, asked: ModelRequest, **budgets: float) -> list[str | ToolCall | Reasoning]:
    async def answer() -> list[str | ToolCall | Reasoning]:
        async with chat_model(base_url, **budgets) as model:
            return [piece async for piece in model.reply(asked)]

    return asyncio.run(answer())


def ask(base_url: str, asked: ModelRequest | None = None, **budgets: float) -> list[str]:
    """The text of the answer."""
    return [piece for piece in pieces(base_url, asked or request(), **budgets) if isinstance(piece, str)]


async def say(model: ChatModel, words: str, into: list[str] | None = None) -> str:
    """Ask one thing, and hear the answer out; `into` keeps what came before an error."""
    texts = [] if into is None else into
    async for piece in model.reply(request(Message("user", words))):
        if isinstance(piece, str):
            texts.append(piece)
    return "".join(texts)


def chunk(*choices: Any, **extra: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": list(choices)} | extra


def saying(content: Any) -> dict[str, Any]:
    return {"index": 0, "delta": {"content": content}, "finish_reason": None}


def test_streams_thoughts_and_text(fake: FakeGroq) -> None:
    words = ["You", " said", " my", " number", " is", " 123"]
    assert pieces(fake.chat_url, request()) == [Reasoning("They want an answer."), *words]


@pytest.mark.parametrize(
    ("delta", "thought"),
    [
        ({"reasoning": "hm"}, "hm"),
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm", "reasoning_content": "hm"}, "hm"),
        ({"reasoning": None, "reasoning_content": "hm \ud83d"}, "hm \ufffd"),
    ],
)
def test_knows_both_names_of_thoughts(fake: FakeGroq, delta: dict[str, Any], thought: str) -> None:
    fake.chunks = [chunk({"index": 0, "delta": delta}), chunk(saying("one"))]
    assert pieces(fake.chat_url, request()) == [Reasoning(thought), "one"]


def test_serves_an_endpoint_without_groqs_prefix(fake: FakeGroq) -> None:
    assert "".join(ask(f"{fake.url}/v1")) == "You said my number is 123"
    assert fake.received[0].path == "/v1/chat/completions"


def test_sends_the_dialogue_the_model_and_the_key(fake: FakeGroq) -> None:
    ask(fake.chat_url)
    [received] = fake.received
    assert received.authorization == f"Bearer {KEY}"
    assert received.fields == {
        "model": "llama-3.3-70b-versatile",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "my number is 123"}],
        "max_completion_tokens": 1024,
        "stream": True,
    }


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        (Prompt(llm="custom-llm"), {"model": "llama-3.3-70b-versatile"}),
        (Prompt(llm="openai/gpt-oss-120b"), {"model": "openai/gpt-oss-120b", "reasoning_effort": "low"}),
        (Prompt(llm="gpt-oss-20b", reasoning_effort="high"), {"model": "gpt-oss-20b", "reasoning_effort": "high"}),
        (Prompt(reasoning_effort="none"), {"reasoning_effort": "none"}),
        (Prompt(temperature=0.0), {"temperature": 0.0}),
        (Prompt(max_tokens=50), {"max_completion_tokens": 50}),
        (Prompt(max_tokens=0), {"max_completion_tokens": 1024}),
        (Prompt(enable_parallel_tool_calls=True), {}),  # there are no tools
    ],
)
def test_sends_what_the_agent_sets(fake: FakeGroq, prompt: Prompt, sent: dict[str, Any]) -> None:
    ask(fake.chat_url, ModelRequest(DIALOGUE, "en", prompt))
    usual = {"model": "llama-3.3-70b-versatile", "max_completion_tokens": 1024, "stream": True}
    [received] = fake.received
    assert {**received.fields, "messages": None} == {**usual, **sent, "messages": None}


def test_the_servers_own_model_never_gets_a_clients_extra_body(fake: FakeGroq) -> None:
    ask(fake.chat_url, ModelRequest(DIALOGUE, "en", extra_body={"user": "me"}))
    assert "me" not in str(fake.received[0].fields.values())


def test_two_answers_of_one_client_share_no_state(fake: FakeGroq) -> None:
    async def both() -> list[str]:
        async with chat_model(fake.chat_url) as model:
            return list(await asyncio.gather(say(model, "left"), say(model, "right")))

    assert asyncio.run(both()) == ["You said left", "You said right"]


def test_one_connection_serves_one_answer_after_the_other(fake: FakeGroq) -> None:
    async def twice() -> None:
        async with chat_model(fake.chat_url) as model:
            await say(model, "hi")
            await say(model, "hi")

    asyncio.run(twice())
    assert len({received.client_port for received in fake.received}) == 1


@pytest.mark.parametrize(
    "oddity",
    [
        chunk(),
        chunk(usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}),
        {"id": "c", "object": "ping"},
        chunk({"index": 0, "delta": {"reasoning": "hm"}, "finish_reason": None}),
        chunk({"index": 0, "delta": {}, "finish_reason": "stop"}),
        chunk({"index": 0, "delta": None}),
        chunk({"index": 0}),
        chunk(saying(None)),
        chunk(saying(7)),
        chunk("x"),
        chunk() | {"choices": None},
        {},
    ],
)
def test_tolerates_chunks_without_text(fake: FakeGroq, oddity: dict[str, Any]) -> None:
    fake.chunks = [oddity, chunk(saying("one")), oddity, chunk(saying(" two")), oddity]
    assert ask(fake.chat_url) == ["one", " two"]


def test_half_a_surrogate_pair_is_replaced(fake: FakeGroq) -> None:
    fake.chunks = [chunk(saying("olá \ud83d")), chunk(saying(" 👋"))]
    assert ask(fake.chat_url) == ["olá \ufffd", " 👋"]


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [chunk()],
        [chunk(saying(""))],
        [chunk(saying(" ")), chunk(saying("\n"))],
        [chunk({"index": 0, "delta": {"reasoning": "hm"}})],
    ],
)
def test_an_answer_without_text_or_call_is_an_error(fake: FakeGroq, chunks: list[Any]) -> None:
    fake.chunks = chunks
    with pytest.raises(LanguageModelError, match="answered with neither text nor a tool call"):
        ask(fake.chat_url)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.BAD_KEY, "HTTP 401: check the API key"),
        (Fault.RATE_LIMIT, "HTTP 429: the key's rate limit"),
        (Fault.SERVER_ERROR, "HTTP 500: the provider is in trouble"),
        (Fault.MALFORMED, "something other than chat chunks"),
        (Fault.EARLY_CLOSE, "no connection"),
        (Fault.STALL, "neither text nor a tool call within 0.2 s"),
        (Fault.STALL_MIDWAY, "neither text nor a tool call within 0.05 s"),
    ],
)
def test_a_fault_is_one_error_that_says_what_to_check(fake: FakeGroq, fault: Fault, message: str) -> None:
    fake.fault = fault
    with pytest.raises(LanguageModelError, match=message) as caught:
        ask(fake.chat_url, first_token_s=0.2 if fault is Fault.STALL else 5, gap_s=0.05)
    assert len(fake.received) <= 1, "never retried"
    assert KEY not in str(caught.value)
    assert "123" not in str(caught.value)


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
