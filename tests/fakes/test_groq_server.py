"""The fake is only worth its likeness: driven by Groq's own SDK and by plain HTTP, held against a recorded answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import groq
import httpx
import pytest

from tests.fakes.groq_calls import chat, transcribe, wav
from tests.fakes.groq_server import Call, FakeGroq

RECORDED = Path(__file__).parents[3] / "shared/protocol/messages.json"


@pytest.fixture(scope="module")
def sdk(groq_server: FakeGroq) -> Iterator[groq.Groq]:
    with groq.Groq(api_key="gsk_test", base_url=groq_server.url, max_retries=0, timeout=5) as sdk:
        yield sdk


def test_hears_exactly_the_samples_that_were_sent(fake: FakeGroq, sdk: groq.Groq) -> None:
    fake.hear = lambda pcm: "bom dia" if pcm == b"\1\2" * 16_000 else "something else"
    answer = sdk.audio.transcriptions.create(
        file=("a.wav", wav(b"\1\2" * 16_000)),
        model="whisper-large-v3-turbo",
        language="pt",
        response_format="verbose_json",
    )
    assert answer.text == " bom dia"
    assert answer.model_extra is not None  # the SDK knows only the text; the rest is extra
    assert (answer.model_extra["language"], answer.model_extra["duration"]) == ("Portuguese", 1.0)
    [received] = fake.received
    assert (received.authorization, received.model) == ("Bearer gsk_test", "whisper-large-v3-turbo")
    assert received.fields["language"] == "pt"


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded messages here")
def test_verbose_json_has_the_shape_of_a_recorded_one(fake: FakeGroq, http: httpx.Client) -> None:
    recorded = json.loads(RECORDED.read_text())["groq_transcription_verbose_json"]
    ours = transcribe(http, wav(bytes(32_000))).json()
    assert ours.keys() == recorded.keys()
    assert ours["segments"][0].keys() == recorded["segments"][0].keys()


@pytest.mark.parametrize("audio", [b"", b"RIFF", b"fLaC", wav(b""), wav(bytes(100), rate=8000)])
def test_refuses_what_is_not_a_16_khz_wav_file(fake: FakeGroq, http: httpx.Client, audio: bytes) -> None:
    answer = transcribe(http, audio)
    assert answer.status_code == 400
    assert answer.json()["error"].keys() == {"message", "type", "code"}


def test_streams_chat_as_the_sdk_reads_it(fake: FakeGroq, sdk: groq.Groq) -> None:
    chunks = list(
        sdk.chat.completions.create(model="m", stream=True, messages=[{"role": "user", "content": "good day"}])
    )
    texts = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert texts == ["You", " said", " good", " day"]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None


def test_answers_at_once_who_does_not_want_a_stream(
    fake: FakeGroq, sdk: groq.Groq, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "answer", lambda messages: f"0.99{len(messages)}")
    completion = sdk.chat.completions.create(model="guard", messages=[{"role": "user", "content": "good day"}])
    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason, completion.model) == ("0.991", "stop", "guard")
    assert completion.usage is not None


GET_ORDER: Any = {"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}


def script(messages: list[dict[str, Any]]) -> str | list[str | Call]:
    """An agent with a tool: it looks the order up, and tells what it found."""
    if messages[-1]["role"] == "tool":
        return f"It is {messages[-1]['content']}."
    return ["One moment.", Call("get_order", {"number": 7}), Call("get_order", {"number": 8}, chunks=3)]


def test_a_script_calls_tools_and_goes_on_with_their_results(
    fake: FakeGroq, sdk: groq.Groq, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "answer", script)
    messages: list[Any] = [{"role": "user", "content": "where is it?"}]
    chunks = list(sdk.chat.completions.create(model="m", stream=True, messages=messages, tools=[GET_ORDER]))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "One moment."
    parts = [part for delta in deltas for part in delta.tool_calls or ()]
    assert [part.index for part in parts] == [0, 1, 1, 1]
    assert [part.function.name for part in parts if part.function and part.function.name] == ["get_order"] * 2
    written = ["".join(p.function.arguments or "" for p in parts if p.index == i and p.function) for i in (0, 1)]
    assert [json.loads(arguments) for arguments in written] == [{"number": 7}, {"number": 8}]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "tool_calls"
    assert fake.received[0].tools == [GET_ORDER["function"]]

    ids = [part.id for part in parts if part.id]
    functions = [{"name": "get_order", "arguments": arguments} for arguments in written]
    calls = [{"id": i, "type": "function", "function": f} for i, f in zip(ids, functions, strict=True)]
    messages.append({"role": "assistant", "content": "One moment.", "tool_calls": calls})
    messages += [{"role": "tool", "content": place, "tool_call_id": i} for i, place in zip(ids, "AB", strict=True)]
    chunks = list(sdk.chat.completions.create(model="m", stream=True, messages=messages))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "It is B."
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"


def test_each_scripted_call_has_an_id_of_its_own() -> None:
    assert Call("end_call").id != Call("end_call").id


USER = {"role": "user", "content": "hi"}
CALL = {"id": "call_a", "type": "function", "function": {"name": "get_order", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "on its way", "tool_call_id": "call_a"}
OTHER_RESULT = RESULT | {"tool_call_id": "call_b"}


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([USER, RESULT], "role 'tool' must respond"),
        ([USER, CALLING, RESULT, RESULT], "role 'tool' must respond"),
        ([USER, CALLING, OTHER_RESULT], "role 'tool' must respond"),
        ([CALLING, RESULT, USER, RESULT], "role 'tool' must respond"),
        ([USER, CALLING], "must be followed by"),
        ([CALLING, USER, RESULT], "must be followed by"),
        ([CALLING | {"tool_calls": [CALL, CALL | {"id": "call_b"}]}, RESULT], "must be followed by"),
        ([CALLING | {"tool_calls": [CALL | {"function": {"name": "get order"}}]}, RESULT], "function's name"),
        ([USER, CALLING | {"content": None}, RESULT], "must be a string"),
    ],
)
def test_refuses_dialogues_whose_calls_and_results_do_not_match(
    fake: FakeGroq, http: httpx.Client, messages: list[Any], message: str
) -> None:
    answer = http.post("/v1/chat/completions", json={"model": "m", "stream": True, "messages": messages})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request_error")
    assert message in answer.json()["error"]["message"]


def test_takes_a_dialogue_whose_calls_all_have_results(fake: FakeGroq, http: httpx.Client) -> None:
    both = CALLING | {"tool_calls": [CALL, CALL | {"id": "call_b"}]}
    messages = [USER, both, OTHER_RESULT, RESULT, CALLING, RESULT, USER]
    answer = http.post("/v1/chat/completions", json={"model": "m", "stream": True, "messages": messages})
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["", "get order", "é", "x" * 65, "end_call\n"])
def test_refuses_a_tool_whose_name_is_none(fake: FakeGroq, http: httpx.Client, name: str) -> None:
    fields = {"model": "m", "stream": True, "messages": [USER], "tools": [{"function": {"name": name}}]}
    assert http.post("/v1/chat/completions", json=fields).status_code == 400


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/v1/chat/completions"])
def test_chat_is_server_sent_events_that_end_with_done(fake: FakeGroq, http: httpx.Client, path: str) -> None:
    answer = chat(http, path)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.removesuffix("\n\n").split("\n\n")
    assert events[-1] == "data: [DONE]"
    assert all(json.loads(event.removeprefix("data: "))["object"] == "chat.completion.chunk" for event in events[:-1])
