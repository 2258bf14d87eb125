"""What turn-taking decides, and the judgement it asks for. The conversation carries the decisions out."""

from enum import Enum, auto

import msgspec


class Words(Enum):
    """What the recogniser found in a stretch of the caller's sound."""

    NONE = auto()
    BACKCHANNEL = auto()  # nothing but "uh-huh", "right" and the like
    SPEECH = auto()


class Judgement(msgspec.Struct, frozen=True):
    """Scores, 0..1, of a window of the caller's speech: has the turn ended? is it an interruption?"""

    turn_end: float
    interruption: float


class Recognise(msgspec.Struct, frozen=True):
    """Recognise the caller's samples [start, end), and report under `id`. An earlier one still running is void."""

    id: int
    start: int
    end: int


class Overhear(msgspec.Struct, frozen=True):
    """Recognise the same way what the caller has said so far, to show it: they are still speaking. It comes second to
    a recognition that counts."""

    id: int
    start: int
    end: int


class Judge(msgspec.Struct, frozen=True):
    """Ask the judge, if there is one, about the caller's audio up to the sample `end`, and report under `id`. Their
    present speech began at `start`. `overlap`: it is over the agent's; otherwise they are quiet now."""

    id: int
    start: int
    end: int
    overlap: bool


class Prepare(msgspec.Struct, frozen=True):
    """The turn may be over: begin an answer to the words recognised last, and hold it."""


class Discard(msgspec.Struct, frozen=True):
    """The caller goes on: drop the recognition that runs and the answer that was prepared."""


class TakeTurn(msgspec.Struct, frozen=True):
    """The turn is over and the agent's: give the answer. `caller_stopped` is when, on the loop clock."""

    caller_stopped: float


class NoWords(msgspec.Struct, frozen=True):
    """Sound, but no words. `owed`: an answer is expected all the same (after an interruption, or long speech).
    `overdue`: it was the recogniser that never answered."""

    owed: bool
    overdue: bool = False


class Hold(msgspec.Struct, frozen=True):
    """The turn is over, but its words are late: say something meanwhile."""


class Duck(msgspec.Struct, frozen=True):
    pass


class Swell(msgspec.Struct, frozen=True):
    pass


class Interrupt(msgspec.Struct, frozen=True):
    """The caller takes the floor: the agent stops."""


class Yield(msgspec.Struct, frozen=True):
    """The caller wants the floor, and gets it when the clause that is being said is over."""


class Ignore(msgspec.Struct, frozen=True):
    """The words recognised last were listening noise: the agent goes on."""


class Backchannel(msgspec.Struct, frozen=True):
    """Murmur that somebody listens. The floor stays the caller's."""


class Judged(msgspec.Struct, frozen=True):
    """Something was decided with the judge's view: a pause or an overlap (`of`), what it came to, and what it would
    have come to by the rules alone."""

    of: str
    rules: str
    decided: str


Decision = (
    Recognise
    | Overhear
    | Judge
    | Judged
    | Prepare
    | Discard
    | Hold
    | TakeTurn
    | NoWords
    | Duck
    | Swell
    | Interrupt
    | Yield
    | Ignore
    | Backchannel
)
Decisions = list[Decision]
