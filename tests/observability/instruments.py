"""Instruments in the place of Ray's, which cannot be read: they keep what they are told, and when."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from serve_app.observability import breaker_states, hop_times, metered_log, refusals, vitals, voice_sockets, waits
from serve_app.store.database import Database
from serve_app.store.log import JournaledLog
from tests.fakes.ports import MemoryLog

Labels = tuple[tuple[str, str], ...]


class Instrument:
    """`told`: (loop time, value, labels)."""

    def __init__(self, name: str, description: str, *others: Any) -> None:
        self.name, self.description = name, description
        self.boundaries: Sequence[float] = others[0] if others and not isinstance(others[0], str) else ()
        self.labels = {label for label in others if isinstance(label, str)}
        self.told: list[tuple[float, float, Labels]] = []

    def inc(self, value: float = 1.0, tags: Mapping[str, str] | None = None) -> None:
        self._tell(value, tags)

    def set(self, value: float, tags: Mapping[str, str] | None = None) -> None:
        self._tell(value, tags)

    def observe(self, value: float, tags: Mapping[str, str] | None = None) -> None:
        self._tell(value, tags)

    @property
    def sums(self) -> dict[Labels, float]:
        sums: Counter[Labels] = Counter()
        for _, value, labels in self.told:
            sums[labels] += value  # type: ignore[assignment]
        return dict(sums)

    @property
    def newest(self) -> dict[Labels, float]:
        return {labels: value for _, value, labels in self.told}

    def _tell(self, value: float, tags: Mapping[str, str] | None) -> None:
        assert self.labels == (tags or {}).keys(), "Ray wants each label, and no other"
        self.told.append((_time(), value, tuple(sorted((tags or {}).items()))))


class Instruments(dict[str, Instrument]):
    """By name. Those that `modules` make from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        super().__init__()
        for module in modules:
            for kind in ("counter", "gauge", "histogram"):
                if hasattr(module, kind):
                    monkeypatch.setattr(module, kind, self._make)

    def _make(self, name: str, description: str, *others: Any) -> Instrument:
        self[name] = Instrument(name, description, *others)
        return self[name]


def _time() -> float:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


def all_of_ours(monkeypatch: pytest.MonkeyPatch) -> Instruments:
    """Every instrument that the server has."""
    made = Instruments(monkeypatch, breaker_states, hop_times, metered_log, refusals, vitals, voice_sockets, waits)
    breaker_states.BreakerStates()
    hop_times.HopTimes([])
    metered_log.MeteredLog(MemoryLog())
    refusals.Refusals()
    vitals.Vitals(lambda: 0, JournaledLog(Database("postgresql://"), Path("unused")))
    voice_sockets.VoiceSockets()
    waits.AudioWaits()
    waits.LoopLag(lambda late: None)
    return made
