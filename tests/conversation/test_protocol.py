import base64
import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation import client_messages, protocol, server_messages
from serve_app.conversation.protocol import decode, encode
from serve_app.conversation.server_messages import ServerMessage
from serve_app.errors import InvalidMessage

MESSAGES = Path(__file__).parents[2] / "../shared/protocol/messages.json"
"""Schemas and examples of the wire, recorded from official clients; kept beside the project, not in it."""

GOLDEN: list[tuple[ServerMessage, str]] = [
    (server_messages.GuardrailTriggered(), '{"type":"guardrail_triggered"}'),
    (
        server_messages.ConversationInitiationMetadata("conv_1", "pcm_16000", "ulaw_8000"),
        '{"type":"conversation_initiation_metadata","conversation_initiation_metadata_event":'
        '{"conversation_id":"conv_1","agent_output_audio_format":"pcm_16000","user_input_audio_format":"ulaw_8000"}}',
    ),
    (server_messages.Ping(1, None), '{"type":"ping","ping_event":{"event_id":1,"ping_ms":null}}'),
    (server_messages.Ping(2, 31), '{"type":"ping","ping_event":{"event_id":2,"ping_ms":31}}'),
    (
        server_messages.Audio(b"\x00\x01\xfe", 3),
        '{"type":"audio","audio_event":{"audio_base_64":"AAH+","event_id":3}}',
    ),
    (
        server_messages.UserTranscript("amanhã", 4),
        '{"type":"user_transcript","user_transcription_event":{"user_transcript":"amanhã","event_id":4}}',
    ),
    (
        server_messages.AgentResponse('"Olá"', 5),
        '{"type":"agent_response","agent_response_event":{"agent_response":"\\"Olá\\"","event_id":5}}',
    ),
    (
        server_messages.AgentResponseCorrection("Olá, tudo bem?", "Olá,", 5),
        '{"type":"agent_response_correction","agent_response_correction_event":'
        '{"original_agent_response":"Olá, tudo bem?","corrected_agent_response":"Olá,","event_id":5}}',
    ),
    (
        server_messages.AgentResponseMetadata({"conversation_turn_metrics": {"metrics": {}}}, 6),
        '{"type":"agent_response_metadata","agent_response_metadata_event":'
        '{"metadata":{"conversation_turn_metrics":{"metrics":{}}},"event_id":6}}',
    ),
    (
        server_messages.Audio(b"\x00\x01", 3, server_messages.AudioAlignment(("h", "i"), (0, 90), (90, 110))),
        '{"type":"audio","audio_event":{"audio_base_64":"AAE=","event_id":3,"alignment":'
        '{"chars":["h","i"],"char_start_times_ms":[0,90],"char_durations_ms":[90,110]}}}',
    ),
    (
        server_messages.TentativeUserTranscript("ama", 4),
        '{"type":"tentative_user_transcript","tentative_user_transcription_event":'
        '{"user_transcript":"ama","event_id":4}}',
    ),
    (
        server_messages.AgentResponseComplete(5),
        '{"type":"agent_response_complete","agent_response_complete_event":{"event_id":5}}',
    ),
    (
        server_messages.AgentChatResponsePart("Ol", "delta", 5),
        '{"type":"agent_chat_response_part","text_response_part":{"text":"Ol","type":"delta","event_id":5}}',
    ),
    (
        server_messages.AgentReasoningResponsePart("", "start", 5),
        '{"type":"agent_reasoning_response_part","reasoning_response_part":{"text":"","type":"start","event_id":5}}',
    ),
    (server_messages.VadScore(0.93), '{"type":"vad_score","vad_score_event":{"vad_score":0.93}}'),
    (
        server_messages.InternalTurnProbability(0.4),
        '{"type":"internal_turn_probability","turn_probability_internal_event":{"turn_probability":0.4}}',
    ),
    (
        server_messages.InternalTentativeAgentResponse("Ol"),
        '{"type":"internal_tentative_agent_response","tentative_agent_response_internal_event":'
        '{"tentative_agent_response":"Ol"}}',
    ),
    (
        server_messages.ClientToolCall("get_time", "tc_1", {}, 6, expects_response=True),
        '{"type":"client_tool_call","client_tool_call":{"tool_name":"get_time","tool_call_id":"tc_1","parameters":{},'
        '"event_id":6,"expects_response":true}}',
    ),
    (
        server_messages.AgentToolRequest("find", "tc_2", "webhook", 6),
        '{"type":"agent_tool_request","agent_tool_request":'
        '{"tool_name":"find","tool_call_id":"tc_2","tool_type":"webhook","event_id":6}}',
    ),
    (
        server_messages.AgentToolResponse("find", "tc_2", "webhook", 7, is_error=False, is_called=True),
        '{"type":"agent_tool_response","agent_tool_response":{"tool_name":"find","tool_call_id":"tc_2",'
        '"tool_type":"webhook","event_id":7,"is_error":false,"is_called":true}}',
    ),
    (
        server_messages.AgentToolResponseFullPayload("find", "tc_2", "webhook", 7, False, True, "{}", False),
        '{"type":"agent_tool_response_full_payload","agent_tool_response_full_payload":{"tool_name":"find",'
        '"tool_call_id":"tc_2","tool_type":"webhook","event_id":7,"is_error":false,"is_called":true,'
        '"full_tool_result":"{}","truncated":false}}',
    ),
    (server_messages.Interruption(7), '{"type":"interruption","interruption_event":{"event_id":7}}'),
    (
        server_messages.Error(1008, "no", "value_error", "no"),
        '{"type":"error","error_event":{"code":1008,"message":"no","error_type":"value_error","reason":"no"}}',
    ),
]

