"""A language model behind any OpenAI-compatible chat endpoint: Groq, OpenAI, vLLM, llama.cpp, Ollama, ..."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import cast

import openai
from httpx2 import Limits
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDelta

from serve_app.errors import LanguageModelError
from serve_app.ports import Message
from serve_app.providers.refusals import refusal

# A bound on a model that runs away, minutes of speech long. Not tighter: the tokens of hidden reasoning count too.
MAX_TOKENS = 1024

# The SDK drops an idle connection after 5 s, which is one turn of the caller's: a new TLS handshake for every answer.
LIMITS = Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=120)

# These models reason before they answer, unseen and unheard: as little of it as they can, since a caller is waiting.
REASONING_MODEL = "gpt-oss"

# JSON can spell half a surrogate pair; UTF-8, and so the caller's socket and the log, can not.
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


class ChatModel:
    """Streams answers from `model` at `base_url` (up to and including its `/v1`), over connections kept warm.

    The first text must come within `first_token_s` seconds, each further piece within `gap_s`. Nothing is retried:
    a caller is waiting, and what to try next is not this client's decision. No temperature is sent, since each model
    has its own default and some refuse any other.
    """

    def __init__(
        self, base_url: str, api_key: str, model: str, *, first_token_s: float = 5.0, gap_s: float = 5.0
    ) -> None:
        self._model = model
        self._first_token_s = first_token_s
        self._gap_s = gap_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key,
            max_retries=0,
            timeout=None,  # the budgets above count text, not bytes
            http_client=openai.DefaultAsyncHttpxClient(limits=LIMITS),
        )

    async def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        """Stream the answer as it is generated; `language` is for the dialogue's own messages to tell.

        Closing the iterator, or cancelling the task that waits for it, closes the HTTP stream at once.
        Raises LanguageModelError, also for an answer without any text.
        """
        budget_s, silent = self._first_token_s, True
        async with aclosing(self._texts(messages)) as texts:
            while True:
                with self._translated_errors(budget_s):
                    async with asyncio.timeout(budget_s):
                        text = await anext(texts, None)
                if text is None:
                    break
                silent = silent and text.isspace()
                yield text
                budget_s = self._gap_s
        if silent:
            raise LanguageModelError(f"{self._model} answered without any text")

    async def aclose(self) -> None:
        """Close the connections. No reply may be asked for afterwards."""
        await self._client.close()

    async def _texts(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        dialogue = [{"role": message.role, "content": message.content} for message in messages]
        stream = await self._client.chat.completions.create(
            model=self._model,
            messages=cast(list[ChatCompletionMessageParam], dialogue),
            max_completion_tokens=MAX_TOKENS,
            reasoning_effort="low" if REASONING_MODEL in self._model else openai.omit,
            stream=True,
        )
        async with stream:
            async for chunk in stream:
                if text := _text(chunk):
                    yield _HALF_A_PAIR.sub("\ufffd", text)

    @contextmanager
    def _translated_errors(self, budget_s: float) -> Iterator[None]:
        try:
            yield
        except TimeoutError as e:
            raise LanguageModelError(f"{self._model} sent no text within {budget_s:g} s") from e
        except openai.APIStatusError as e:
            raise LanguageModelError(f"{self._model} answered {refusal(e.status_code)}") from e
        except openai.APIConnectionError as e:
            raise LanguageModelError(f"{self._model}: no connection; check the base URL and the network") from e
        except (openai.OpenAIError, ValueError) as e:  # ValueError: what the SDK raises for an event that is not JSON
            raise LanguageModelError(f"{self._model} sent an error, or something other than chat chunks") from e


def _text(chunk: ChatCompletionChunk) -> str:
    """The text in a chunk; "" for usage, roles, reasoning, tool calls and what servers send beyond the standard.

    The SDK does not validate chunks, so only a full match may be trusted.
    """
    match chunk:
        case ChatCompletionChunk(choices=[Choice(delta=ChoiceDelta(content=str(text))), *_]):
            return text
        case _:
            return ""
