"""What came of a fault, in numbers, and the bars it is held to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tests.chaos.accounting import Call, Row, lost_rows, lost_turns, percentile, talking_again

TALKS_WITHIN_S = 2.0


@dataclass(frozen=True)
class Outcome:
    """`at`: when the sockets should have broken, on the clock of the calls (None: each at a moment of its own).
    `refused_s`: until newcomers were answered again, 0 if all were; `whole_s`: until everything was there again, None:
    never; `busy`: the share of the machine's processors."""

    at: float | None
    calls: Sequence[Call]
    stored: Mapping[str, Sequence[Row]]
    refused_s: float
    whole_s: float | None
    busy: float

    @property
    def drops(self) -> int:
        return sum(len(call.breaks) for call in self.calls)

    @property
    def noticed(self) -> int:
        return sum(call.noticed for call in self.calls)

    @property
    def said_again(self) -> int:
        return sum(turn.again for call in self.calls for turn in call.turns)

    @property
    def turns(self) -> int:
        return sum(len(call.turns) for call in self.calls)

    @property
    def rows(self) -> int:
        return sum(map(len, self.stored.values()))

    @cached_property
    def silences(self) -> list[float]:
        """Of every socket that broke, seconds until the agent was heard, or read, again."""
        return [wait for call in self.calls for wait in talking_again(call, self.at)]

    @cached_property
    def lost_turns(self) -> list[str]:
        return [each for call in self.calls for each in lost_turns(call, self.stored[call.conversation_id])]

    @cached_property
    def lost_rows(self) -> list[str]:
        return [each for call in self.calls for each in lost_rows(call, self.stored[call.conversation_id])]


class Bar(NamedTuple):
    name: str
    met: Callable[[Outcome], bool]


NO_DROPS = Bar("no socket breaks", lambda outcome: outcome.drops == 0)
DEATH = Bar(
    f"all talk again within {TALKS_WITHIN_S:.0f} s (p95)",
    lambda outcome: not outcome.silences or percentile(outcome.silences, 0.95) <= TALKS_WITHIN_S,
)
NOBODY_NOTICES = Bar("nobody notices", lambda outcome: outcome.noticed == 0)
NOTHING_LOST = Bar(
    "no turn and no row is lost, none comes twice",
    lambda outcome: not (outcome.lost_turns or outcome.lost_rows or any(call.repeated for call in outcome.calls)),
)
