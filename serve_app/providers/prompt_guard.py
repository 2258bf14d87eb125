"""A model that tells attacks from what callers say, behind any endpoint that speaks OpenAI's chat completions."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import openai
from httpx2 import Limits
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice

from serve_app.conversation.breaker import Breaker
from serve_app.errors import ProviderError
from serve_app.observability.correlation import trace_headers
from serve_app.providers.attempt import LEFT_ALONE, attempt
from serve_app.providers.refusals import refusal

BUDGET_S = 0.300
"""The answer is being made meanwhile: a verdict that comes later finds it spoken."""
THRESHOLD = 0.5
"""Of the probability that Llama Prompt Guard 2 answers with."""
LONGEST = 2_000
"""Characters that it is asked about, the newest: its window is 512 tokens."""
LIMITS = Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=120)

_VERDICTS = {"unsafe": True, "malicious": True, "jailbreak": True, "injection": True, "safe": False, "benign": False}
"""How others answer: Llama Guard, and classifiers that give the name of the class."""


class PromptGuard:
    """Asks `model` at `base_url` (up to and including its `/v1`), within `budget_s`. `breaker` is its own."""

    def __init__(
        self, base_url: str, api_key: str, model: str, breaker: Breaker, *, budget_s: float = BUDGET_S
    ) -> None:
        self._model = model
        self._breaker = breaker
        self._budget_s = budget_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key,
            max_retries=0,
            timeout=None,  # the budget counts
            http_client=openai.DefaultAsyncHttpxClient(limits=LIMITS),
        )

    async def is_attack(self, words: str) -> bool:
        """Whether a caller's words are an attack. Raises ProviderError, also where it is left alone for now."""
        if not self._breaker.admits(asyncio.get_running_loop().time()):
            raise ProviderError(f"{self._breaker.name} {LEFT_ALONE}")
        with attempt(self._breaker), self._translated_errors():
            async with asyncio.timeout(self._budget_s):
                return _verdict(await self._answer(words))

    async def aclose(self) -> None:
        await self._client.close()

    async def _answer(self, words: str) -> str:
        completion = await self._client.chat.completions.create(
            model=self._model,
            messages=[{"role": "user", "content": words[-LONGEST:]}],
            temperature=0,
            extra_headers=trace_headers(),
        )
        match completion:  # the SDK does not validate it
            case ChatCompletion(choices=[Choice(message=ChatCompletionMessage(content=str() as answer)), *_]):
                return answer
            case _:
                return ""

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        name = self._breaker.name
        try:
            yield
        except TimeoutError as e:
            raise ProviderError(f"{name} had no verdict within {self._budget_s:g} s") from e
        except openai.APIStatusError as e:
            raise ProviderError(f"{name} answered {refusal(e.status_code)}") from e
        except openai.APIConnectionError as e:
            raise ProviderError(f"{name}: no connection; check GUARD_BASE_URL and the network") from e
        except (openai.OpenAIError, ValueError, RecursionError) as e:  # of a body that is no JSON, or too deep
            raise ProviderError(f"{name} sent something other than a verdict") from e


def _verdict(answer: str) -> bool:
    """Raises ValueError for an answer that is none."""
    first = answer.split(maxsplit=1)[0].strip(".,:").lower() if answer.strip() else ""
    if first in _VERDICTS:
        return _VERDICTS[first]
    probability = float(answer)
    if not 0 <= probability <= 1:
        raise ValueError("no probability")
    return probability >= THRESHOLD
