"""Listening noise: what a caller says while the agent speaks, without wanting the floor.

The fields are ElevenLabs' (their turn configuration): `interruption_ignore_terms` are matched exactly but for case,
`merge_with_default_ignore_terms` adds default terms, those of `interruption_ignore_term_languages`. The defaults here
are ours; theirs are not published. A recogniser spells the same murmur in many ways, so punctuation, accents and
lengthening do not count either, and terms may follow one another: "tá, tá", "uhum, sei".
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

_MURMURS = """
    m | mhm | m hm | hm | hm hm | hum | hum hum | uhum | uhm hum | um hum | uh hum | uh huh | uhhuh | uhu | unrum
    unhum | aham | arram | aran | ahan | ahã | anham | aha | ah ha | ah | oh | ha | ha ha | haha | hahaha | hehe
    ok | okay | okey | okei | oquei | o k
"""
"""The same in every language, laughter among them."""
_WORDS = {
    "pt": """
        sim | sei | tá | tá bom | tá certo | tá ok | tá legal | está bom | está certo | certo | certinho | isso
        isso aí | isso mesmo | é isso | é | é mesmo | pois é | entendi | entendo | ah entendi | saquei | compreendo
        compreendi | estou entendendo | tô entendendo | estou ouvindo | tô ouvindo | claro | claro que sim
        exato | exatamente | com certeza | verdade | é verdade | beleza | legal | bacana | joia | ótimo | perfeito
        maravilha | que bom | que legal | tranquilo | tudo bem | tudo certo | nossa | puxa | poxa | ah tá
        então tá | tá então
    """,
    "en": """
        yes | yeah | yep | yup | ya | yah | right | alright | all right | sure | i see | i know | i understand
        i got it | got it | got you | gotcha | understood | cool | great | good | nice | fine | perfect | wonderful
        awesome | exactly | absolutely | totally | definitely | indeed | of course | true | that's true
        that's right | correct | makes sense | that makes sense | fair enough | sounds good | really | oh really
        oh wow | wow | interesting | um | uh
    """,
}
TAKES: Mapping[str, tuple[str, ...]] = {
    "pt": ("Uhum.", "Certo.", "Aham.", "Sei.", "Tá.", "Entendi."),
    "en": ("Mm-hmm.", "Right.", "Uh-huh.", "Okay.", "I see.", "Yeah."),
}
"""What the agent murmurs while it listens, by language: several, the same one twice sounds like a machine. In spellings
that every voice can read. There are none for other languages: a wrong sound there would be worse than silence."""
_ACCENTS = frozenset(map(chr, range(0x0300, 0x0370)))
"""Of Latin letters, once they are taken apart (Unicode block Combining Diacritical Marks)."""
_REPEATED = re.compile(r"([^\W\d_])\1+")


class IgnoreTerms:
    """`terms`: the agent's own. `defaults`: ours as well, of `languages` (ISO 639-1, with or without a region), or,
    where none are given, of the language of the conversation."""

    def __init__(self, terms: Sequence[str] = (), *, defaults: bool = True, languages: Sequence[str] = ()) -> None:
        self._own = frozenset(filter(None, map(_bare, terms)))
        self._defaults = defaults
        self._languages = frozenset(language[:2].lower() for language in languages)
        self._longest = max(term.count(" ") + 1 for term in self._own.union(*_DEFAULTS.values()))  # in words

    def ignores(self, text: str, language: str) -> bool:
        """Whether all of `text` is listening noise. No words at all are not: that is not for words to tell.

        Only to be asked while the agent is in the middle of something. After a question "sim" is the answer.
        """
        words = _bare(text).split()
        return bool(words) and self._consists(words, self._terms(language[:2].lower()))

    def may_ignore(self, text: str, language: str) -> bool:
        """Whether it may still become listening noise, cut off as it is: "of" may be "of course"."""
        words = _bare(text).split()
        terms = self._terms(language[:2].lower())
        ends = (" ".join(words[start:]) + " " for start in range(max(0, len(words) - self._longest), len(words)))
        return self._consists(words, terms) or any(
            self._consists(words[: len(words) - len(end.split())], terms) and any(t.startswith(end) for t in terms)
            for end in ends
        )

    def _terms(self, language: str) -> frozenset[str]:
        if not self._defaults:
            return self._own
        return self._own.union(_DEFAULTS[""], *(_DEFAULTS.get(of, ()) for of in self._languages or {language}))

    def _consists(self, words: list[str], terms: frozenset[str]) -> bool:
        """Of terms, one after the other."""
        reached = [True]  # whether the first so many words do
        for end in range(1, len(words) + 1):
            starts = range(max(0, end - self._longest), end)
            reached.append(any(reached[start] and " ".join(words[start:end]) in terms for start in starts))
        return reached[-1]


def _bare(text: str) -> str:
    """Words in lower case, without punctuation, accents and lengthening: "Siiim, tá..." is "sim ta"."""
    kept = "".join(map(_kept, unicodedata.normalize("NFD", text.casefold())))
    return " ".join(_REPEATED.sub(r"\1", kept).split())


def _kept(char: str) -> str:
    if char in _ACCENTS:
        return ""
    return char if unicodedata.category(char)[0] in "LMN" else " "  # M: vowel signs of scripts that have them


def _listed(terms: str) -> frozenset[str]:
    return frozenset(filter(None, map(_bare, re.split(r"[|\n]", terms))))


_DEFAULTS = {language: _listed(terms) for language, terms in {"": _MURMURS, **_WORDS}.items()}
