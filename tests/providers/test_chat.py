"""Streaming chat against a server that speaks the wire."""

import asyncio
from typing import Any

import pytest

from serve_app.conversation.agent import Prompt
from serve_app.errors import LanguageModelError
from serve_app.ports import ModelRequest, Reasoning
from tests.fakes.groq_server import FakeGroq
from tests.providers.chat_calls import DIALOGUE, KEY, ask, chat_model, chunk, pieces, request, say, saying


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
