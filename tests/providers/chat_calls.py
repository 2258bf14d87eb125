"""What the tests of chat share: a model, a dialogue, and chunks as servers send them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from serve_app.ports import Message, ModelRequest, Reasoning, ToolCall
from serve_app.providers.chat import ChatModel

KEY = "gsk_secret"
DIALOGUE = (Message("system", "Be brief."), Message("user", "my number is 123"))


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
