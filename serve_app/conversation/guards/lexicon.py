"""Texts as strings of symbols, one for each word: what it means, as far as a vocabulary goes. Rules are searched there,
where a sentence is as long as it has words."""

import re
from collections.abc import Iterator, Mapping

from serve_app.conversation.guards.normalise import words

NOTHING = "nothing"
"""The concept that takes a word, or all that begin so, out of what shorter entries say of it."""
BLOB = 14
"""Letters of a word in which others may be hidden, written together."""
_NO_MEANING = " "

Meaning = frozenset[str]


class Lexicon:
    """`vocabulary`: concepts, and the words that stand for them; one that ends in * stands for all that begin so."""

    def __init__(self, vocabulary: Mapping[str, str]) -> None:
        self._entries: dict[str, set[str]] = {}
        for concept, listed in vocabulary.items():
            for entry in listed.split():
                self._entries.setdefault(_spelled(entry), set()).add(concept)
        self._concepts = frozenset(vocabulary)
        self._longest = max(map(len, self._entries))
        self._symbols: dict[Meaning, str] = {frozenset(): _NO_MEANING}
        for entry in sorted(self._entries):
            self._symbol_of(self._meaning(entry.rstrip("*")))
            self._symbol_of(self._meaning(entry.rstrip("*") + "_"))  # any other word that begins so
        hidden = sorted((e.rstrip("*") for e in self._entries if len(e) > 4), key=len, reverse=True)
        self._hidden = re.compile("|".join(map(re.escape, hidden)))

    def symbols(self, text: str) -> str:
        return "".join(self._symbols[self._meaning(word)] for word in self._apart(words(text)))

    def pattern(self, sequence: str) -> re.Pattern[str]:
        """Of concepts; a number: so many words at most between its neighbours. " or " is between sequences."""
        return re.compile("|".join(map(self._pattern, sequence.split(" or "))), re.DOTALL)

    def _pattern(self, sequence: str) -> str:
        return "".join(rf".{{0,{p}}}?" if p.isdigit() else self._one_of(p) for p in sequence.split())

    def _one_of(self, concept: str) -> str:
        if concept not in self._concepts:
            raise ValueError(f"no word means {concept!r}")
        return f"[{''.join(symbol for meaning, symbol in self._symbols.items() if concept in meaning)}]"

    def _symbol_of(self, meaning: Meaning) -> None:
        self._symbols.setdefault(meaning, chr(0xE000 + len(self._symbols)))  # the private use area

    def _meaning(self, word: str) -> Meaning:
        """Of every entry that fits, the longest first."""
        found = self._entries.get(word, set())
        for end in range(min(len(word), self._longest), 1, -1):
            if NOTHING in found:
                return frozenset() if len(found) == 1 else frozenset(found - {NOTHING})
            found = found | self._entries.get(word[:end] + "*", set())
        return frozenset(found - {NOTHING})

    def _apart(self, found: list[str]) -> Iterator[str]:
        for word in found:
            hidden = self._hidden.findall(word) if len(word) >= BLOB else []
            yield from hidden if len(hidden) > 1 else [word]


def _spelled(entry: str) -> str:
    [word] = words(entry)
    return word + "*" * entry.endswith("*")
