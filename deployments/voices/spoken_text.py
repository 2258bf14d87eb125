"""Which character of a text sounds when, from the times at which its words begin."""

from bisect import bisect_left
from itertools import pairwise

from serve_app.ports import Alignment


class SpokenText:
    """The characters of a text, each handed out exactly once and in order, as its sound is cut into chunks.

    Between two known times the characters are spread evenly: a word's share its time, and so do the space and the
    punctuation after it. All times are in ms from the start of the text's sound.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[float] = []  # of the characters timed so far
        self._taken = 0
        self.timed_until_ms = 0.0

    def word_begins(self, index: int, at_ms: float) -> None:
        """The word at text[index] begins. Marks that go back in the text or in time tell nothing and are dropped."""
        count = min(index, len(self._text)) - len(self._starts)
        if count <= 0 or at_ms < self.timed_until_ms:
            return
        step = (at_ms - self.timed_until_ms) / count
        self._starts += [self.timed_until_ms + i * step for i in range(count)]
        self.timed_until_ms = at_ms

    def ends(self, at_ms: float) -> None:
        """No more words: the text is over at `at_ms`."""
        self.word_begins(len(self._text), max(at_ms, self.timed_until_ms))

    def take(self, start_ms: float, end_ms: float) -> Alignment:
        """The characters not yet taken that begin before `end_ms`, timed from `start_ms`, none beyond `end_ms`."""
        first, self._taken = self._taken, bisect_left(self._starts, end_ms, lo=self._taken)
        edges = [*self._starts, self.timed_until_ms][first : self._taken + 1]
        times = [round(min(max(edge, start_ms), end_ms) - start_ms) for edge in edges]
        return Alignment(
            chars=tuple(self._text[first : self._taken]),
            starts_ms=tuple(times[:-1]),
            durations_ms=tuple(after - before for before, after in pairwise(times)),
        )
