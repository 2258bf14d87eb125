"""Calls in which several things go wrong, or come together: none hangs, spins, dies or grows without bound."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from serve_app.conversation import client_messages, server_messages
from serve_app.conversation.agent import Agent, DynamicVariables, SoftTimeout, Turn
from serve_app.conversation.dialogue import LONGEST_DIALOGUE, LONGEST_TURN
from serve_app.conversation.dynamic_variables import LONGEST_TEXT, fill
from serve_app.conversation.protocol import decode
from serve_app.conversation.server_messages import AgentToolRequest, Audio, Interruption
from serve_app.errors import ClientError, Finished, LanguageModelError, SpeechError
from tests.conversation.score import TROUBLE, Call, Piece, agent, conversation_of, tone
from tests.conversation.toolkit import asks, client, equipped, outcomes, script, system, webhook


def with_placeholder(described: Agent, **values: str) -> Agent:
    config = described.conversation_config
    persona = replace(config.agent, dynamic_variables=DynamicVariables(dict(values)))
    return replace(described, conversation_config=replace(config, agent=persona))


def test_a_voice_that_fails_while_a_tool_runs_is_not_asked_without_end() -> None:
    heard: list[str] = []

    def voice(text: str) -> Any:
        heard.append(text)
        return tone(text) if len(heard) == 1 else [SpeechError("down")]

    call = Call(equipped(webhook(), first_message="Olá."), model=script([asks("buscar")], ["Fim."]), voice=voice)
    call.voice_s = 0.005
    call.silence(2)
    call.types("busca")
    call.silence(20)
    assert len(heard) < 6


def test_a_soft_timeout_without_a_word_does_not_spin() -> None:
    soft = SoftTimeout(timeout_seconds=1.0, message="...", max_soft_timeouts_per_generation=500)
    call = Call(agent(turn=Turn(turn_timeout=30, soft_timeout_config=soft)), model=lambda _: [None])
    call.types("oi")
    call.silence(8)
    assert call.ended is None


@pytest.mark.parametrize("second", ["abrir", "buscar"])
def test_a_tool_called_together_with_a_transfer_is_still_the_first_agents(second: str) -> None:
    move = system("transfer_to_agent", transfers=[{"agent_id": "b", "condition": "x"}])
    name = {"type": "string", "dynamic_variable": "cliente"}
    opens = client(parameters={"properties": {"cliente": name}})
    header = {"url": "https://example.com/x", "request_headers": {"X-C": {"variable_name": "cliente"}}}
    described = with_placeholder(equipped(move, opens, webhook(api_schema=header)), cliente="Ana")
    calls = [asks("transfer_to_agent", "c1", agent_number=0), asks(second, "c2")]
    call = Call(described, agents={"b": agent(prompt="B.")}, model=script(calls, ["Fim."]))
    call.types("oi")
    call.silence(1)
    sent = [m.parameters for m in call.messages(server_messages.ClientToolCall)] or [w.variables for w in call.webhooks]
    assert sent[0]["cliente"] == "Ana"


def test_an_overlap_does_not_interrupt_what_must_not_be_interrupted() -> None:
    """The caller begins to speak just before the tool is called."""
    text = "Vou fazer o pagamento agora mesmo, um momento por favor. "
    tool = webhook(interruption_mode="disable_during_tool")
    pieces: list[Piece] = [*(f"{word} " for word in text.split()), *[" "] * 100, asks("buscar")]
    call = Call(equipped(tool), model=script(pieces, ["Outra."], ["Outra."]))
    call.silence(1)
    call.says("paga")
    call.silence(1.2)
    call.says("sim pode pagar", 1.0)
    call.silence(4)
    [begun] = call.times(AgentToolRequest)
    assert [at for at in call.times(Interruption) if at > begun] == []


def test_words_too_few_for_a_clause_are_spoken_when_no_more_come() -> None:
    call = Call(model=lambda _: ["Bem ", None])
    call.types("oi")
    call.silence(14)
    assert call.spoken[0].text == "Bem"
    assert call.times(Audio)[0] < 1.5
    assert call.outline()[-2:] == [f"agent: {TROUBLE}", "audio"]
    assert call.log("error")[0]["error_type"] == LanguageModelError.error_type


def test_a_tool_called_together_with_end_call_does_not_keep_the_line_open_for_long() -> None:
    goodbye: list[Piece] = ["Até logo!", asks("end_call", "a"), asks("buscar", "b")]
    call = Call(equipped(system("end_call"), webhook(response_timeout_secs=60)), model=script(goodbye))
    call.types("tchau")
    call.silence(12)
    assert isinstance(call.ended, Finished)
    assert call.outline()[-2:] != ["agent: Só um momento.", "audio"]
    assert [name for name, _, _ in outcomes(call)][-1] == "end_call"
    assert 5 < call.ended_at < 8


def test_a_dialogue_forgets_what_is_oldest() -> None:
    call = Call(agent(text_only=True, prompt="Seja breve."), model=lambda _: ["Sim."])
    for number in range(60):
        call.types(f"{number} " + "x" * LONGEST_TURN)
        call.sends_nothing(1)
    told = conversation_of(call)
    assert told[0].content == "Seja breve."
    assert told[1].role == "user"
    assert sum(len(message.content) for message in told) < LONGEST_DIALOGUE + 2 * LONGEST_TURN
    assert all(len(message.content) <= LONGEST_TURN for message in told)


def test_typing_without_end_is_one_turn_of_bounded_length() -> None:
    call = Call(agent(text_only=True), model=lambda _: [None])
    for _ in range(10):
        call.types("x" * LONGEST_TURN)
    assert len(conversation_of(call)[-1].content) == LONGEST_TURN


def test_variables_that_make_a_text_too_long_are_refused_before_it_is_made() -> None:
    with pytest.raises(ClientError, match="limit"):
        fill("{{a}}" * 10_000, {"a": "x" * 10_000})
    assert len(fill("{{a}}" * 10, {"a": "x" * 10_000})) == 100_000 < LONGEST_TEXT


def test_a_variable_that_is_null_is_not_given() -> None:
    frame = {"type": "conversation_initiation_client_data", "dynamic_variables": {"nome": "Ana", "outro": None}}
    opened = decode(msgspec.json.encode(frame).decode())
    assert isinstance(opened, client_messages.ConversationInitiation)
    call = Call(agent("Oi, {{nome}}!"), initiation=opened)
    call.silence(1)
    assert call.outline()[1] == "agent: Oi, Ana!"


def test_an_override_that_nobody_knows_is_told_and_ignored() -> None:
    override = {"agent": {"firstmessage": "x", "prompt": {"temperature": 1}}, "tts": {"voice_id": None}, "x": {}}
    frame = {"type": "conversation_initiation_client_data", "conversation_config_override": override}
    opened = decode(msgspec.json.encode(frame).decode())
    assert isinstance(opened, client_messages.ConversationInitiation)
    call = Call(agent(), initiation=opened)
    told = [error.message for error in call.messages(server_messages.Error)]
    assert len(told) == 2
    assert "agent.firstmessage" in told[0]
    assert "agent.prompt.temperature" in told[1]


@pytest.mark.parametrize("seconds", [0, -1, 10**400, 1.5, True])
def test_a_duration_that_is_none_is_the_clients_mistake(seconds: object) -> None:
    override = f'{{"conversation":{{"max_duration_seconds":{str(seconds).lower()}}}}}'
    with pytest.raises(ClientError):
        decode(f'{{"type":"conversation_initiation_client_data","conversation_config_override":{override}}}')
