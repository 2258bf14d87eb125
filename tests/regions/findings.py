"""What was measured, as sections of a page, with the bars it is held to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from tests.regions import updates
from tests.regions.plot import Curve, plot
from tests.regions.updates import Code, Numbers
from tests.regions.visits import Visit
from tests.regions.watch import Sample
from tests.regions.wave import GATEWAY, LASTS_S, RISES_S, SPEAKING, WRITING, Wave
from tests.regions.whisper import GROQ_FAILS_AT_S, GROQ_HEALS_AT_S, TURNS, WHISPER, Load, Waking

IN_FORCE_WITHIN_S = 5.0
CALLS_LINES, REPLICAS_LINES = 13, 8


class Bar(NamedTuple):
    name: str
    met: bool


class Finding(NamedTuple):
    """`told`: Markdown."""

    title: str
    told: str
    bars: tuple[Bar, ...]


def of_wave(wave: Wave) -> Finding:
    head = ("callers", "calls cut", "refusals", "never taken", "turns", "a gateway is up after")
    calls = (len(wave.visits), len(wave.cut), _refusals(wave.visits), len(wave.turned_away))
    row = (*calls, _turns(wave.visits), f"{wave.startup_s:.0f} s")
    told = f"""\
{len(wave.visits)} callers come within {RISES_S:.0f} s, {WRITING} who write and {SPEAKING} who speak, and stay for \
{LASTS_S[0]:.0f} to {LASTS_S[1]:.0f} s each. Whoever is refused dials again a second later. At most {wave.most_open} \
calls were open at once.

{_table([head, row])}

{_plots(wave.samples, wave.begun, GATEWAY, "gateways")}"""
    bars = (
        Bar("no call is cut", not wave.cut),
        Bar("everybody is taken in the end", not wave.turned_away),
        Bar("gateways: 1 → 3 → 1", climbs(wave.running, (1, 3, 1))),
    )
    return Finding("A wave of calls: 1 → 3 → 1 gateways", told, bars)


def of_numbers(numbers: Numbers) -> Finding:
    cut = [visit for visit in numbers.visits if visit.is_cut]
    rows = [(each.title, f"{each.in_force_s:.1f} s", f"{each.command_s:.1f} s") for each in numbers.changes]
    told = f"""\
`serve deploy` of changed numbers, while {updates.CALLS} calls go on ({updates.SPEAKING} of them spoken) and a \
newcomer dials every 200 ms. Times are from the command's start; it \
takes seconds itself, to import Ray.

{_table([("change", "seen after", "the command took"), *rows])}

Calls cut: {len(cut)} of {len(numbers.visits)}. Replicas replaced: {numbers.replaced}."""
    bars = (
        Bar("no call is cut", not cut),
        Bar("no replica is replaced", not numbers.replaced),
        Bar(
            f"each number is in force within {IN_FORCE_WITHIN_S:.0f} s",
            all(each.in_force_s < IN_FORCE_WITHIN_S for each in numbers.changes),
        ),
    )
    return Finding("Other numbers under calls", told, bars)


def of_code(code: Code) -> Finding:
    cut = [visit for visit in code.visits if visit.is_cut and not visit.is_resumed]
    resumed = sum(visit.is_resumed for visit in code.visits)
    slowest = max(probe.took_s for probe in code.probes)
    head = ("all replaced after", "newcomers", "failed", "slowest", "calls that finished", "of them resumed", "cut")
    newcomers = (len(code.probes), len(code.failed), f"{slowest:.1f} s")
    row = (f"{code.replaced_s:.0f} s", *newcomers, len(code.visits) - len(cut), resumed, len(cut))
    told = f"""\
`serve deploy` of other code (another `runtime_env`), which replaces every replica of every deployment, under \
{updates.CALLS} calls of {updates.CODE_LASTS_S:.0f} s and a newcomer every 200 ms.

