"""Tool calls: what the model is told of them, and how those it makes come out of a stream whole."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

from serve_app.conversation.agent import Prompt
from serve_app.errors import LanguageModelError
from serve_app.ports import Message, ModelRequest, Reasoning, ToolCall, ToolSpec
from serve_app.providers.chat import ChatModel, ToolCallParts
from tests.fakes.groq_server import Call, FakeGroq, Fault

SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
GET_ORDER = ToolSpec("get_order", "Look an order up.", SCHEMA)
USER = Message("user", "where are my orders 1 and 2?")
CALLS = (ToolCall("call_a", "get_order", '{"number":1}'), ToolCall("call_b", "get_order", '{"number":2}'))
RESULTS = (Message("tool", "on its way", tool_call_id="call_a"), Message("tool", "lost", tool_call_id="call_b"))


def request(*messages: Message, tools: tuple[ToolSpec, ...] = (GET_ORDER,)) -> ModelRequest:
    return ModelRequest(messages or (USER,), "en", tools=tools)


def ask(fake: FakeGroq, asked: ModelRequest | None = None, *, gap_s: float = 5) -> list[str | ToolCall | Reasoning]:
    """The answer but for the thoughts."""

    async def answer() -> list[str | ToolCall | Reasoning]:
        model = ChatModel(fake.chat_url, "gsk_secret", "m", gap_s=gap_s)
        try:
            return [piece async for piece in model.reply(asked or request()) if not isinstance(piece, Reasoning)]
        finally:
            await model.aclose()

    return asyncio.run(answer())


def calling(*parts: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"tool_calls": list(parts)}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}


def part(index: int | None, id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    """As servers send it: what there is none of is left out, or else null."""
    whole = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {key: value for key, value in whole.items() if value is not None}


def test_tells_the_model_of_its_tools(fake: FakeGroq) -> None:
    ask(fake)
    function = {"name": "get_order", "description": "Look an order up.", "parameters": SCHEMA}
    assert fake.received[0].fields["tools"] == [{"type": "function", "function": function}]
    assert "parallel_tool_calls" not in fake.received[0].fields


@pytest.mark.parametrize("parallel", [True, False])
def test_sends_whether_tools_may_be_called_in_parallel(fake: FakeGroq, parallel: bool) -> None:
    ask(fake, ModelRequest((USER,), "en", Prompt(enable_parallel_tool_calls=parallel), (GET_ORDER,)))
    assert fake.received[0].fields["parallel_tool_calls"] is parallel


def test_sends_calls_and_their_results(fake: FakeGroq) -> None:
    ask(fake, request(USER, Message("assistant", "One moment.", CALLS), *RESULTS, tools=()))
    assert fake.received[0].fields["messages"][1:] == [
        {
            "role": "assistant",
            "content": "One moment.",
            "tool_calls": [
                {"id": call.id, "type": "function", "function": {"name": "get_order", "arguments": call.arguments}}
                for call in CALLS
            ],
        },
        {"role": "tool", "content": "on its way", "tool_call_id": "call_a"},
        {"role": "tool", "content": "lost", "tool_call_id": "call_b"},
    ]
    assert "tools" not in fake.received[0].fields


@pytest.mark.parametrize("arguments", ["", " ", '{"number": ', "7", '{"a": "\\ud83d"}'])
def test_a_call_with_broken_arguments_does_not_break_the_dialogue(fake: FakeGroq, arguments: str) -> None:
    call, result = ToolCall("call_a", "get_order", arguments), Message("tool", "no", tool_call_id="call_a")
    ask(fake, request(USER, Message("assistant", "", (call,)), result))
    [sent] = fake.received[0].fields["messages"][1]["tool_calls"]
    assert sent["function"]["arguments"] == "{}"


@pytest.mark.parametrize("chunks", [1, 2, 5, 12])
def test_calls_come_whole_after_the_text(fake: FakeGroq, monkeypatch: pytest.MonkeyPatch, chunks: int) -> None:
    calls = [Call("get_order", {"number": 1}, chunks), Call("end_call", {}, chunks)]
    monkeypatch.setattr(fake, "answer", lambda messages: ["One moment.", *calls])
    assert ask(fake) == [
        "One",
        " moment.",
        ToolCall(calls[0].id, "get_order", '{"number": 1}'),
        ToolCall(calls[1].id, "end_call", "{}"),
    ]


def test_a_call_needs_no_text(fake: FakeGroq) -> None:
    fake.chunks = [calling(part(0, "call_a", "get_order", ""))]
    assert ask(fake) == [ToolCall("call_a", "get_order", "")]


WHOLE = {
    "one index for all": [part(0, "a", "f", "1"), part(0, "b", "g", "2")],
    "no index": [
        part(None, "a", "f", ""),
        part(None, None, None, "1"),
        part(None, "b", "g", ""),
        part(None, None, None, "2"),
    ],
    "no index, ids again": [part(None, "a", "f", ""), part(None, "b", "g", "2"), part(None, "a", "f", "1")],
    "ids and names again": [
        part(0, "a", "f", ""),
        part(0, "a", "f", "1"),
        part(1, "b", "g", ""),
        part(1, "b", "g", "2"),
    ],
    "a late id": [part(0, None, "f", "1"), part(0, "a", None, None), part(1, "b", "g", "2")],
    "empty, not null": [part(0, "a", "f", ""), part(0, "", "", "1"), part(1, "b", "g", ""), part(1, "", "", "2")],
    "the second first": [part(1, "a", "f", "1"), part(0, "b", "g", "2")],
}


@pytest.mark.parametrize("parts", WHOLE.values(), ids=WHOLE)
def test_assembles_what_servers_send(fake: FakeGroq, parts: list[dict[str, Any]]) -> None:
    fake.chunks = [calling(each) for each in parts]
    assert ask(fake) == [ToolCall("a", "f", "1"), ToolCall("b", "g", "2")]
    fake.chunks = [calling(*parts)]
    assert ask(fake) == [ToolCall("a", "f", "1"), ToolCall("b", "g", "2")]


@pytest.mark.parametrize("index", [0, None])
def test_a_call_without_an_id_gets_one_of_its_own(fake: FakeGroq, index: int | None) -> None:
    second = None if index is None else index + 1
    fake.chunks = [calling(part(index, None, "f", "1")), calling(part(second, "", "f", "2"))]
    calls = [*ask(fake), *ask(fake)]
    assert [call.arguments for call in calls if isinstance(call, ToolCall)] == ["1", "2", "1", "2"]
    assert len({call.id for call in calls if isinstance(call, ToolCall)} - {""}) == 4


@pytest.mark.parametrize(
    "broken",
    [
        part(0, "a", None, "{}"),
        part(0, "a", "", "{}"),
        part(0, "a", "get order", "{}"),
        part(0, "a", "end_call\n", "{}"),
        part(0, "a", "x" * 65, "{}"),
        {"index": 0, "id": "a"},
        {"index": 0, "id": "a", "function": "get_order"},
        {"index": "zero", "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"index": 0, "id": 7, "function": {"name": "f", "arguments": "{}"}},
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": {"number": 1}}},
        "get_order",
        None,
    ],
)
def test_a_broken_call_is_an_error(fake: FakeGroq, broken: Any) -> None:
    fake.chunks = [calling(part(1, "call_b", "end_call", "{}"), broken)]
    with pytest.raises(LanguageModelError, match="a tool call without a valid name"):
        ask(fake)


@pytest.mark.parametrize("calls", [None, [], {}, "get_order", 7])
def test_what_is_no_list_of_calls_is_none(fake: FakeGroq, calls: Any) -> None:
    oddity = calling()
    oddity["choices"][0]["delta"] = {"content": "one", "tool_calls": calls}
    fake.chunks = [oddity]
    assert ask(fake) == ["one"]


def test_half_a_surrogate_pair_in_a_call_is_replaced(fake: FakeGroq) -> None:
    fake.chunks = [calling(part(0, "a\ud83d", "f", '{"name": "\ud83d"}'))]
    assert ask(fake) == [ToolCall("a\ufffd", "f", '{"name": "\ufffd"}')]


def test_a_stream_that_breaks_off_makes_no_call(fake: FakeGroq) -> None:
    fake.chunks = [calling(part(0, "a", "end_call", "{}"))] * 20
    fake.fault = Fault.EARLY_CLOSE
    with pytest.raises(LanguageModelError, match="no connection"):
        ask(fake)


def test_parts_of_a_call_are_signs_of_an_answer(fake: FakeGroq) -> None:
    """The stall that follows is judged by the second budget."""
    fake.chunks = [calling(part(0, "a", "f", "")), *[calling(part(0, None, None, "1"))] * 20]
    fake.fault = Fault.STALL_MIDWAY
    with pytest.raises(LanguageModelError, match=r"neither text nor a tool call within 0\.05 s"):
        ask(fake, gap_s=0.05)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
MODELS_CALLS = st.lists(
    st.tuples(st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True), st.dictionaries(TEXTS, TEXTS).map(json.dumps)),
    min_size=1,
    max_size=4,
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[ToolCall], list[dict[str, Any]]]:
    """Calls, and their parts by index: cut anywhere, mixed up in any way, with ids and names once or again."""
    calls = [ToolCall(f"call_{i}", name, arguments) for i, (name, arguments) in enumerate(draw(MODELS_CALLS))]
    repeats, by_id = draw(st.booleans()), draw(st.booleans())
    queues = []
    for index, call in enumerate(calls):
        cuts = sorted(draw(st.lists(st.integers(0, len(call.arguments)), max_size=5)))
        pairs = zip([0, *cuts], [*cuts, len(call.arguments)], strict=True)
        sent = None if by_id else index
        queues.append([part(sent, call.id, call.name, call.arguments[start:end]) for start, end in pairs])
        if not repeats and not by_id:
            queues[-1][1:] = [part(index, None, None, each["function"]["arguments"]) for each in queues[-1][1:]]
    order = draw(st.permutations([index for index, queue in enumerate(queues) for _ in queue]))
    return calls, [queues[index].pop(0) for index in order]


@settings(deadline=None)  # a busy machine is no failure
@given(streams())
def test_any_split_of_calls_assembles_to_the_same(stream: tuple[list[ToolCall], list[dict[str, Any]]]) -> None:
    calls, parts = stream
    assembly = ToolCallParts()
    for each in parts:
        assembly.add(ChoiceDeltaToolCall.model_construct(**each))
    assert sorted(assembly.whole(), key=lambda call: call.id) == calls