MALFORMED = {
    "empty": "",
    "not JSON": "hello",
    "cut off": '{"type":"pong","event_id":',
    "an array": "[]",
    "a string": '"pong"',
    "null": "null",
    "no type": '{"text":"hello"}',
    "type null": '{"type":null}',
    "type a number": '{"type":7}',
    "field missing": '{"type":"pong"}',
    "field of wrong type": '{"type":"pong","event_id":"1"}',
    "id not whole": '{"type":"pong","event_id":1.5}',
    "id infinite": '{"type":"pong","event_id":1e999}',
    "text a number": '{"type":"user_message","text":1}',
    "override a string": '{"type":"conversation_initiation_client_data","conversation_config_override":"x"}',
    "audio null": '{"user_audio_chunk":null}',
    "audio a number": '{"user_audio_chunk":3}',
    "bad base64": '{"user_audio_chunk":"*not base64*"}',
    "base64 cut off": '{"user_audio_chunk":"AAA"}',
    "base64 of URLs": '{"user_audio_chunk":"-_-_"}',
    "lone surrogate": '{"type":"user_message","text":"\ud800"}',
    "nested too deep": '{"type":"pong","x":' + "[" * 100_000 + "]" * 100_000 + "}",
    "oversize": json.dumps({"user_audio_chunk": "A" * protocol.LONGEST_MESSAGE}),
}


def recorded(direction: str) -> dict[str | None, dict[str, Any]]:
    if not MESSAGES.exists():
        pytest.skip("no recorded messages here")
    return {e["type"]: e for e in json.loads(MESSAGES.read_text())["events"] if e["direction"] == direction}


def all_kinds() -> list[type[ServerMessage]]:
    return ServerMessage.__subclasses__()


# ---- server -> client


@pytest.mark.parametrize(("message", "frame"), GOLDEN, ids=lambda value: getattr(value, "TYPE", ""))
def test_encoded_to_the_letter(message: ServerMessage, frame: str) -> None:
    assert encode(message) == frame


def test_every_message_has_a_golden_frame() -> None:
    assert {type(message) for message, _ in GOLDEN} == set(all_kinds())


@pytest.mark.parametrize(("message", "_frame"), GOLDEN, ids=lambda value: getattr(value, "TYPE", ""))
def test_encoded_as_the_schema_says(message: ServerMessage, _frame: str) -> None:
    event = recorded("server_to_client")[message.TYPE]
    assert event["envelope"] == message.ENVELOPE
    jsonschema.validate(json.loads(encode(message)), event["schema"])


OURS = {"conversation_initiation_metadata": {"resume"}}
"""Fields beyond the protocol, which a client gets if it asks for them."""


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.TYPE)
def test_fields_are_those_of_the_recorded_example(kind: type[ServerMessage]) -> None:
    event = recorded("server_to_client")[kind.TYPE]
    shape = event["schema"]["properties"][kind.ENVELOPE] if kind.ENVELOPE else {"required": (), "properties": ()}
    required, known = set(shape["required"]), set(shape["properties"])
    assert required <= set(kind.__struct_fields__) <= known | OURS.get(kind.TYPE, set())


