"""A score of a dialogue: who says what, when, over which line, and what it is meant to be.

Two forms. An overlap: the agent is in the middle of a long answer, and over it comes an interruption, a backchannel or
a noise. A pause: the caller speaks, falls silent in mid-sentence, goes on, and then is done.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

GO_ON_MARK = "|"
"""In a sentence: where the caller pauses and goes on."""
UNWRITTEN_MARK = "~"
"""Before a word: a filled pause that is heard, and that recognisers leave out."""


class Kind(Enum):
    INTERRUPTION = "interruption"
    BACKCHANNEL = "backchannel"
    NOISE = "noise"
    PAUSE = "pause"


@dataclass(frozen=True)
class Voice:
    """espeak-ng's `name` ("pt-br+f2") at `rate` words a minute; HUMMED: a hum through the nose, in samples."""

    name: str
    rate: int = 165


HUMMED = "hummed"


@dataclass(frozen=True)
class Speech:
    """What a synthetic voice says. `take` tells renderings of the same text apart where they are made from seeds."""

    text: str
    voice: Voice
    take: int = 0

    @property
    def written(self) -> str:
        """What a recogniser makes of it."""
        return " ".join(word for word in self.text.split() if not word.startswith(UNWRITTEN_MARK))

    @property
    def source(self) -> str:
        return self.voice.name


@dataclass(frozen=True)
class Cut:
    """Seconds [start, end) of a human recording, in which `text` is said."""

    file: str
    start: float
    end: float
    text: str

    @property
    def written(self) -> str:
        return self.text

    @property
    def source(self) -> str:
        return "human"


@dataclass(frozen=True)
class Noise:
    """`name` as in `noises`; `seconds` long at `level_db` (RMS, dB of full scale)."""

    name: str
    seconds: float
    level_db: float
    seed: int

    @property
    def written(self) -> str:
        return ""

    @property
    def source(self) -> str:
        return self.name


@dataclass(frozen=True)
class Echo:
    """The agent's own voice coming back: `level_db` below what was sent, `delay_s` later, through a small room."""

    level_db: float
    delay_s: float
    seed: int


@dataclass(frozen=True)
class Line:
    """What lies between the caller's mouth and the server. `telephone`: 300-3400 Hz and mu-law at 8 kHz. `dc`: of full
    scale. `background`: noise all through the call (its `seconds` are its period)."""

    name: str = "clean"
    gain_db: float = 0.0
    telephone: bool = False
    dc: float = 0.0
    background: Noise | None = None
    echo: Echo | None = None


Sound = Speech | Cut | Noise


@dataclass(frozen=True)
class Score:
    """One dialogue.

    first: what the caller asks before, so that the agent answers at length (None: the agent's long greeting).
    sounds: the overlap, or the parts of a sentence with `pause_s` between them. `at_s`: how far into the agent's answer
    an overlap begins. An overlap without sounds is the agent's echo alone.
    """

    name: str
    kind: Kind
    language: str
    sounds: tuple[Sound, ...]
    line: Line = field(default_factory=Line)
    first: Speech | Cut | None = None
    at_s: float = 2.0
    pause_s: float = 0.0

    @property
    def source(self) -> str:
        """Whose voice, or which noise."""
        return self.sounds[0].source if self.sounds else "echo"

    @property
    def text(self) -> str:
        return f" {GO_ON_MARK} ".join(sound.written for sound in self.sounds)


def parts(sentence: str, voice: Voice, take: int = 0) -> tuple[Speech, ...]:
    """A sentence with GO_ON_MARK in it, as what is said before and after the pause."""
    return tuple(Speech(text.strip(), voice, take) for text in sentence.split(GO_ON_MARK))


def slug(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def renamed(scores: Sequence[Score]) -> tuple[Score, ...]:
    """Each under a name of its own: its kind, its words, and a number."""
    return tuple(
        replace(score, name=f"{score.name}/{score.kind.value}/{slug(score.text or score.source)[:40]}/{number}")
        for number, score in enumerate(scores)
    )
