"""One answer from several language models: where one fails, the next one goes on. ElevenLabs calls it cascading."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from serve_app.conversation.breaker import Breaker
from serve_app.conversation.notes import GO_ON_NOTE
from serve_app.errors import LanguageModelError
from serve_app.ports import Fallback, LanguageModel, Message, ModelRequest, Reasoning, ToolCall
from serve_app.providers.refusals import Hiccup, RequestRefused

TURN_S = 4.0
"""Without a word for this long, the caller's turn is lost: no further model is asked."""
ANSWER_S = 30.0
"""Longer than a caller listens. A model that writes so slowly, or so much, is stopped."""
QUICK_S = 0.5
"""A failure that has cost no more leaves time to ask the same model once more."""

_TAKES_NO_SPACE = "([{'\"“‘«-/"

Piece: TypeAlias = str | ToolCall | Reasoning | Fallback


class Candidate(NamedTuple):
    """A model, the request as it is to be asked, and its breaker, which is named as the model is."""

    model: LanguageModel
    request: ModelRequest
    breaker: Breaker


class Cascade:
    """One answer. `candidates` are asked in order until one has answered to the end.

    A model that breaks off after words is not begun again: the next one is told them, and goes on from there. When
    none is left, the one that failed quickly, of something that may be over already, is asked a second time.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates
        longest_wait_s = max((c.request.prompt.cascade_timeout_seconds or 0.0 for c in candidates), default=0.0)
        self._turn_s = max(TURN_S, 2 * longest_wait_s)  # an agent that waits longer still has its backup asked
        self._hiccupped: Candidate | None = None
        self._said = ""
        self._moved_at = self._ends_at = 0.0

    async def reply(self) -> AsyncGenerator[Piece, None]:
        """Stream the answer, with a Fallback before whatever comes from another model than was to answer.

        Raises LanguageModelError when no model is left; its message has the reasons of all. To be called once.
        """
        now = asyncio.get_running_loop().time
        self._moved_at, self._ends_at = now(), now() + ANSWER_S
        failures: list[tuple[str, str]] = []
        told = 0
        for candidate in self._in_order():
            name = candidate.breaker.name
            if now() >= min(self._moved_at + self._turn_s, self._ends_at):
                break
            if not candidate.breaker.admits(now()):
                failures.append((name, f"{name} has failed several times in a row, and is left alone for now"))
                continue
            for failed, why in failures[told:]:
                yield Fallback("llm", failed, why, name)
            told, asked_at = len(failures), now()
            try:
                async with aclosing(self._ask(candidate)) as pieces:
                    async for piece in pieces:
                        yield piece
            except LanguageModelError as e:
                failures.append((name, e.message))
                if isinstance(e, Hiccup) and now() - max(asked_at, self._moved_at) < QUICK_S:
                    self._hiccupped = candidate
            else:
                return
        raise LanguageModelError("; ".join(dict.fromkeys(why for _, why in failures)) or "no language model to ask")

    def _in_order(self) -> Iterator[Candidate]:
        yield from self._candidates
        if self._hiccupped:
            yield self._hiccupped

    async def _ask(self, candidate: Candidate) -> AsyncGenerator[Piece, None]:
        """What one model answers; its breaker is told how that ended."""
        now, breaker = asyncio.get_running_loop().time, candidate.breaker
        try:
            async with aclosing(self._pieces(candidate)) as pieces:
                async for piece in pieces:
                    yield piece
                    if now() >= self._ends_at:
                        raise LanguageModelError(f"{breaker.name} had not ended its answer after {ANSWER_S:.0f} s")
        except RequestRefused:
            breaker.abandoned()
            raise
        except LanguageModelError:
            breaker.failed(now())
            raise
        except (asyncio.CancelledError, GeneratorExit):
            breaker.abandoned()
            raise
        breaker.succeeded()

    async def _pieces(self, candidate: Candidate) -> AsyncGenerator[Piece, None]:
        now, at_seam = asyncio.get_running_loop().time, bool(self._said.strip())
        request = self._going_on(candidate.request) if at_seam else candidate.request
        async with aclosing(candidate.model.reply(request)) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    piece = _joined(self._said, piece) if at_seam else piece
                    at_seam = False
                    self._said += piece
                    self._moved_at = now()
                yield piece

    def _going_on(self, request: ModelRequest) -> ModelRequest:
        said = Message("assistant", self._said.strip())
        return replace(request, messages=[*request.messages, said, Message("system", GO_ON_NOTE)])


def _joined(said: str, text: str) -> str:
    """`text` as it goes on from `said`: models leave out the space between, since they begin a message."""
    apart = said[-1].isspace() or not text[:1].isalnum() or said[-1] in _TAKES_NO_SPACE
    return text if apart else f" {text}"
