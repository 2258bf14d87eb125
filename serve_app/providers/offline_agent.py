"""The agent that needs no key, no model and no network: it answers from what it heard, the same way every time."""

import re
import unicodedata
from collections.abc import AsyncGenerator, Sequence

from serve_app.ports import Message
from serve_app.providers.offline_script import ENGLISH, PORTUGUESE, Script

HEARD_CHARACTERS = 200  # about 13 s of speech: what follows is neither searched nor repeated


class OfflineAgent:
    """A LanguageModel without a language model. It says so, and never claims to have done what it cannot do."""

    async def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        """Answer the last user message, word by word, in Portuguese ("pt", "pt-BR", ...) or else in English."""
        script = PORTUGUESE if language.lower().startswith("pt") else ENGLISH
        heard = " ".join(_last(messages, "user")[:HEARD_CHARACTERS].split()).strip(" .,;:!?")
        answer = _template(script, _words(heard)).format(
            introduction=script.introduction,
            limits=script.limits,
            heard=heard,
            said=_last(messages, "assistant") or script.introduction,
        )
        for word in re.findall(r"\S+\s*", answer[0].upper() + answer[1:]):
            yield word


def _last(messages: Sequence[Message], role: str) -> str:
    return next((message.content.strip() for message in reversed(messages) if message.role == role), "")


def _words(text: str) -> str:
    """Lower case, no accents, one space around each word: so `_words(a) in _words(b)` compares whole words."""
    letters = (c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", " ", f" {''.join(letters)} ")


def _template(script: Script, heard: str) -> str:
    if heard.isspace():
        return script.nothing
    if all(word.isdigit() or f" {word} " in _words(script.numbers) for word in heard.split()):
        return "{heard}."
    for phrases, answer in script.alone:
        if heard in map(_words, phrases):
            return answer
    for phrases, answer in script.within:
        if any(_words(phrase) in heard for phrase in phrases):
            return answer
    return script.unknown
