"""What a number of outcomes come to, and what a plain silence timer would have made of the same pauses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.feel.outcome import Outcome
from tests.feel.score import Kind

TIMERS_MS = range(200, 1001, 100)
FINE_STEP_MS = 10
LATE_STOP_S = 0.350
"""An interruption is to be heeded by then."""


@dataclass(frozen=True)
class Share:
    """`count` of `of`."""

    count: int
    of: int

    @property
    def percent(self) -> float:
        return 100 * self.count / self.of if self.of else 0.0

    def __str__(self) -> str:
        return f"{self.count}/{self.of}"


@dataclass(frozen=True)
class Overlaps:
    """stopped: by which the agent stopped. late: stopped by, but after LATE_STOP_S. unanswered: stopped by, and no turn
    came of it. missing: the agent never spoke, so nothing was tried."""

    stopped: Share
    late: Share
    unanswered: Share
    began_turns: int
    ducks: Sequence[float]
    stops: Sequence[float]
    missing: int


@dataclass(frozen=True)
class Pauses:
    """missing: no turn after the true end."""

    cut_in: Share
    spoke_over: Share
    murmured: int
    answers: Sequence[float]
    missing: int


def overlaps(outcomes: Iterable[Outcome]) -> Overlaps:
    tried = [each for each in outcomes if each.score.kind is not Kind.PAUSE]
    played = [each for each in tried if not each.missing]
    stopped = [each for each in played if each.stopped is not None]
    stops = [each.stopped for each in stopped if each.stopped is not None]
    return Overlaps(
        Share(len(stopped), len(played)),
        Share(sum(stop > LATE_STOP_S for stop in stops), len(stopped)),
        Share(sum(not each.answered for each in stopped), len(stopped)),
        sum(each.began_turns for each in tried),
        [each.ducked for each in played if each.ducked is not None],
        stops,
        len(tried) - len(played),
    )


def pauses(outcomes: Iterable[Outcome]) -> Pauses:
    played = [each for each in outcomes if each.score.kind is Kind.PAUSE]
    return Pauses(
        Share(sum(each.cut_in for each in played), len(played)),
        Share(sum(each.spoke_over for each in played), len(played)),
        sum(each.murmured for each in played),
        [each.answer for each in played if each.answer is not None],
        sum(each.missing for each in played),
    )


def timer(outcomes: Iterable[Outcome], seconds: float) -> Pauses:
    """The same pauses, had the turn been taken after so much of the detector's silence, whatever was said. When it was
    heard is not known: it has no answer of its own."""
    played = [each for each in outcomes if each.score.kind is Kind.PAUSE]
    cut_in, answers = 0, []
    for each in played:
        fired = [begins + seconds for begins, ends in each.silences if begins + seconds < ends]
        cut_in += any(at < each.end for at in fired)
        answers += [at - each.end for at in fired if at >= each.end][:1]
    return Pauses(Share(cut_in, len(played)), Share(0, 0), 0, answers, len(played) - len(answers))


def equal_timer(outcomes: Sequence[Outcome], answer_s: float) -> tuple[int, Pauses]:
    """The longest timer whose median answer is no later than `answer_s`: with as few cut-ins as a timer can have at
    that speed. In ms."""
    best = TIMERS_MS.start // 2
    for length_ms in range(best, TIMERS_MS.stop, FINE_STEP_MS):
        answers = timer(outcomes, length_ms / 1000).answers
        if answers and median(answers) <= answer_s:
            best = length_ms
    return best, timer(outcomes, best / 1000)


def changed(outcomes: Iterable[Outcome], of: str) -> Share:
    """How often the judge changed what the rules would have decided of pauses or overlaps."""
    changes = [change for each in outcomes for what, change in each.changes if what == of]
    return Share(sum(changes), len(changes))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that `share` of them are no higher than."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
