"""Which stages a caller has waited for, one after the other: the chain of those that were ready last."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

SAME_MOMENT_S = 0.0005
NEVER = 0.0


class Stage(Protocol):
    """A span. Unix seconds."""

    @property
    def name(self) -> str: ...

    @property
    def began(self) -> float: ...

    @property
    def ended(self) -> float: ...

    @property
    def attributes(self) -> Mapping[str, Any]: ...


class Step(NamedTuple):
    """What was waited for from `began` to `ended`; without a name nobody knows."""

    name: str
    began: float
    ended: float


class CriticalPath:
    """From `begin` to `end`. Each stage waits for the one that was ready last before it began."""

    def __init__(self, stages: Sequence[Stage], begin: float, end: float) -> None:
        self._stages = stages
        self.begin, self.end = begin, end
        self.steps = [*self._backwards()][::-1]

    @property
    def names(self) -> list[str]:
        return [step.name for step in self.steps if step.name]

    @property
    def explained(self) -> float:
        """Share of the time that some stage accounts for."""
        gaps = sum(step.ended - step.began for step in self.steps if not step.name)
        return 1 - gaps / (self.end - self.begin)

    def _backwards(self) -> Iterator[Step]:
        at = self.end
        while at > self.begin + SAME_MOMENT_S:
            ready, stage = max(
                ((_ready(stage, at), stage) for stage in self._stages if stage.began < at - SAME_MOMENT_S),
                key=lambda found: (round(found[0] / SAME_MOMENT_S), found[1].began),
                default=(NEVER, None),
            )
            if at - ready > SAME_MOMENT_S:
                yield Step("", max(ready, self.begin), at)
            if stage is None or ready <= self.begin:
                return
            yield Step(stage.name, max(stage.began, self.begin), min(ready, at))
            at = stage.began


def _ready(stage: Stage, at: float) -> float:
    """When what begins at `at` could have begun, as far as this stage goes; never: it came later. The silence lets work
    begin as long as it lasts, and so does a model with each of its words; of a voice the first sound is what counts.
    """
    if stage.name == "decide":
        return min(stage.ended, at)
    streams = [stage.attributes[mark] for mark in ("first_token_ms", "first_audio_ms") if mark in stage.attributes]
    ready = stage.began + streams[0] / 1000 if streams else stage.ended
    if ready > at + SAME_MOMENT_S:
        return NEVER
    return min(stage.ended, at) if "first_token_ms" in stage.attributes else ready
