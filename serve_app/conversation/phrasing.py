"""Language-model tokens -> clauses worth speaking.

Clauses are whole sentences, which keeps the prosody, but for the first: it may end at a comma, so that the voice
starts early. Each clause is an exact piece of the answer: offsets are what ties sound to text later.
"""

import re

import msgspec

FIRST_CLAUSE_WORDS = 3
"""A first clause shorter than this sounds clipped: it waits for the end of its sentence."""
LONGEST_CLAUSE = 240
"""Characters. A sentence that runs on is cut at its last pause: about 16 s of speech is plenty to ask for at once."""

_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n")
_PAUSE = re.compile(r"[,;:—–](?=\s)")
_ABBREVIATION = re.compile(
    r"(?:^|\W)(?:srs?|sras?|dras?|drs?|profa?|av|mrs?|ms|st|nº)\.$|^\s*\d{1,2}\.$", re.IGNORECASE
)
"""A full stop that ends no sentence: titles, and the numbers of a list."""


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
        self._first = True

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
        ends = [self._sentence_end()]
        if self._first:
            ends.append(self._pause_after(FIRST_CLAUSE_WORDS))
        end = min((end for end in ends if end is not None), default=None)
        limit = self._taken + LONGEST_CLAUSE
        return self._last_break(limit) if (end or len(self.answer)) > limit else end

    def _sentence_end(self) -> int | None:
        for match in _SENTENCE_END.finditer(self.answer, self._taken):
            if not _ABBREVIATION.search(self.answer[self._taken : match.end()]):
                return match.end()
        return None

    def _pause_after(self, words: int) -> int | None:
        for match in _PAUSE.finditer(self.answer, self._taken):
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
        self._taken = end
        text = piece.strip()
        if not any(c.isalnum() for c in text):
            return []
        self._first = False
        return [Clause(start, start + len(text), text)]
