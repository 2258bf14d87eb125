"""The opening message: what a client may change about the agent, and what it must bring."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from serve_app.conversation.agent import Agent
from serve_app.conversation.client_messages import ConversationInitiation, EnclaveSetupConfig
from serve_app.conversation.conversation import Conversation
from serve_app.conversation.dialogue import Message
from serve_app.conversation.identity import Identity
from serve_app.conversation.opening import Opening, begin, check_enclave
from serve_app.conversation.protocol import decode
from serve_app.conversation.server_messages import Error
from serve_app.errors import ClientError, MissingVariable, OverrideError
from tests.conversation.score import Call, agent, conversation_of
from tests.conversation.toolkit import system

OPEN: dict[str, Any] = {
    "agent": {"first_message": True, "prompt": {"prompt": True}},
    "tts": {"voice_id": True},
    "conversation": {"text_only": True},
}
CUSTOM = {"prompt": "Seja breve.", "llm": "custom-llm", "custom_llm": {"url": "http://127.0.0.1:1/v1"}}


def described(permitted: dict[str, Any] | None = None, **persona: Any) -> Agent:
    """An agent that permits this much to be overridden."""
    agent = {"language": "pt", "first_message": "Olá!", "prompt": {"prompt": "Seja breve."}, **persona}
    return msgspec.convert(
        {
            "name": "Ana",
            "conversation_config": {"agent": agent},
            "platform_settings": {"overrides": {"conversation_config_override": permitted or {}}},
        },
        Agent,
    )


def first_message(agent: Agent, opened: ConversationInitiation) -> str:
    return Identity(begin(agent, opened, {}), {}).first_message


def initiation(**fields: Any) -> ConversationInitiation:
    """As it comes over the wire."""
    message = decode(msgspec.json.encode({"type": "conversation_initiation_client_data", **fields}).decode())
    assert isinstance(message, ConversationInitiation)
    return message


def overriding(agent: Agent, /, **override: Any) -> Opening:
    return begin(agent, initiation(conversation_config_override=override), {})


# ---- overrides

CHANGES = [
    ({"agent": {"first_message": "Oi!"}}, "agent.first_message", "Oi!"),
    ({"agent": {"prompt": {"prompt": "Seja longo."}}}, "agent.prompt.prompt", "Seja longo."),
    ({"conversation": {"text_only": True}}, "conversation.text_only", True),
    ({"text_only": True}, "conversation.text_only", True),
]
NAMES = [str(override) for override, _, _ in CHANGES]


def value(agent: Agent, path: str) -> object:
    found: object = agent.conversation_config
    for name in path.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize(("override", "path", "changed"), CHANGES, ids=NAMES)
def test_what_the_agent_permits_can_be_overridden(override: dict[str, Any], path: str, changed: object) -> None:
    assert value(overriding(described(OPEN), **override).agent, path) == changed


@pytest.mark.parametrize(("override", "path", "changed"), CHANGES, ids=NAMES)
def test_what_it_does_not_permit_ends_the_call_before_it_began(
    override: dict[str, Any], path: str, changed: object
) -> None:
    conversation = Conversation("conv_1", "ana", {"ana": described()})
    with pytest.raises(OverrideError, match=path) as refused:
        conversation.open(initiation(conversation_config_override=override), 0.0)
    assert (refused.value.close_code, refused.value.error_type) == (1008, "override_error")
    assert conversation.deadline() == float("inf"), "it never began"


def test_one_override_that_is_not_permitted_refuses_all() -> None:
    with pytest.raises(OverrideError, match=r"prompt\.prompt"):
        overriding(
            described({"agent": {"first_message": True}}), agent={"first_message": "Oi!", "prompt": {"prompt": "X"}}
        )


@pytest.mark.parametrize(
    "override",
    [
        {},
        {"agent": {}, "tts": {}, "conversation": {}},
        {"agent": {"prompt": {}}},
        {"agent": None},
        {"text_only": None},
        {"tts": {"voice_id": None}},
    ],
)
def test_what_overrides_nothing_needs_no_permission(override: dict[str, Any]) -> None:
    assert overriding(described(), **override).agent == described()


def test_an_override_is_for_one_conversation() -> None:
    agent = described(OPEN)
    overriding(agent, agent={"first_message": "Oi!"})
    assert begin(agent, ConversationInitiation(), {}).agent == described(OPEN)


def test_the_client_hears_what_it_overrode() -> None:
    call = Call(
        described(OPEN),
        initiation=initiation(
            conversation_config_override={"agent": {"first_message": "Oi!"}, "tts": {"voice_id": "v2"}}
        ),
    )
    call.silence(1)
    assert [(asked.text, asked.voice.voice_id) for asked in call.spoken] == [("Oi!", "v2")]


# ---- custom_llm_extra_body


def test_a_custom_model_gets_the_clients_extra_body_if_the_agent_permits() -> None:
    agent = described(prompt=CUSTOM)
    extra = initiation(custom_llm_extra_body={"seed": 7})
    with pytest.raises(OverrideError, match="custom_llm_extra_body"):
        begin(agent, extra, {})
    permitted = replace(agent.platform_settings.overrides, custom_llm_extra_body=True)
    agent = replace(agent, platform_settings=replace(agent.platform_settings, overrides=permitted))
    call = Call(agent, initiation=extra)
    call.types("oi")
    assert call.thought[0].extra_body == {"seed": 7}


@pytest.mark.parametrize("body", [{}, None])
def test_an_empty_one_needs_no_permission(body: object) -> None:
    assert begin(described(), initiation(custom_llm_extra_body=body), {}).extra_body == {}


# ---- dynamic variables


def needing(**persona: Any) -> Agent:
    tools = [
        {
            "type": "client",
            "name": "abrir",
            "description": "Abre a porta de {{rua}}",
            "parameters": {"properties": {"dono": {"type": "string", "dynamic_variable": "dono"}}},
        }
    ]
    return described(
        **{
            "first_message": "Olá, {{ nome }}!",
            "prompt": {"prompt": "Atenda {{nome}} da {{rua}}.", "tools": tools},
            **persona,
        }
    )


GIVEN = {"nome": "Eva", "rua": "Rua 7", "dono": "Rui"}


def test_variables_fill_the_prompt_the_first_message_and_the_tools() -> None:
    call = Call(needing(), initiation=initiation(dynamic_variables=GIVEN))
    call.silence(2)
    call.types("oi")
    assert call.spoken[0].text == "Olá, Eva!"
    assert conversation_of(call)[0] == Message("system", "Atenda Eva da Rua 7.")
    assert call.thought[0].tools[0].description == "Abre a porta de Rua 7"


def test_missing_variables_are_all_named_before_the_call_begins() -> None:
    conversation = Conversation("conv_1", "ana", {"ana": needing()})
    with pytest.raises(MissingVariable, match="dono, nome") as missing:
        conversation.open(initiation(dynamic_variables={"rua": "Rua 7"}), 0.0)
    assert "rua" not in str(missing.value)
    assert (missing.value.close_code, missing.value.error_type) == (1008, "missing_dynamic_variable")


def test_the_agent_may_bring_values_of_its_own() -> None:
    agent = needing(dynamic_variables={"dynamic_variable_placeholders": GIVEN})
    assert first_message(agent, initiation()) == "Olá, Eva!"
    assert first_message(agent, initiation(dynamic_variables={"nome": "Ana"})) == "Olá, Ana!"


def test_our_own_variables_cannot_be_forged() -> None:
    agent = described(first_message="{{system__conversation_id}} {{system__agent_id}}")
    call = Call(agent, initiation=initiation(dynamic_variables={"system__conversation_id": "forged"}))
    call.silence(1)
    assert " ".join(asked.text for asked in call.spoken) == "conv_1 default"


def test_a_value_is_no_template() -> None:
    """What a caller's system fills in is data: it names no variables of its own."""
    given = {**GIVEN, "nome": "{{segredo}}", "segredo": "1234"}
    assert first_message(needing(), initiation(dynamic_variables=given)) == "Olá, {{segredo}}!"


