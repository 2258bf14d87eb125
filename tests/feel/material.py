"""What a set of scores is made of, and how they are put together: each thing said, in turn by each voice, over each
line, with pauses of every length. The order is shuffled by the material's seed, so that no voice keeps to one line.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import TypeVar

from tests.feel.score import HUMMED, Cut, Echo, Kind, Line, Noise, Score, Sound, Speech, Voice, parts, renamed

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.200, 1.000
LONGEST_INTERRUPTION_S = 3.0
GREETED_EVERY = 4
"""One overlap in so many falls into the greeting: the caller's voice has not been heard before."""
AT_S = (1.2, 1.9, 2.45, 3.1)
"""Into the agent's answer; not all of them at the beginning of a frame."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Recording:
    """A human's sentence: `cuts` are (start, end, words) in seconds of the file, parted where one may pause."""

    file: str
    language: str
    cuts: tuple[tuple[float, float, str], ...]

    def between(self, first: int, last: int) -> Cut:
        """The recording from one cut to another, both included."""
        cuts = self.cuts[first : last + 1]
        return Cut(self.file, cuts[0][0], cuts[-1][1], " ".join(words for _, _, words in cuts))


@dataclass(frozen=True)
class Material:
    """By language, what is said; each sentence has a GO_ON_MARK where the caller pauses. `repeats`: how often each
    sentence and each noise is used, with another voice, pause and line each time."""

    name: str
    seed: int
    voices: Mapping[str, Sequence[Voice]]
    questions: Mapping[str, Sequence[str]]
    interruptions: Mapping[str, Sequence[str]]
    backchannels: Mapping[str, Sequence[str]]
    hums: Mapping[str, Sequence[str]]
    sentences: Mapping[str, Sequence[str]]
    noises: Sequence[Noise]
    echoes: Sequence[Echo]
    lines: Sequence[Line]
    recordings: Sequence[Recording]
    repeats: int

    def scores(self) -> tuple[Score, ...]:
        return renamed([*_Composer(self).overlaps(), *_Composer(self).pauses()])


class _Composer:
    def __init__(self, material: Material) -> None:
        self._material = material
        self._random = Random(material.seed)
        self._lines = self._shuffled(material.lines)
        self._silent_lines = self._shuffled(line for line in material.lines if not line.echo)
        self._voices = {language: self._shuffled(voices) for language, voices in material.voices.items()}
        self._questions = {language: cycle(texts) for language, texts in material.questions.items()}
        self._times = self._shuffled(AT_S)
        self._overlaps = 0

    def overlaps(self) -> Iterator[Score]:
        for language in self._material.voices:
            for text in self._material.interruptions[language]:
                yield self._spoken(Kind.INTERRUPTION, language, text)
            for text in self._material.backchannels[language]:
                yield self._spoken(Kind.BACKCHANNEL, language, text)
            for text in self._material.hums[language]:
                hum = Speech(text, Voice(HUMMED), self._material.seed + self._overlaps)
                yield self._overlap(Kind.BACKCHANNEL, language, hum, next(self._voices[language]))
        for recording in self._material.recordings:
            yield from map(self._human, *zip(*_excerpts(recording), strict=True))
        yield from self._noises()

    def pauses(self) -> Iterator[Score]:
        sentences = [
            (language, parts(text, next(self._voices[language])))
            for language, texts in self._material.sentences.items()
            for text in [*texts] * self._material.repeats
        ]
        human = [(each.language, split) for each in self._material.recordings for split in _splits(each)]
        both = sentences + human  # over lines without echo: the agent is silent
        lengths = self._lengths(len(both))
        for (language, said), pause_s in zip(both, lengths, strict=True):
            yield Score(self._material.name, Kind.PAUSE, language, said, next(self._silent_lines), pause_s=pause_s)

    def _lengths(self, count: int) -> list[float]:
        """As many of each length from the shortest to the longest, in any order."""
        step = (LONGEST_PAUSE_S - SHORTEST_PAUSE_S) / (count - 1)
        lengths = [round(SHORTEST_PAUSE_S + step * i, 3) for i in range(count)]
        self._random.shuffle(lengths)
        return lengths

    def _noises(self) -> Iterator[Score]:
        languages = cycle(self._material.voices)
        for noise in [*self._material.noises] * self._material.repeats:
            language = next(languages)
            yield self._overlap(Kind.NOISE, language, noise, next(self._voices[language]))
        for echo in [*self._material.echoes] * self._material.repeats:
            language = next(languages)
            line = Line("echo", telephone=next(self._lines).telephone, echo=echo)
            question = self._question(language, next(self._voices[language]))
            yield Score(self._material.name, Kind.NOISE, language, (), line, question)

    def _spoken(self, kind: Kind, language: str, text: str) -> Score:
        voice = next(self._voices[language])
        return self._overlap(kind, language, Speech(text, voice), voice)

    def _human(self, language: str, cut: Cut) -> Score:
        return self._overlap(Kind.INTERRUPTION, language, cut, None)

    def _overlap(self, kind: Kind, language: str, sound: Sound, asking: Voice | None) -> Score:
        """`asking` None: a caller who has asked nothing before."""
        self._overlaps += 1
        greeted = asking is None or self._overlaps % GREETED_EVERY == 0
        first = None if greeted else self._question(language, asking)
        return Score(self._material.name, kind, language, (sound,), next(self._lines), first, next(self._times))

    def _question(self, language: str, voice: Voice | None) -> Speech | None:
        return Speech(next(self._questions[language]), voice) if voice else None

    def _shuffled(self, items: Iterable[Item]) -> Iterator[Item]:
        """Each in turn, for ever, in an order of its own each time."""
        hand = list(items)
        while True:
            self._random.shuffle(hand)
            yield from list(hand)


def _excerpts(recording: Recording) -> Iterator[tuple[str, Cut]]:
    """What of a sentence can be said over somebody: its beginning, and its last words."""
    last = len(recording.cuts) - 1
    while recording.between(0, last).end - recording.cuts[0][0] > LONGEST_INTERRUPTION_S:
        last -= 1
    yield recording.language, recording.between(0, last)
    if last > 0:
        yield recording.language, recording.between(last, last)


def _splits(recording: Recording) -> Iterator[tuple[Cut, Cut]]:
    last = len(recording.cuts) - 1
    for at in range(last):
        yield recording.between(0, at), recording.between(at + 1, last)
