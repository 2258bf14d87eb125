"""A plan for people: a table of hours, the sum of the day, and what limits first."""

from collections.abc import Iterator, Sequence

from serve_app.planning.summary import Hour, Summary
from serve_app.scaling.schedule import DEPLOYMENTS

NEAR = 0.8
"""From this share on a limit is worth a word."""


def table(summary: Summary, currency: str) -> Iterator[str]:
    """Hour by hour. `open` calls typically, and at most; "4-6" replicas or nodes: the fewest and the most at a time;
    `going`: gateways that keep their last calls, at most."""
    kinds = list(summary.hours[0].nodes)
    header = ["hour", "calls", "refused", "open", "most"]
    header += [*DEPLOYMENTS, "going", *kinds, "wait s", f"{currency}/min", f"{currency}/call"]
    return _aligned([header, *(_row(hour, kinds) for hour in summary.hours)])


def _row(hour: Hour, kinds: Sequence[str]) -> list[str]:
    return [
        f"{hour.number:02}:00",
        str(hour.arrived),
        str(hour.refused),
        f"{hour.typical:.0f}",
        str(hour.most),
        *(_span(hour.running[name]) for name in DEPLOYMENTS),
        str(hour.draining),
        *(_span(hour.nodes[kind]) for kind in kinds),
        f"{hour.wait_s:.1f}",
        f"{hour.costs.total / 60:.3f}",
        _each(hour.costs.total, hour.taken, 3),
    ]


def day(summary: Summary, currency: str) -> Iterator[str]:
    """What the whole day comes to."""
    calls, taken = round(summary.sum("arrived")), summary.sum("taken")
    costs = summary.costs
    yield f"{calls} calls, {summary.call_minutes:.0f} minutes of them; {_share(summary, 'refused')} refused"
    if cut := round(summary.sum("cut")):
        yield f"{cut} calls were not over when their gateway went: drain_s is shorter than the longest call"
    over = f"{summary.sum('over_s') / 60:.0f} minutes with more calls than target_ongoing_requests"
    yield f"{over}, {summary.sum('unplaced_s') / 60:.0f} with replicas that had no node"
    yield (
        f"given up as too late: {summary.sum('unspoken'):.0f} clauses of ElevenLabs' (the stand-in voice speaks them), "
        f"{summary.sum('unheard'):.0f} recognitions of LocalWhisper's (the agent asks again), "
        f"{summary.sum('unjudged'):.0f} judgements of the Vad's (rules judge); "
        f"{summary.sum('unanswered'):.0f} answers that Groq did not give, away or at its limit"
    )
    parts = {"nodes": costs.nodes, "recognition": costs.recognitions, "answers": costs.answers, "voice": costs.voices}
    yield f"{currency} {costs.total:.2f}: " + ", ".join(f"{name} {cost:.2f}" for name, cost in parts.items())
    a_minute = _each(costs.total, summary.call_minutes, 4)
    yield f"{currency} {_each(costs.total, taken, 4)} a call that was taken, {a_minute} a minute of one"


def limits(summary: Summary) -> Iterator[str]:
    """What gives out first when there are more calls."""
    ordered = sorted(summary.used.items(), key=lambda item: -item[1])
    name, share = ordered[0]
    yield f"{'at its limit' if share >= 1 else 'limits first'}: {name}, {share:.0%} of it used at the worst moment"
    near = [f"{name} {share:.0%}" for name, share in ordered[1:] if share >= NEAR]
    if near:
        yield "near theirs: " + ", ".join(near)


def _share(summary: Summary, name: str) -> str:
    count, calls = summary.sum(name), summary.sum("arrived")
    return f"{count:.0f} ({count / calls if calls else 0:.2%})"


def _each(total: float, count: float, digits: int) -> str:
    return f"{total / count:.{digits}f}" if count else "-"


def _span(span: tuple[int, int]) -> str:
    least, most = span
    return str(most) if least == most else f"{least}-{most}"


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
