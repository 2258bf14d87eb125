"""Language-model tokens -> clauses worth speaking.

Clauses are whole sentences, which keeps the prosody, but for the first: it may end at a comma, so that the voice
starts early. Each clause is an exact piece of the answer: offsets are what ties sound to text later.

An answer is anybody's text, of any length: no search looks further than the longest clause, or starts over on a run.
"""

import re

import msgspec

FIRST_CLAUSE_WORDS = 3
"""A first clause shorter than this sounds clipped: it waits for the end of its sentence."""
LONGEST_CLAUSE = 240
"""Characters. A sentence that runs on is cut at its last pause: about 16 s of speech is plenty to ask for at once."""

_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*+(?=\s)|\n")
_PAUSE = re.compile(r"[,;:—–](?=\s)")
_ABBREVIATION = re.compile(r"\b(?:srs?|sras?|dras?|drs?|profa?|av|mrs?|ms|st|nº)\.$", re.IGNORECASE)
_LONGEST_ABBREVIATION = len("profa.\n")
_LIST_NUMBER = re.compile(r"\s*+\d{1,2}\.$")
"""Full stops that end no sentence; nor does a line break right after one (`$` lets it be)."""


class Clause(msgspec.Struct, frozen=True):
    """`text` is `answer[start:end]`, without white space around it."""

    start: int
    end: int
    text: str


class Phrasing:
    """Feed it the answer as it comes; it gives each clause once, as soon as it is whole."""

    def __init__(self) -> None:
        self.answer = ""
        self._taken = 0
        self._sought = 0  # no sentence ends between `_taken` and here
        self._first = True

    @property
    def pending(self) -> bool:
        """There are words after the last clause."""
        return any(c.isalnum() for c in self.answer[self._taken :])

    def feed(self, text: str) -> list[Clause]:
        self.answer += text
        clauses = []
        while (end := self._next_end()) is not None:
            clauses += self._take(end)
        return clauses

    def finish(self) -> list[Clause]:
        """The answer is complete: what is left is the last clause, if it has a word in it."""
        return self._take(len(self.answer))

    def _next_end(self) -> int | None:
        """The earliest end: the clauses are the same whether the answer comes letter by letter or all at once."""
        limit = self._taken + LONGEST_CLAUSE
        end = self._sentence_end(limit + 1)
        if self._first:
            end = self._pause_after(FIRST_CLAUSE_WORDS, end or limit + 1) or end
        return self._last_break(limit) if (end or len(self.answer)) > limit else end

    def _sentence_end(self, until: int) -> int | None:
        """Of what is seen before `until`, the white space that shows the end included."""
        while match := _SENTENCE_END.search(self.answer, self._sought, until):
            if not self._is_abbreviated(match.end()):
                return match.end()
            self._sought = match.end()
        return None

    def _is_abbreviated(self, end: int) -> bool:
        start = max(self._taken, end - _LONGEST_ABBREVIATION)
        return bool(_ABBREVIATION.search(self.answer, start, end) or _LIST_NUMBER.match(self.answer, self._taken, end))

    def _pause_after(self, words: int, until: int) -> int | None:
        for match in _PAUSE.finditer(self.answer, self._taken, until):
            if len(self.answer[self._taken : match.start()].split()) >= words:
                return match.end()
        return None

    def _last_break(self, limit: int) -> int:
        pauses = [m.end() for m in _PAUSE.finditer(self.answer, self._taken, limit)]
        space = self.answer.rfind(" ", self._taken + 1, limit)
        return pauses[-1] if pauses else (space if space > 0 else limit)

    def _take(self, end: int) -> list[Clause]:
        piece = self.answer[self._taken : end]
        start = self._taken + len(piece) - len(piece.lstrip())
        self._taken = self._sought = end
        text = piece.strip()
        if not any(c.isalnum() for c in text):
            return []
        self._first = False
        return [Clause(start, start + len(text), text)]
