"""How far everything is that answers are made with: measured now and then, told all the time."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from serve_app.errors import ProviderError
from serve_app.hops import Hop
from serve_app.observability.metrics import TELL_EVERY_S, gauge

logger = logging.getLogger(__name__)

TELLS_A_MEASUREMENT = 60  # five minutes: routes change seldom, and a provider should not notice us


class HopTimes:
    """Of these `hops`, measured one after another, so that none waits for another's work."""

    def __init__(self, hops: Sequence[Hop]) -> None:
        self._hops = hops
        self._ms: dict[str, float | None] = {}
        self._late: frozenset[str] | None = None
        self._gauge = gauge("hello_hop_ms", "A round trip to a provider or the database, in ms.", "hop")
        self._budget = gauge("hello_hop_budget_ms", "How long that may take, in ms.", "hop")

    async def watch(self) -> None:
        """Measure and tell for ever."""
        while True:
            for hop in self._hops:
                self._ms[hop.name] = await _measured(hop)
                self._tell()  # while those that hang are waited for, too: Ray forgets after 20 s what it is not told
            self._report()
            for _ in range(TELLS_A_MEASUREMENT - 1):
                await asyncio.sleep(TELL_EVERY_S)
                self._tell()
            await asyncio.sleep(TELL_EVERY_S)

    def describe(self) -> dict[str, Any]:
        """What has been measured so far, in ms; None: there was no answer."""
        return {
            hop.name: {"ms": self._ms[hop.name], "budget_ms": hop.budget_ms}
            for hop in self._hops
            if hop.name in self._ms
        }

    def _tell(self) -> None:
        for hop in self._hops:
            self._budget.set(hop.budget_ms, tags={"hop": hop.name})
            if (ms := self._ms.get(hop.name)) is not None:
                self._gauge.set(ms, tags={"hop": hop.name})

    def _report(self) -> None:
        """Once, and whenever it is another hop that takes too long."""
        late = frozenset(hop.name for hop in self._hops if (self._ms[hop.name] or 0) > hop.budget_ms)
        if late == self._late:
            return
        self._late = late
        figures = ", ".join(f"{hop.name} {_figure(self._ms[hop.name])} of {hop.budget_ms:g}" for hop in self._hops)
        if late:
            logger.warning(
                "too far away: %s. Use an endpoint nearer to this region, or allow it in HOP_BUDGETS_MS. "
                "Round trips in ms: %s",
                ", ".join(sorted(late)),
                figures,
            )
        else:
            logger.info("round trips in ms: %s", figures)


async def _measured(hop: Hop) -> float | None:
    try:
        return round(await hop.measure(), 2)
    except ProviderError:
        return None


def _figure(ms: float | None) -> str:
    return "no answer" if ms is None else f"{ms:g}"
