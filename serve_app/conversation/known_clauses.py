"""What an agent may say word for word, known before anybody calls: its audio can be made in advance."""

from collections.abc import Iterator

import msgspec

from serve_app.conversation.agent import Agent, Voice
from serve_app.conversation.dynamic_variables import names
from serve_app.conversation.ignore_terms import TAKES
from serve_app.conversation.lines import all_lines
from serve_app.conversation.overrides import in_language
from serve_app.conversation.phrasing import Clause, Phrasing
from serve_app.conversation.tools import TransferToAgent


class KnownClause(msgspec.Struct, frozen=True):
    text: str
    language: str
    voice: Voice


def known_clauses(agent: Agent) -> list[KnownClause]:
    """The clauses of its own messages and of our lines, in every language it has, each once. A text that depends on
    variables is not known. Raises OverrideError for a preset of a language that does not fit."""
    if agent.conversation_config.conversation.text_only:
        return []
    found: dict[KnownClause, None] = {}
    for language in agent.languages:
        speaking = in_language(agent, language)
        murmurs = TAKES.get(language[:2], ()) if speaking.hello.backchannels else ()
        for text in [*_messages(speaking), *all_lines(language), *murmurs]:
            for clause in _clauses(text):
                found[KnownClause(clause.text, language, speaking.conversation_config.tts)] = None
    return list(found)


def _messages(agent: Agent) -> Iterator[str]:
    config = agent.conversation_config
    soft = config.turn.soft_timeout_config
    transfer = config.agent.prompt.built_in_tools.transfer_to_agent
    texts = [
        config.agent.first_message,
        config.agent.max_conversation_duration_message or "",
        soft.message,
        *soft.additional_soft_timeout_messages,
        agent.hello.on_failure.message,
        agent.hello.on_guardrail.message,
    ]
    if transfer and isinstance(transfer.params, TransferToAgent):
        texts += [each.transfer_message for each in transfer.params.transfers]
    return (text for text in texts if not names(text))


def _clauses(text: str) -> list[Clause]:
    """As an answer is cut that begins with this text, and one that comes to it later: only a first clause is short."""
    text = text.lstrip()
    first, later = Phrasing(), Phrasing()
    _phrased(later, "Well.")
    return _phrased(first, text) + _phrased(later, f" {text}")


def _phrased(phrasing: Phrasing, text: str) -> list[Clause]:
    return [*phrasing.feed(text), *phrasing.finish()]
