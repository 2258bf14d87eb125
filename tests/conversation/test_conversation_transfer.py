"""Calls in which the model changes the language, or hands the call over to another agent."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from serve_app.conversation.agent import Agent, LanguagePreset, Translation
from serve_app.conversation.dialogue import Message
from tests.conversation.score import EVENTS, Call, Piece, agent, conversation_of
from tests.conversation.toolkit import (
    answers,
    asks,
    client,
    equipped,
    outcomes,
    prompted,
    results,
    script,
    system,
)

# ---- language_detection


def bilingual(*generations: Sequence[Piece]) -> Call:
    described = equipped(system("language_detection"), text="Seja {{how}}.")
    persona = replace(described.conversation_config.agent, first_message="Olá!")
    english = LanguagePreset(
        {"agent": {"prompt": {"prompt": "Be {{how}}."}}, "tts": {"voice_id": "english"}}, Translation("Hello!")
    )
    config = replace(described.conversation_config, agent=persona, language_presets={"en": english})
    dynamic = replace(persona.dynamic_variables, dynamic_variable_placeholders={"how": "calm"})
    config = replace(config, agent=replace(persona, dynamic_variables=dynamic))
    call = Call(replace(described, conversation_config=config), model=script(*generations))
    call.silence(2)
    call.types("Hi")
    call.silence(2)
    return call


def switch(language: object, call_id: str = "call_1") -> list[Piece]:
    return [asks("language_detection", call_id, language=language)]


def test_the_language_of_the_conversation_can_be_changed() -> None:
    call = bilingual(switch("en"), ["How can I help?"])
    asked = call.spoken[-1]
    assert (asked.text, asked.language, asked.voice.voice_id) == ("How can I help?", "en", "english")
    assert conversation_of(call)[0] == Message("system", "Be calm.")
    assert call.thought[-1].language == "en"
    assert outcomes(call) == [("language_detection", False, True)]


def test_and_back() -> None:
    call = bilingual(switch("en"), ["How can I help?"], switch("pt", "call_2"), ["Em que posso ajudar?"])
    call.types("em português por favor")
    call.silence(3)
    first, last = call.spoken[0], call.spoken[-1]
    assert (last.text, last.language, last.voice) == ("Em que posso ajudar?", "pt", first.voice)
    assert conversation_of(call)[0] == Message("system", "Seja calm.")


@pytest.mark.parametrize("language", ["fr", "", None, 5])
def test_a_language_the_agent_does_not_have_is_told_to_the_model(language: object) -> None:
    call = bilingual(switch(language), ["Só falo português e inglês."])
    assert outcomes(call) == [("language_detection", True, False)]
    assert "pt, en" in results(conversation_of(call))["call_1"]
    assert call.spoken[-1].language == "pt"


def test_the_model_is_told_which_languages_there_are() -> None:
    call = bilingual(switch("en"), ["How can I help?"])
    for request in call.thought:
        [tool] = request.tools
        assert set(tool.parameters["properties"]["language"]["enum"]) == {"pt", "en"}


# ---- transfer_to_agent


def transferring(*generations: Sequence[Piece], to: Agent | None = None, **transfer: Any) -> Call:
    """From A to B."""
    b = to or agent("Aqui é o B.", prompt=prompted(client("cobrar"), text="Você é o B."), events=EVENTS)
    voice = replace(b.conversation_config.tts, voice_id="b")
    b = replace(b, conversation_config=replace(b.conversation_config, tts=voice))
    move = {"agent_id": "b", "condition": "quer pagar", **transfer}
    a = equipped(client(), system("transfer_to_agent", transfers=[move]), text="Você é o A.")
    call = Call(a, model=script(*generations), agents={"b": b})
    call.types("quero pagar")
    call.silence(4)
    return call


MOVE: Sequence[Piece] = [asks("transfer_to_agent", agent_number=0)]


def test_the_other_agent_goes_on() -> None:
    call = transferring(MOVE, ["Quanto?"])
    asked = call.thought[-1]
    assert asked.messages[0] == Message("system", "Você é o B.")
    assert [tool.name for tool in asked.tools] == ["cobrar"]
    assert [(said.text, said.voice.voice_id) for said in call.spoken] == [("Quanto?", "b")]
    assert call.outline()[-2:] == ["agent: Quanto?", "audio"]
    assert call.log("transfer")[0]["agent_id"] == "b"


def test_its_tools_can_be_used_and_the_old_ones_not() -> None:
    call = transferring(MOVE, [asks("cobrar", "c"), asks("abrir", "d")], ["Obrigado."])
    assert outcomes(call)[1:] == [("abrir", True, False)]
    answers(call, "pago", "c")
    assert results(conversation_of(call))["c"] == "pago"


def test_what_was_said_before_is_said_in_the_old_voice() -> None:
    call = transferring(["Um momento.", *MOVE], ["Quanto?"], transfer_message="Vou passar você.")
    assert [(said.text, said.voice.voice_id != "b") for said in call.spoken] == [
        ("Um momento.", True),
        ("Vou passar você.", True),
        ("Quanto?", False),
    ]


def test_the_other_may_begin_with_its_first_message() -> None:
    call = transferring(MOVE, enable_transferred_agent_first_message=True)
    assert [(said.text, said.voice.voice_id) for said in call.spoken] == [("Aqui é o B.", "b")]
    assert len(call.thought) == 1, "nothing else is said"


def test_and_is_itself_from_then_on() -> None:
    call = transferring(MOVE, ["Quanto?"], enable_transferred_agent_first_message=True)
    call.types("aqui está")
    call.silence(2)
    assert conversation_of(call)[0] == Message("system", "Você é o B.")
    assert conversation_of(call)[-2:] == [Message("assistant", "Aqui é o B."), Message("user", "aqui está")]


def test_also_when_the_transfer_is_interrupted() -> None:
    call = transferring(
        MOVE, [None], ["Quanto?"], transfer_message="Vou passar você para o setor de pagamentos, um momento."
    )
    call.types("aqui está")
    assert conversation_of(call)[0] == Message("system", "Você é o B.")


@pytest.mark.parametrize("number", [-1, 1, "0", None, 0.5, False])
def test_a_transfer_to_nobody_is_told_to_the_model(number: object) -> None:
    call = transferring([asks("transfer_to_agent", agent_number=number)], ["Para quem?"])
    assert outcomes(call) == [("transfer_to_agent", True, False)]
    assert conversation_of(call)[0] == Message("system", "Você é o A.")


def test_an_agent_that_needs_to_know_more_is_not_transferred_to() -> None:
    call = transferring(MOVE, ["Qual é o seu nome?"], to=agent(prompt="Chame {{nome}}."))
    assert outcomes(call) == [("transfer_to_agent", True, False)]
    assert "nome" in results(conversation_of(call))["call_1"]
    assert conversation_of(call)[0] == Message("system", "Você é o A.")
    assert not call.ended
