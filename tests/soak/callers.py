"""Callers who call again and again, and what they met."""

import asyncio
from collections import Counter
from random import Random
from types import TracebackType
from typing import NamedTuple, Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from tests.soak.call import Call, CallError, reset

TURNS = (5, 15)
"""Of one call."""
THINKS_S = {True: (2.0, 4.0), False: (1.0, 3.0)}
"""Between the turns of who types, and of who speaks."""
STARTS_WITHIN_S = 5.0
CALLS_AGAIN_S = 2.0
"""After a call that went wrong."""
VANISHED_S = 60.0
"""So long their connection hangs there. Nobody answers the server's pings on it."""
PHRASES = (
    *("bom dia", "olá tudo bem", "obrigado", "quero ver o meu saldo", "onde está o meu pedido", "boa tarde"),
    *("quero pagar a minha conta", "esqueci a minha senha", "quero cancelar a assinatura"),
)
"""The bundled recogniser hears them right, and the offline agent has an answer to each, of one to seven seconds."""


class Manners(NamedTuple):
    """How callers treat their lines. Shares: of turns in which the line breaks, and they come back; of calls that end
    with a TCP reset; of calls whose caller vanishes without a word. All other calls end with a clean close."""

    cuts: float = 0.0
    resets: float = 0.0
    vanishes: float = 0.0


POLITE = Manners()
RUDE = Manners(cuts=0.05, resets=0.15, vanishes=0.1)


class Answer(NamedTuple):
    """`waited_s`: for it, from the end of the caller's words."""

    typed: bool
    waited_s: float


class Callers:
    """`add` some; leaving the block, they hang up."""

    def __init__(self, ws_url: str, manners: Manners = POLITE, *, seed: int = 1) -> None:
        self.answers: list[Answer] = []
        self.did: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        """What went wrong, and how often."""
        self._ws_url = ws_url
        self._manners = manners
        self._chance = Random(seed)
        self._calling: list[asyncio.Task[None]] = []
        self._vanished: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._calling:
            task.cancel()
        ended = await asyncio.gather(*self._calling, return_exceptions=True)
        await asyncio.gather(*self._vanished)
        if bugs := [end for end in ended if isinstance(end, Exception)]:
            raise bugs[0]

    def __len__(self) -> int:
        return len(self._calling)

    def forget(self) -> None:
        """What was counted so far."""
        self.answers.clear()
        self.did.clear()
        self.met.clear()

    def add(self, count: int, *, typed: bool) -> None:
        for _ in range(count):
            self._calling.append(asyncio.create_task(self._call_again_and_again(typed)))

    async def _call_again_and_again(self, typed: bool) -> None:
        await asyncio.sleep(self._chance.uniform(0, STARTS_WITHIN_S))
        while True:
            try:
                await self._call(typed)
            except CallError as e:
                self.met[str(e)] += 1
            except (OSError, WebSocketException) as e:
                self.met[f"no connection: {type(e).__name__}"] += 1
            else:
                continue
            await asyncio.sleep(CALLS_AGAIN_S)

    async def _call(self, typed: bool) -> None:
        async with Call(self._ws_url, typed=typed, resumes=self._manners.cuts > 0) as call:
            self.did["calls"] += 1
            for _ in range(self._chance.randint(*TURNS)):
                await self._turn(call, typed)
                await asyncio.sleep(self._chance.uniform(*THINKS_S[typed]))
            self._leave(call)

    async def _turn(self, call: Call, typed: bool) -> None:
        cut = call.can_come_back and self._chance.random() < self._manners.cuts
        waited_s = await call.turn(self._chance.choice(PHRASES), cut=cut)
        self.did["turns"] += 1
        if cut:
            self.did["came back"] += 1
        else:
            self.answers.append(Answer(typed, waited_s))

    def _leave(self, call: Call) -> None:
        way = self._chance.random()
        if way < self._manners.resets:
            self.did["resets"] += 1
            call.reset()
        elif way < self._manners.resets + self._manners.vanishes and (line := call.vanish()):
            self.did["vanished"] += 1
            task = asyncio.create_task(_stay_silent(line))
            self._vanished.add(task)
            task.add_done_callback(self._vanished.discard)


async def _stay_silent(line: ClientConnection) -> None:
    await asyncio.sleep(VANISHED_S)
    reset(line)
