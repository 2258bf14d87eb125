"""What came of the faults as a page, docs/chaos.md, and of one of them for a terminal."""

import math
from collections import Counter
from collections.abc import Sequence

from tests.chaos.accounting import percentile
from tests.chaos.crowd import WAYS
from tests.chaos.faults import Fault
from tests.chaos.newcomer import ANSWERED_WITHIN_S, EVERY_S
from tests.chaos.outcome import Bar, Outcome
from tests.chaos.server import DRAIN_S

Result = tuple[Fault, Outcome | str]
"""A string says why the fault could not be had."""

INTRODUCTION = f"""\
# When a part of the server dies

What callers notice then, measured: `make chaos` makes this page. For each row {len(WAYS)} callers hold conversations \
with the application as `make run` starts it, on one machine, with the offline engines, PostgreSQL and two gateway \
replicas, through `serve_app.client`, which comes back when its line breaks: \
{"; ".join(f"{count} whose caller {way.value}" for way, count in Counter(WAYS).items())}. They take turns without \
end, each numbered; speech is in real time, in phrases that the bundled recogniser knows. Whoever is back on the line \
and owed nothing goes on at once. In the end all hang up, each after the answer to the last turn.

*Broken*: sockets. *Talk again*: for each of them, the seconds from the fault to the agent's next sound or text after \
the conversation went on, median and 95th percentile; from their last word for callers who were speaking just then, \
or spoke before that; \
from the close in code updates and scaling, where lines are closed one by one. *Said again*: turns that callers had \
to repeat, since they were typed into a dead socket, or apologised for. *Turns lost*: said, and never heard or \
answered; heard, and not in the record, or in it twice. *Rows lost*: what clients were told (every transcript, \
answer, correction, interruption and audio message, by id and text) and PostgreSQL does not hold when everything has \
settled; holes in a conversation's numbered events; conversations without an end. *Noticed*: callers to whom any of \
this happened. *Refused*: seconds until newcomers were answered again: one comes every {EVERY_S:.0f} s, and counts as \
refused without an answer within {ANSWERED_WITHIN_S:.0f} s. *Whole*: seconds until every process was there again and \
`/readyz` said so. *Busy*: the machine's processors meanwhile, the callers' own share included.

A gateway that is replaced has {DRAIN_S} s for its calls here; in a region it has as long as calls last. A node that \
is lost takes its journal along: what PostgreSQL had not yet got of it, the last tenth of a second, is lost.
"""

HEAD = (
    *("fault", "broken", "talk again p50", "p95", "said again", "turns lost", "rows lost", "noticed", "refused"),
    *("whole", "busy"),
)


def document(results: Sequence[Result], others_busy: float) -> str:
    """`others_busy`: the share of the processors that others had, before the first fault."""
    table = [_row(HEAD), _row(["---"] * len(HEAD)), *(_row(cells(*each)) for each in results)]
    bars = [f"- {fault.title}: {told}" for fault, outcome in results for told in _bars(fault, outcome)]
    noise = f"Before it began, other programs kept {others_busy:.0%} of the machine's processors busy."
    return "\n".join([INTRODUCTION, *table, "", noise, "", "## The bars", "", *bars]) + "\n"


def terminal(fault: Fault, outcome: Outcome | str) -> str:
    """With what was lost, by name."""
    lines = [", ".join(f"{name} {cell}" for name, cell in zip(HEAD, cells(fault, outcome), strict=False))]
    lines += [f"  {told}" for told in _bars(fault, outcome)]
    if isinstance(outcome, Outcome):
        whys = Counter(each.why for call in outcome.calls for each in call.breaks)
        ends = Counter(call.over for call in outcome.calls if call.over)
        lines += [f"  broken: {why} ({count})" for why, count in whys.items()]
        lines += [f"  not taken up again: {why} ({count})" for why, count in ends.items()]
        waits = " ".join(map(_seconds, sorted(outcome.silences)))
        lines += [f"  waits: {waits}"] if waits else []
        again = [turn for call in outcome.calls for turn in call.turns if turn.again]
        lines += [f"  said again: {turn.text} ({turn.apologies} apologies)" for turn in again]
        lines += [f"  lost: {', '.join(lost[:12])}" for lost in (outcome.lost_turns, outcome.lost_rows) if lost]
    return "\n".join(lines)


def cells(fault: Fault, outcome: Outcome | str) -> Sequence[str]:
    if isinstance(outcome, str):
        return fault.title, f"not run: {outcome}", *[""] * (len(HEAD) - 2)
    return (
        fault.title,
        f"{outcome.drops} of {len(outcome.calls)}",
        _seconds(percentile(outcome.silences, 0.50)),
        _seconds(percentile(outcome.silences, 0.95)),
        f"{outcome.said_again} of {outcome.turns}",
        str(len(outcome.lost_turns)),
        f"{len(outcome.lost_rows)} of {outcome.rows}",
        str(outcome.noticed),
        _seconds(outcome.refused_s or math.nan),
        "never" if outcome.whole_s is None else _seconds(outcome.whole_s),
        f"{outcome.busy:.0%}",
    )


def _bars(fault: Fault, outcome: Outcome | str) -> list[str]:
    failed = unmet(fault, outcome)
    bars = [] if isinstance(outcome, str) else fault.bars
    return [f"{bar.name}: {'**not met**' if bar in failed else 'met'}" for bar in bars]


def unmet(fault: Fault, outcome: Outcome | str) -> list[Bar]:
    return [] if isinstance(outcome, str) else [bar for bar in fault.bars if not bar.met(outcome)]


def _seconds(value: float) -> str:
    """NaN: there is nothing to tell."""
    return "" if math.isnan(value) else "never" if math.isinf(value) else f"{value:.1f}"


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"