def test_an_override_is_filled_in_too() -> None:
    agent = described(OPEN)
    change = initiation(
        conversation_config_override={"agent": {"first_message": "Oi, {{nome}}!"}}, dynamic_variables=GIVEN
    )
    assert first_message(agent, change) == "Oi, Eva!"
    with pytest.raises(MissingVariable, match="nome"):
        overriding(agent, agent={"first_message": "Oi, {{nome}}!"})


def test_our_own_tools_are_filled_in_too() -> None:
    move = {"agent_id": "ana", "condition": "quer pagar na {{rua}}", "transfer_message": "Vou passar para a {{rua}}."}
    tool = msgspec.to_builtins(system("transfer_to_agent", transfers=[move]))
    agent = described(prompt={"built_in_tools": {"transfer_to_agent": tool}})
    call = Call(agent, initiation=initiation(dynamic_variables=GIVEN), agents={"ana": agent})
    call.types("quero pagar")
    assert "{{" not in call.thought[0].tools[0].description
    with pytest.raises(MissingVariable, match="rua"):
        begin(agent, initiation(), {})


# ---- self-hosted clients


def test_an_empty_setup_is_taken() -> None:
    check_enclave(EnclaveSetupConfig())
    check_enclave(EnclaveSetupConfig(*map(msgspec.Raw, (b"{}", b"[]", b"null", b"[]"))))


def test_what_is_not_honoured_is_not_read_however_deep_it_is() -> None:
    deep = '{"x":' * 900 + "1" + "}" * 900
    opened = decode(f'{{"type":"conversation_initiation_client_data","tool_mock_config":{deep}}}')
    assert isinstance(opened, ConversationInitiation)
    call = Call(agent(), initiation=opened)
    assert "tool_mock_config" in call.messages(Error)[0].message
    msgspec.json.encode(call.log("started")[0])


@pytest.mark.parametrize("field", EnclaveSetupConfig.__struct_fields__)
def test_an_agent_of_the_clients_own_is_refused(field: str) -> None:
    setup = EnclaveSetupConfig(**{field: msgspec.Raw(b'{"a": 1}')})
    with pytest.raises(ClientError, match="not supported"):
        check_enclave(setup)


# ---- what is recorded of it


def test_the_record_begins_with_who_called() -> None:
    opened = initiation(user_id="u1", source_info={"source": "js_sdk", "version": "1.25.0"}, dynamic_variables={"x": 1})
    [started] = Call(described(), initiation=opened).log("started")
    assert (started["user_id"], started["source"], started["version"]) == ("u1", "js_sdk", "1.25.0")
    assert (started["agent_id"], started["language"], started["text_only"]) == ("default", "pt", False)
    assert started["initiation"]["dynamic_variables"] == {"x": 1}  # type: ignore[index]


# ---- a first message that may not be interrupted


@pytest.mark.parametrize("protected", [True, False])
def test_the_first_message_may_be_protected(*, protected: bool) -> None:
    agent = described(
        first_message="Olá, aqui é da padaria. Em que posso ajudar?", disable_first_message_interruptions=protected
    )
    call = Call(agent)
    call.silence(0.5)
    call.says("espera um pouco")
    call.silence(5)
    assert ("interruption" in call.outline()) is not protected
    call.types("conte uma história")
    call.silence(1)
    call.says("espera um pouco")
    assert call.outline().count("interruption") == (1 if protected else 2), "what follows can be"
