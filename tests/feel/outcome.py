"""What came of a score, by what the caller heard."""

from dataclasses import dataclass

from tests.feel.caller import STOP_WITHIN_S, Caller
from tests.feel.score import Kind, Score

DUCKED = 0.6
"""Of the voice's level before: 12 dB lower is 0.25 of it."""
Changes = tuple[tuple[str, bool], ...]
Silences = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Outcome:
    """In seconds. None: it did not happen, or was not to be measured.

    Of an overlap. ducked, stopped: after its onset. length: of it. answered: a turn came of it. began_turns: how many
    came of noise alone, before the overlap.
    Of a pause. cut_in: the agent took the turn before the caller was done; spoke_over: and was heard in it.
    murmured: it was heard, without taking the turn. answer: from the true end to when the turn was decided.
    missing: no turn was ever taken, or the agent never spoke.
    changes: for each decision that the judge had a part in, what it was of ("pause", "overlap"), and whether the rules
    alone would have decided otherwise.
    silences: (from, to) of the detector's silences, in a pause's score, after speech began.
    """

    score: Score
    length: float = 0.0
    ducked: float | None = None
    stopped: float | None = None
    answered: bool = False
    began_turns: int = 0
    cut_in: bool = False
    spoke_over: bool = False
    murmured: bool = False
    answer: float | None = None
    missing: bool = False
    changes: Changes = ()
    silences: Silences = ()
    end: float = 0.0


def outcome(caller: Caller, changes: Changes = (), silences: Silences = ()) -> Outcome:
    if caller.score.kind is Kind.PAUSE:
        return _of_pause(caller, changes, silences)
    return _of_overlap(caller, changes)


def _of_pause(caller: Caller, changes: Changes, silences: Silences) -> Outcome:
    early = caller.heard("user_transcript", caller.onset, caller.end)
    decided = caller.heard("user_transcript", caller.end)
    took_turn = early[0].at if early else caller.end
    return Outcome(
        caller.score,
        length=caller.end - caller.onset,
        cut_in=bool(early),
        spoke_over=bool(caller.heard("audio", took_turn, caller.end)),
        murmured=bool(caller.heard("audio", caller.onset, took_turn)),
        answer=decided[0].at - caller.end if decided else None,
        missing=not decided,
        changes=changes,
        silences=silences,
        end=caller.end,
    )


def _of_overlap(caller: Caller, changes: Changes) -> Outcome:
    if not caller.end:
        return Outcome(caller.score, missing=True, changes=changes, began_turns=_began_turns(caller))
    until = caller.end + STOP_WITHIN_S
    stopped = caller.heard("interruption", caller.onset, until)
    return Outcome(
        caller.score,
        length=caller.end - caller.onset,
        ducked=_ducked(caller),
        stopped=stopped[0].at - caller.onset if stopped else None,
        answered=bool(caller.heard("agent_response", caller.onset)),
        began_turns=_began_turns(caller),
        changes=changes,
    )


def _ducked(caller: Caller) -> float | None:
    """When the voice that was steady before became lower."""
    before = caller.heard("audio", caller.onset - 0.5, caller.onset)
    if not before or caller.score.line.echo:
        return None
    level = sorted(event.level for event in before)[len(before) // 2]
    lower = [event for event in caller.heard("audio", caller.onset) if event.level < DUCKED * level]
    return lower[0].at - caller.onset if lower else None


def _began_turns(caller: Caller) -> int:
    """What the agent said to a noise, before anybody asked it anything."""
    return len(caller.heard("agent_response", 0.0, caller.asks))
