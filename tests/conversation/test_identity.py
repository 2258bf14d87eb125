from typing import Any

import msgspec
import pytest

from serve_app.conversation.agent import Agent
from serve_app.conversation.client_messages import ConversationInitiation
from serve_app.conversation.identity import Identity
from serve_app.conversation.opening import begin
from serve_app.conversation.tools import AgentTransfer
from serve_app.errors import ToolError

PRESETS = {
    "en": {"overrides": {"tts": {"voice_id": "english"}}, "first_message_translation": {"text": "Hello, {{nome}}!"}},
    "es": {"overrides": {"agent": {"prompt": {"prompt": "Sé breve, {{nome}}."}}}},
}
ANA: dict[str, Any] = {
    "name": "Ana",
    "conversation_config": {
        "agent": {
            "language": "pt",
            "first_message": "Olá, {{nome}}!",
            "prompt": {"prompt": "Seja breve, {{nome}}."},
            "dynamic_variables": {"dynamic_variable_placeholders": {"nome": "você", "loja": "padaria"}},
        },
        "tts": {"voice_id": "portuguese"},
        "language_presets": PRESETS,
    },
}
RUI: dict[str, Any] = {
    "name": "Rui",
    "conversation_config": {
        "agent": {
            "language": "en",
            "first_message": "This is the {{loja}}.",
            "prompt": {"prompt": "Be brief, {{nome}}."},
            "dynamic_variables": {"dynamic_variable_placeholders": {"loja": "bakery"}},
        },
        "tts": {"voice_id": "rui"},
    },
}
AGENTS = {"rui": msgspec.convert(RUI, Agent), "ana": msgspec.convert(ANA, Agent)}


def other(**config: Any) -> Agent:
    """Rui, with sections of his configuration replaced."""
    return msgspec.convert({**RUI, "conversation_config": {**RUI["conversation_config"], **config}}, Agent)


def ana(agents: dict[str, Agent] = AGENTS, **variables: str) -> Identity:
    """Ana, in a call with these dynamic variables."""
    opening = begin(agents["ana"], ConversationInitiation(dynamic_variables=variables), {"system__agent_id": "ana"})  # type: ignore[arg-type]
    return Identity(opening, agents)


def to(agent_id: str) -> AgentTransfer:
    return AgentTransfer(agent_id, "when it is time")


def said(identity: Identity) -> tuple[str, str, str]:
    return identity.prompt, identity.first_message, identity.voice.voice_id


IN_PORTUGUESE = ("Seja breve, Eva.", "Olá, Eva!", "portuguese")
IN_ENGLISH = ("Seja breve, Eva.", "Hello, Eva!", "english")


def test_it_begins_as_the_agent_that_was_opened() -> None:
    identity = ana(nome="Eva")
    assert identity.language == "pt"
    assert said(identity) == IN_PORTUGUESE


# ---- language


def test_another_language_brings_its_preset() -> None:
    identity = ana(nome="Eva")
    identity.change_language("en")
    assert identity.language == "en"
    assert said(identity) == IN_ENGLISH


def test_a_preset_leaves_nothing_behind() -> None:
    identity = ana(nome="Eva")
    for language in ("en", "es", "en", "pt", "es"):
        identity.change_language(language)
    assert said(identity) == ("Sé breve, Eva.", "Olá, Eva!", "portuguese")
    identity.change_language("pt")
    assert said(identity) == IN_PORTUGUESE


@pytest.mark.parametrize("language", ["fr", "", "EN", "pt-br"])
def test_a_language_it_does_not_have_changes_nothing(language: str) -> None:
    identity = ana(nome="Eva")
    with pytest.raises(ToolError, match="pt, en, es"):
        identity.change_language(language)
    assert identity.language == "pt"
    assert said(identity) == IN_PORTUGUESE


def test_it_answers_in_the_language_it_hears() -> None:
    identity = ana()
    identity.heard("fr")
    assert identity.language == "fr"
    identity.heard("")
    assert identity.language == "fr", "not recognised: as before"


def test_a_value_stays_what_it_is_however_often_the_language_changes() -> None:
    """It is data of the caller's: it names no variables, however often it is filled in."""
    identity = ana(nome="{{loja}} {{x}}")
    identity.change_language("en")
    identity.change_language("pt")
    assert identity.first_message == "Olá, {{loja}} {{x}}!"


# ---- transfer


def test_another_agent_takes_over_with_all_that_it_has() -> None:
    identity = ana(nome="Eva")
    identity.become("rui")
    assert (identity.prompt, identity.voice.voice_id) == ("Be brief, Eva.", "rui")
    assert identity.agent.name == "Rui"


def test_what_the_client_gave_goes_along_and_what_the_first_agents_file_said_does_not() -> None:
    identity = ana(nome="Eva")
    identity.become("rui")
    assert identity.first_message == "This is the bakery."
    given = ana(nome="Eva", loja="Padaria da Eva")
    given.become("rui")
    assert given.first_message == "This is the Padaria da Eva."


def test_an_agent_that_needs_to_know_more_does_not_take_over() -> None:
    agents = {**AGENTS, "rui": other(agent={"prompt": {"prompt": "Ask {{senha}}."}})}
    identity = ana(agents, nome="Eva")
    with pytest.raises(ToolError, match="senha"):
        identity.become("rui")
    assert identity.agent.name == "Ana"
    assert said(identity) == IN_PORTUGUESE


def test_it_goes_on_in_the_language_of_the_call_if_the_other_has_it() -> None:
    agents = {
        **AGENTS,
        "rui": other(language_presets={"pt": {"first_message_translation": {"text": "Aqui é a {{loja}}."}}}),
    }
    identity = ana(agents, nome="Eva", loja="padaria")
    identity.become("rui")
    assert (identity.language, identity.first_message) == ("pt", "Aqui é a padaria.")


def test_and_in_its_own_if_not() -> None:
    """Its first message would be read aloud by the rules of another language."""
    identity = ana(nome="Eva")
    identity.become("rui")
    assert identity.agent.conversation_config.agent.language == "en"
    assert identity.language == "en"


def test_there_is_a_way_back() -> None:
    agents = {**AGENTS, "rui": other(language_presets={"pt": {}})}
    identity = ana(agents, nome="Eva")
    identity.become("rui")
    identity.become("ana")
    assert said(identity) == IN_PORTUGUESE


# ---- requests


def test_a_request_is_made_as_this_agent() -> None:
    identity = ana(nome="Eva")
    request = identity.request([], tools=True)
    assert (request.language, request.prompt.prompt, request.extra_body) == ("pt", "Seja breve, Eva.", {})