{_table([head, row])}"""
    bars = (Bar("every newcomer is taken", not code.failed), Bar("every call finishes or resumes", not cut))
    return Finding("Other code under calls", told, bars)


def of_load(load: Load) -> Finding:
    cut = [visit for visit in load.visits if visit.is_cut or visit.is_turned_away]
    given_up = sum(turn.given_up for visit in load.visits for turn in visit.call.turns)
    head = ("calls", "cut", "turns", "never answered", "nodes used", "replicas elsewhere")
    row = (len(load.visits), len(cut), _turns(load.visits), given_up, load.nodes_used, len(load.astray))
    told = f"""\
{len(load.visits)} callers speak. Groq hears them until it fails ({GROQ_FAILS_AT_S:.0f} s), and from \
{GROQ_HEALS_AT_S:.0f} s on again; meanwhile LocalWhisper does, which slept. A replica takes half a GPU; there are two \
nodes with one GPU in the region, one in another region, one without.

{_table([head, row])}

{_plots(load.samples, load.begun, WHISPER, "replicas of LocalWhisper")}"""
    bars = (
        Bar("only GPU nodes of the region", load.nodes_used > 0 and not load.astray),
        Bar("LocalWhisper: 0 → 1 → 3 → 0", climbs(load.running, (0, 1, 3, 0))),
        Bar("every call is answered throughout", not cut and not given_up),
    )
    return Finding("LocalWhisper from zero and back", told, bars)


def of_wakings(wakings: Sequence[Waking]) -> Finding:
    head = ("it has slept", "breaker open", "LocalWhisper wanted", "it runs", "floor wanted", "turns begin", "answers")
    rows = [
        (
            "for longer" if each.rested else "for a moment",
            *map(_seconds, (each.breaker_s, each.wanted_s, each.running_s, each.floor_s)),
            ", ".join(f"{at:.1f}" for at in each.turns[:TURNS]),
            ", ".join(f"{at:.1f}{'' if answer else ' (apology)'}" for at, answer in each.answers[:TURNS]),
        )
        for each in wakings
    ]
    told = f"""\
One caller speaks, LocalWhisper sleeps, and Groq fails from the first word of a turn on. Seconds from that word, up to \
the third turn; one that was apologised for is said again, as the next. The breaker opens with the third failure. One \
that has slept for longer is woken by the first turn that Groq fails on; one that went to sleep just before, by the \
breaker alone.

{_table([head, *rows])}"""
    bars = (
        Bar("it runs before the third turn begins", all(each.in_time for each in wakings)),
        Bar("the breaker brings the floor", all(each.floor_s is not None for each in wakings)),
    )
    return Finding("Groq fails: LocalWhisper is woken", told, bars)


def climbs(values: Iterable[int], levels: Sequence[int]) -> bool:
    """From the first of the levels to the last, by all of them in their order, and never beyond the highest."""
    steps = [value for value, _ in groupby(values)]
    left = iter(steps)
    in_order = all(level in left for level in levels)
    return in_order and (steps[0], max(steps), steps[-1]) == (levels[0], max(levels), levels[-1])


def _plots(samples: Sequence[Sample], begun: float, name: str, title: str) -> str:
    times = [max(0.0, sample.at - begun) for sample in samples]
    calls = Curve([sample.open_calls for sample in samples])
    running = Curve([len(sample.scales[name].running) for sample in samples])
    wanted = Curve([sample.scales[name].target for sample in samples], ".")
    return "\n".join(
        [
            "```",
            plot("open calls, over seconds", times, [calls], height=CALLS_LINES),
            plot(f"{title}: wanted (.) and running", times, [wanted, running], height=REPLICAS_LINES),
            "```",
        ]
    )


def _refusals(visits: Sequence[Visit]) -> str:
    """By their reason, which stands between the close code and what to do: "1013: all lines are busy: try again"."""
    reasons = Counter(refusal.split(": ")[1] for visit in visits for refusal in visit.refusals)
    return ", ".join(f"{times} ({reason})" for reason, times in reasons.most_common()) or "0"


def _turns(visits: Sequence[Visit]) -> str:
    turns = [turn for visit in visits for turn in visit.call.turns]
    return f"{len(turns)}, {sum(turn.again for turn in turns)} said again"


def _table(rows: Sequence[Sequence[object]]) -> str:
    head, *others = (f"| {' | '.join(map(str, row))} |" for row in rows)
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *others])


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"
