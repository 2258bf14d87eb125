"""Words by which a caller tries to make the agent break its rules: prompt injection and social engineering.

A rule is a sequence of concepts with so many other words between them at most: "disregard 4 rules". It finds what
people say in many ways, as long as the words are known ones: a tripwire, and no wall.
"""

import re
from typing import NamedTuple

from serve_app.conversation.guards.lexicon import Lexicon
from serve_app.conversation.guards.rules import MARKS, RULES
from serve_app.conversation.guards.vocabulary import VOCABULARY

LONGEST = 4_000
"""Characters of a turn that are looked at, minutes of speech; of a longer one its beginning and its end."""


class _Rule(NamedTuple):
    kind: str
    pattern: re.Pattern[str]
    innocent: re.Pattern[str] | None


_LEXICON = Lexicon(VOCABULARY)


def _rule(kind: str, text: str) -> _Rule:
    sequence, _, innocent = text.partition(" unless ")
    return _Rule(kind, _LEXICON.pattern(sequence), _LEXICON.pattern(innocent) if innocent else None)


_RULES = [_rule(kind, text) for kind, texts in RULES.items() for text in texts]
_MARKS = {kind: re.compile("|".join(marks), re.IGNORECASE | re.MULTILINE) for kind, marks in MARKS.items()}


def injection(text: str) -> str | None:
    """The kind of attack that a caller's words are: override, extraction, roleplay, authority, tool_abuse, secrets,
    delimiter or obfuscated; None: they are none that is known."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
    symbols = _LEXICON.symbols(text)
    for rule in _RULES:
        if rule.pattern.search(symbols) and not (rule.innocent and rule.innocent.search(symbols)):
            return rule.kind
    return next((kind for kind, marks in _MARKS.items() if marks.search(text)), None)