def test_what_clients_cannot_do_without_passes_every_filter() -> None:
    assert {"conversation_initiation_metadata", "ping", "error", "client_tool_call"} == server_messages.ALWAYS_SENT


# ---- client -> server


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ('{"user_audio_chunk":"AAH+"}', client_messages.UserAudioChunk(b"\x00\x01\xfe")),
        ('{"user_audio_chunk":""}', client_messages.UserAudioChunk(b"")),
        ('{"type":"pong","event_id":7}', client_messages.Pong(7)),
        ('{"type":"user_message","text":"olá"}', client_messages.UserMessage("olá")),
        ('{"type":"user_message","text":null}', client_messages.UserMessage(None)),
        ('{"type":"user_message"}', client_messages.UserMessage(None)),
        ('{"type":"conversation_initiation_client_data"}', client_messages.ConversationInitiation()),
    ],
)
def test_decoded(frame: str, message: client_messages.ClientMessage) -> None:
    assert decode(frame) == message


def test_empty_overrides_of_the_javascript_client_override_nothing() -> None:
    frame = (
        '{"type":"conversation_initiation_client_data","conversation_config_override":'
        '{"agent":{},"tts":{},"conversation":{}},"source_info":{"source":"js_sdk","version":"1.25.0"}}'
    )
    message = decode(frame)
    assert isinstance(message, client_messages.ConversationInitiation)
    assert message.conversation_config_override == client_messages.ConfigOverride(
        agent=client_messages.PersonaOverride(),
        tts=client_messages.VoiceOverride(),
        conversation=client_messages.RulesOverride(),
    )
    assert message.source_info == client_messages.SourceInfo("js_sdk", "1.25.0")


def test_overridden_client_events_are_read() -> None:
    override = {"conversation": {"client_events": ["audio"]}, "text_only": False}
    message = decode(
        json.dumps({"type": "conversation_initiation_client_data", "conversation_config_override": override})
    )
    assert isinstance(message, client_messages.ConversationInitiation)
    assert message.conversation_config_override
    assert message.conversation_config_override.conversation == client_messages.RulesOverride(client_events=["audio"])


def test_every_recorded_client_message_is_understood() -> None:
    events = recorded("client_to_server")
    kinds = {None: client_messages.UserAudioChunk, **client_messages.CLIENT_MESSAGES}
    assert events.keys() == kinds.keys()
    for kind, event in events.items():
        assert type(decode(json.dumps(event["example"]))) is kinds[kind]


def test_unknown_types_and_fields_are_passed_over() -> None:
    assert decode('{"type":"from_the_future","event_id":"any"}') is None
    assert decode('{"type":"pong","event_id":1,"from_the_future":[{}]}') == client_messages.Pong(1)


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_frames_are_refused_with_a_reason(frame: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        decode(frame)
    assert refused.value.message


def decodes_or_refuses(frame: str) -> None:
    try:
        message = decode(frame)
    except InvalidMessage:
        return
    assert message is None or isinstance(message, client_messages.ClientMessage)


@given(st.text())
def test_no_text_breaks_the_decoder(text: str) -> None:
    decodes_or_refuses(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from([*protocol._DECODERS, "audio", "", None])
FIELDS = ["event_id", "text", "user_audio_chunk", "conversation_config_override", "source_info", "user_id"]


@given(JSON)
def test_no_json_breaks_the_decoder(value: Any) -> None:
    decodes_or_refuses(json.dumps(value))


@given(KINDS, st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3))
def test_no_fields_break_the_decoder(kind: str | None, fields: dict[str, Any]) -> None:
    decodes_or_refuses(json.dumps({"type": kind} | fields))


@given(st.binary(max_size=600), st.integers(0))
def test_audio_comes_back_whole(audio: bytes, event_id: int) -> None:
    sent = json.loads(encode(server_messages.Audio(audio, event_id)))["audio_event"]
    assert base64.b64decode(sent["audio_base_64"], validate=True) == audio
    assert sent["event_id"] == event_id
    assert decode(json.dumps({"user_audio_chunk": sent["audio_base_64"]})) == client_messages.UserAudioChunk(audio)
