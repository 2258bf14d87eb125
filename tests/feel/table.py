"""Outcomes as tables in Markdown, which read well on a terminal too."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from tests.feel.outcome import Outcome
from tests.feel.rates import TIMERS_MS, Pauses, changed, equal_timer, overlaps, pauses, percentile, timer
from tests.feel.score import Kind

Group = Callable[[Outcome], str]
OVERLAPS = {Kind.INTERRUPTION: "interruptions", Kind.BACKCHANNEL: "backchannels", Kind.NOISE: "noises"}
GROUPS: tuple[tuple[str, Group], ...] = (
    ("language", lambda each: each.score.language),
    ("line", lambda each: each.score.line.name),
    ("voice or noise", lambda each: each.score.source),
)


def report(outcomes: Sequence[Outcome]) -> str:
    """All there is to know about a set of outcomes, in sections of one table each."""
    sections = [_overlaps(outcomes), _pauses(outcomes), _timers(outcomes)]
    sections += [_by_group(name, group, outcomes) for name, group in GROUPS]
    return "\n\n".join(section for section in sections if section)


def wrong(outcome: Outcome) -> str:
    """What is wrong with it, if anything, in a few words."""
    kind = outcome.score.kind
    if outcome.missing:
        return "no turn" if kind is Kind.PAUSE else "the agent did not speak"
    if kind is Kind.PAUSE:
        return "spoke over" if outcome.spoke_over else "cut in" if outcome.cut_in else ""
    if outcome.began_turns:
        return "noise began a turn"
    if kind is Kind.INTERRUPTION:
        if outcome.stopped is None:
            return "missed"
        return "" if outcome.answered else "never answered"
    return "stopped" if outcome.stopped is not None else ""


def line(outcome: Outcome) -> str:
    """One outcome, for a terminal."""
    score = outcome.score
    if score.kind is Kind.PAUSE:
        figures = f"pause {_ms(score.pause_s)}, answer {_ms(outcome.answer)}"
    else:
        figures = f"{_ms(outcome.length)} long, duck {_ms(outcome.ducked)}, stop {_ms(outcome.stopped)}"
    changes = "".join(f", judge changed the {what}" for what, change in outcome.changes if change)
    return f"{wrong(outcome) or 'ok':<24} {score.name} ({score.source}, {score.line.name}): {figures}{changes}"


def _overlaps(outcomes: Sequence[Outcome]) -> str:
    head = (
        "overlaps",
        "stopped by",
        "%",
        "duck ms",
        "p95",
        "stop ms",
        "p95",
        "over 350 ms",
        "never answered",
        "began a turn",
        "not played",
    )
    rows = []
    for kind, title in OVERLAPS.items():
        found = overlaps(each for each in outcomes if each.score.kind is kind)
        if found.stopped.of:
            rows.append(
                (
                    title,
                    str(found.stopped),
                    f"{found.stopped.percent:.1f}",
                    *_middle_and_high(found.ducks),
                    *_middle_and_high(found.stops),
                    str(found.late),
                    str(found.unanswered),
                    str(found.began_turns),
                    str(found.missing),
                )
            )
    return _table(head, rows) + _judged(outcomes, "overlap") if rows else ""


def _pauses(outcomes: Sequence[Outcome]) -> str:
    found = pauses(outcomes)
    if not found.cut_in.of:
        return ""
    head = ("pauses", "cut in", "%", "heard in it", "answer ms", "p95", "no answer", "murmured")
    row = ("turn-taking", *_pause_cells(found), str(found.missing), str(found.murmured))
    return _table(head, [row]) + _judged(outcomes, "pause")


def _judged(outcomes: Sequence[Outcome], of: str) -> str:
    return f"\n\nWhat the judge said changed the rules' decision in {changed(outcomes, of)} questions."


def _timers(outcomes: Sequence[Outcome]) -> str:
    found = pauses(outcomes)
    if not found.answers:
        return ""
    equal_ms, equal = equal_timer(outcomes, median(found.answers))
    lengths = [(f"{ms} ms", timer(outcomes, ms / 1000)) for ms in TIMERS_MS]
    rows = [(f"{equal_ms} ms: as quick", equal), *lengths]
    cells = [(name, *_cut_in_cells(each), *_middle_and_high(each.answers)) for name, each in rows]
    return _table(("a timer of", "cut in", "%", "answer ms", "p95"), cells)


def _by_group(name: str, group: Group, outcomes: Sequence[Outcome]) -> str:
    head = (name, "missed", "stops on backchannels", "on noise", "turns of noise", "cut in", "answer ms", "p95")
    rows = []
    for value in sorted({group(each) for each in outcomes}):
        found = [each for each in outcomes if group(each) == value]
        spoken = pauses(found)
        wrongs = [overlaps(each for each in found if each.score.kind is kind) for kind in OVERLAPS]
        missed, of = wrongs[0].stopped.of - wrongs[0].stopped.count, wrongs[0].stopped.of
        rows.append(
            (
                value,
                f"{missed}/{of}" if of else "",
                *(str(each.stopped) if each.stopped.of else "" for each in wrongs[1:]),
                str(wrongs[2].began_turns) if wrongs[2].stopped.of else "",
                str(spoken.cut_in) if spoken.cut_in.of else "",
                *_middle_and_high(spoken.answers),
            )
        )
    return _table(head, rows)


def _cut_in_cells(found: Pauses) -> tuple[str, str]:
    return str(found.cut_in), f"{found.cut_in.percent:.1f}"


def _pause_cells(found: Pauses) -> tuple[str, ...]:
    return *_cut_in_cells(found), str(found.spoke_over), *_middle_and_high(found.answers)


def _middle_and_high(values: Sequence[float]) -> tuple[str, str]:
    return _ms(median(values) if values else None), _ms(percentile(values, 0.95))


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join(_row(cells, widths) for cells in [head, ["-" * width for width in widths], *rows])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
