"""What the caller's words so far say about whether the turn is over.

The recogniser's full stop proves nothing, it ends every clip with one. Its other signs do: it writes "..." or a comma
where the voice stays up, and a question mark where something was asked.
"""

from enum import Enum, auto

from serve_app.conversation.dictation import Dictated, dictated
from serve_app.conversation.tails import LONGEST, TAILS, Tails

_EDGES = ".,;:!?¿¡…\"'“”‘()[]«»-–—"
_QUOTES = " \"'”’)"
_TRAILS_OFF = (",", "...", "…", "-", "–", "—", ":")


class Ending(Enum):
    COMPLETE = auto()  # a whole question, or an answer to which nothing need be added
    UNFINISHED = auto()  # more must come
    SPELLING = auto()  # a number, a code, an address or a name is being dictated, and not all of it is there
    UNCLEAR = auto()


def ending(text: str, language: str, asked: str = "") -> Ending:
    """`text`: the caller's turn so far, as recognised, cut at a pause. `language`: ISO 639-1, with or without a region;
    words are understood in Portuguese and English, figures in any. `asked`: what the agent said last: it may have named
    the number that is dictated now."""
    words, language = _words(text), language[:2].lower()
    trails_off = text.rstrip(_QUOTES).endswith(_TRAILS_OFF)
    of_dictation = dictated(words, language, _last_sentence(asked))
    if of_dictation:
        return _of_dictation(of_dictation, trails_off)
    if not words or language not in TAILS:
        return Ending.UNCLEAR
    tails = TAILS[language]
    if trails_off:
        return Ending.UNFINISHED
    if text.rstrip(_QUOTES).endswith(("?", "!")):
        return Ending.UNFINISHED if words[-1] in tails.bound else Ending.COMPLETE
    return _by_tail(_last_sentence(text), tails)


def _of_dictation(dictated: Dictated, trails_off: bool) -> Ending:
    if dictated is Dictated.ALL:
        return Ending.COMPLETE
    return Ending.SPELLING if trails_off or dictated is Dictated.IN_PART else Ending.UNCLEAR


def _by_tail(words: list[str], tails: Tails) -> Ending:
    marked = ["^", *words]
    for length in range(min(LONGEST, len(marked)), 0, -1):
        tail = " ".join(marked[-length:])
        if tail in tails.complete:
            return Ending.COMPLETE
        if tail in tails.unclear:
            return Ending.UNCLEAR
        if tail in tails.unfinished:
            stranded = words[-1] in tails.stranded and not tails.strands.isdisjoint(words[:-1])
            return Ending.UNCLEAR if stranded else Ending.UNFINISHED
    return Ending.UNCLEAR


def _last_sentence(text: str) -> list[str]:
    sentences = text.replace("!", ".").replace("?", ".").split(". ")
    return next((words for words in map(_words, reversed(sentences)) if words), [])


def _words(text: str) -> list[str]:
    bare = (word.strip(_EDGES) for word in text.lower().replace("’", "'").split())
    return [word for word in bare if word]
