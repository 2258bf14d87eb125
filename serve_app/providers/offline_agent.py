"""The agent that needs no key, no model and no network: it answers from what it heard, the same way every time."""

import json
import re
import unicodedata
from collections.abc import AsyncGenerator, Sequence
from itertools import takewhile
from uuid import uuid4

from serve_app.conversation.notes import UNCLEAR_NOTE, WAY_OUT_NOTE
from serve_app.ports import Message, ModelRequest, Reasoning, ToolCall
from serve_app.providers.offline_script import ENGLISH, PORTUGUESE, Script

HEARD_CHARACTERS = 200  # about 13 s of speech: what follows is neither searched nor repeated
GOODBYE = "{goodbye}"


class OfflineAgent:
    """A LanguageModel without a language model. It says so, and never claims to have done what it cannot do.

    Of the tools it knows end_call alone: it hangs up on a caller who says goodbye.
    """

    async def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall | Reasoning, None]:
        """Answer the last message, word by word, in Portuguese ("pt", "pt-BR", ...) or else in English."""
        script = PORTUGUESE if request.language.lower().startswith("pt") else ENGLISH
        messages = request.messages
        heard, results = _clean(_last(messages, "user")), _clean(" ".join(_results(messages)))
        template = _template(script, messages, heard=heard, results=results)
        answer = template.format(
            introduction=script.introduction,
            limits=script.limits,
            goodbye=script.goodbye,
            heard=heard,
            said=_last(messages, "assistant") or script.introduction,
            results=results,
        )
        for word in re.findall(r"\S+\s*", answer[0].upper() + answer[1:]):
            yield word
        if template == GOODBYE and any(tool.name == "end_call" for tool in request.tools):
            yield ToolCall(f"call_{uuid4().hex}", "end_call", json.dumps({"reason": "the caller said goodbye"}))


def _last(messages: Sequence[Message], role: str) -> str:
    """What was said last: a tool call without a word was not."""
    said = (message for message in reversed(messages) if message.content or not message.tool_calls)
    return next((message.content.strip() for message in said if message.role == role), "")


def _results(messages: Sequence[Message]) -> list[str]:
    """Of the tools that were called last, without JSON's punctuation: nobody says braces."""
    last = takewhile(lambda message: message.role == "tool", reversed(messages))
    return [re.sub(r'[{}\[\]"]', "", message.content) for message in last][::-1]


def _clean(text: str) -> str:
    return " ".join(text[:HEARD_CHARACTERS].split()).strip(" .,;:!?")


def _words(text: str) -> str:
    """Lower case, no accents, one space around each word: so `_words(a) in _words(b)` compares whole words."""
    letters = (c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", " ", f" {''.join(letters)} ")


def _template(script: Script, messages: Sequence[Message], *, heard: str, results: str) -> str:
    match messages[-1].role if messages else "":
        case "tool":
            return script.results if results else script.done
        case "system":  # at the end of the dialogue it is a note
            notes = {UNCLEAR_NOTE: script.unclear, WAY_OUT_NOTE: script.way_out}
            return notes.get(messages[-1].content, script.silence)
        case _:
            return _answer_to(script, _words(heard))


def _answer_to(script: Script, heard: str) -> str:
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
