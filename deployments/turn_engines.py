"""What may judge turns, and who does: one engine for pauses, one for overlaps."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from deployments.murmur import Murmur
from deployments.smart_turn import SmartTurn, find_weights
from deployments.turn_rules import TurnRules
from deployments.ultravad import UltraVad
from serve_app.errors import ConfigurationError, ProviderError
from serve_app.ports import Judgement, Question

logger = logging.getLogger(__name__)


class TurnEngine(Protocol):
    """A model of turns."""

    def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge. May block, and is called from several threads at once."""
        ...

    def describe(self) -> str:
        """What judges, for people."""
        ...


class TurnEngines:
    """An engine of two: each is asked about what it knows. `note`: what people should know besides."""

    def __init__(self, pauses: TurnEngine, overlaps: TurnEngine, note: str = "") -> None:
        self._pauses, self._overlaps, self._note = pauses, overlaps, note

    def judge(self, question: Question) -> Judgement:
        """As TurnEngine.judge."""
        return (self._overlaps if question.overlap else self._pauses).judge(question)

    def describe(self) -> str:
        """As TurnEngine.describe."""
        told = f"pauses: {self._pauses.describe()}; overlaps: {self._overlaps.describe()}"
        return f"{told}. {self._note}" if self._note else told


def choose_engine(environ: Mapping[str, str] = os.environ) -> TurnEngine:
    """The best that works on this machine; nothing is downloaded. What is wanted and does not work is told."""
    rules = TurnRules()
    wanted: list[Callable[[], TurnEngine]] = [lambda: SmartTurn(find_weights(), rules), lambda: rules]
    if environ.get("ULTRAVAD_MODEL"):
        wanted.insert(0, lambda: UltraVad(environ))
    pauses, note = _first(wanted)
    return TurnEngines(pauses, overlaps=Murmur(), note=note)


def _first(wanted: Sequence[Callable[[], TurnEngine]]) -> tuple[TurnEngine, str]:
    """The first that can be made, and why those before it cannot. The last one can."""
    faults: list[str] = []
    for make in wanted[:-1]:
        try:
            return make(), "; ".join(faults)
        except (ConfigurationError, ProviderError) as e:
            faults.append(str(e))
            logger.warning("Another engine judges pauses: %s", e)
    return wanted[-1](), "; ".join(faults)
