import msgspec
import pytest

from serve_app.conversation.agent import Agent, Voice
from serve_app.conversation.ignore_terms import TAKES
from serve_app.conversation.known_clauses import KnownClause, known_clauses
from serve_app.conversation.lines import all_lines
from serve_app.conversation.reply import Reply
from serve_app.conversation.turn_metrics import TurnMetrics

FILE = {
    "name": "Ana",
    "conversation_config": {
        "agent": {
            "language": "pt-br",
            "first_message": "Olá, aqui é a Ana, da Padaria Sol. Em que posso ajudar?",
            "max_conversation_duration_message": "O tempo acabou. Até logo!",
            "prompt": {
                "built_in_tools": {
                    "transfer_to_agent": {
                        "name": "transfer_to_agent",
                        "params": {
                            "system_tool_type": "transfer_to_agent",
                            "transfers": [
                                {"agent_id": "bia", "condition": "cobrança", "transfer_message": "Vou chamar a Bia."}
                            ],
                        },
                    }
                }
            },
        },
        "turn": {
            "soft_timeout_config": {
                "timeout_seconds": 2,
                "message": "Deixa eu ver...",
                "additional_soft_timeout_messages": ["Mais um pouco, {{name}}.", "Já vai!"],
            }
        },
        "tts": {"voice_id": "ana"},
        "language_presets": {
            "en": {"overrides": {"agent": {"first_message": "Hello there!"}, "tts": {"voice_id": "anne"}}}
        },
    },
    "hello": {
        "on_failure": {"action": "end", "message": "Ligue mais tarde."},
        "on_guardrail": {"message": "Isso eu não faço."},
    },
}
AGENT = msgspec.convert(FILE, Agent)
ANA, ANNE = Voice(voice_id="ana"), Voice(voice_id="anne")


def test_all_that_it_says_word_for_word_is_known_in_each_language() -> None:
    known = known_clauses(AGENT)
    texts = {clause.text for clause in known if clause.language == "pt-br"}
    assert texts >= {
        "Em que posso ajudar?",
        "O tempo acabou.",
        "Até logo!",
        "Vou chamar a Bia.",
        "Deixa eu ver...",
        "Já vai!",
        "Ligue mais tarde.",
        "Isso eu não faço.",
        "Só um momento.",
    }
    assert KnownClause("Hello there!", "en", ANNE) in known
    assert KnownClause("One moment, please.", "en", ANNE) in known
    assert {(clause.language, clause.voice) for clause in known} == {("pt-br", ANA), ("en", ANNE)}
    assert len(set(known)) == len(known)


def test_what_variables_change_is_not_known() -> None:
    assert not any("{{" in clause.text for clause in known_clauses(AGENT))


@pytest.mark.parametrize("before", ["", "Pois não."])
@pytest.mark.parametrize("language", ["pt-br", "en"])
def test_whatever_a_reply_says_of_it_is_cut_alike(language: str, before: str) -> None:
    """At the beginning of an answer, and after other words."""
    known = {clause.text for clause in known_clauses(AGENT)}
    persona = AGENT.conversation_config.agent
    own = [persona.first_message, persona.max_conversation_duration_message or "", "  Deixa eu ver... "]
    for text in [*own, *all_lines(language)]:
        reply = Reply(1, language, ANA, TurnMetrics())
        if before:
            reply.utter(before, 0.0)
        reply.utter(text, 0.0)
        reply.end(0.0)
        said = []
        while wanted := reply.next_clauses(0.0):
            for each in wanted:
                said.append(each.clause.text)
                reply.clause_whole(each.number)
        assert set(said[1 if before else 0 :]) <= known


def test_an_agent_that_only_writes_says_nothing() -> None:
    config = msgspec.structs.replace(
        AGENT.conversation_config,
        conversation=msgspec.convert({"text_only": True}, type(Agent("").conversation_config.conversation)),
    )
    assert known_clauses(msgspec.structs.replace(AGENT, conversation_config=config)) == []


def test_an_agent_without_messages_still_has_our_lines() -> None:
    texts = {clause.text for clause in known_clauses(Agent("Bia"))}
    assert "Só um momento." in texts
    assert all(any(text in line for line in [*all_lines("pt"), *TAKES["pt"]]) for text in texts)
