"""Whatever a caller does, and however slow the parts are: the wire stays sound, and the next calm turn is answered."""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation.actions import CallWebhook
from serve_app.conversation.client_messages import ContextualUpdate, Feedback, UserActivity
from serve_app.conversation.decisions import Judgement
from serve_app.conversation.dialogue import Message
from serve_app.conversation.model_request import Reasoning
from serve_app.conversation.server_messages import (
    AgentChatResponsePart,
    AgentReasoningResponsePart,
    AgentResponse,
    AgentResponseCorrection,
    AgentToolRequest,
    AgentToolResponse,
    Audio,
    ClientToolCall,
    Error,
    Interruption,
)
from serve_app.conversation.tool_use import Outcome
from serve_app.conversation.tools import ToolCall
from serve_app.errors import Finished, LanguageModelError
from tests.conversation.score import EVENTS, Call, Piece, agent, echo
from tests.conversation.toolkit import TOOL_EVENTS, answers, asks, client, prompted, system, webhook

GREETING = "Olá, aqui é da padaria. Em que posso ajudar?"
SHORT = st.floats(0.02, 0.6)
Deed = tuple[str, str | float]
WRITTEN: list[st.SearchStrategy[Deed]] = [
    st.tuples(st.just("types"), st.just("escrevi")),
    st.tuples(st.just("sends_nothing"), st.floats(0.1, 3)),
    st.tuples(st.just("updates"), st.sampled_from(["", "page", "cart"])),
    st.tuples(st.just("likes"), st.integers(-1, 40)),
    st.tuples(st.just("acts"), st.just("")),
    st.tuples(st.just("answers"), st.sampled_from(["ok", "error"])),
    st.tuples(st.just("answers"), st.just("unknown")),
]
SPOKEN: list[st.SearchStrategy[Deed]] = [
    st.tuples(st.just("says"), st.sampled_from(["sim", "quero um café", "não é bem isso"])),
    st.tuples(st.just("murmurs"), SHORT),
    st.tuples(st.just("silence"), st.floats(0.02, 3)),
    st.tuples(st.just("noise"), SHORT),
]
DELAYS = st.sampled_from([0.0, 0.05, 0.2, 0.7])


def perform(call: Call, deed: str, what: str | float) -> None:
    if call.ended:
        return
    match deed:
        case "murmurs":
            call.says("", seconds=float(what))
        case "updates":
            call.sends(ContextualUpdate("algo mudou", str(what) or None))
        case "likes":
            call.sends(Feedback(int(what), "like"))
        case "acts":
            call.sends(UserActivity())
        case "answers":
            ids = [told.tool_call_id for told in call.messages(ClientToolCall)] or ["nenhuma"]
            answers(call, what, "outra" if what == "unknown" else ids[-1], is_error=what == "error")
        case _:
            getattr(call, deed)(what)


# ---- a model that uses tools, or fails

TOOLS = (
    client("abrir", response_timeout_secs=1),
    client("avisar", expects_response=False),
    client(
        "travar", response_timeout_secs=1, interruption_mode="disable_during_tool_and_turn", pre_tool_speech="force"
    ),
    webhook("buscar", response_timeout_secs=1),
    webhook("falhar"),
    system("skip_turn"),
    system("language_detection"),
)
CALLS = st.sampled_from(
    ["abrir", "avisar", "travar", "buscar", "falhar", "skip_turn", "language_detection", "explodir", "!"]
)
GENERATIONS = st.lists(
    st.tuples(st.sampled_from(["", "Vou ver.", "\n", "..."]), st.lists(CALLS, max_size=3), st.booleans()), max_size=5
)
Generations = list[tuple[str, list[str], bool]]


def model(generations: Generations) -> Callable[[str], Sequence[Piece]]:
    """It gives these (text, calls, failure) one after the other, and then says what it was told."""
    numbers = iter(range(10_000))

    def called(name: str) -> ToolCall:
        call_id = f"call_{next(numbers)}"
        return ToolCall(call_id, "abrir", "{not json") if name == "!" else asks(name, call_id, language="pt")

    def answer(text: str) -> Sequence[Piece]:
        if not generations:
            return echo(text)
        said, names, fails = generations.pop(0)
        return [Reasoning("Hm."), said, *map(called, names), *([LanguageModelError("gone")] if fails else [])]

    return answer


def requested(asked: CallWebhook) -> Outcome | None:
    return Outcome("no", is_error=True) if asked.tool.name == "falhar" else None


# ---- what holds of every call


def assert_sound(call: Call) -> None:
    others = [message for _, message in call.sent if not isinstance(message, AgentResponseCorrection)]
    ids = [message.event_id for message in others if hasattr(message, "event_id")]
    assert len(ids) == len(set(ids))
    rising = [message.event_id for message in others if isinstance(message, Audio | Interruption)]
    assert rising == sorted(rising)
    responses = {message.event_id: message.agent_response for message in call.messages(AgentResponse)}
    for correction in call.messages(AgentResponseCorrection):
        assert responses[correction.event_id] == correction.original_agent_response
        assert correction.original_agent_response.startswith(correction.corrected_agent_response)
    ahead = 0.0
    for at, message in call.sent:
        if isinstance(message, Interruption):
            ahead = at  # clients drop what they hold
        elif isinstance(message, Audio):
            ahead = max(ahead, at) + len(message.audio_base_64) / 32_000
            assert ahead - at < 0.2, "paced: no more than a lead, a chunk and a fade"


def assert_valid(messages: Sequence[Message]) -> None:
    """As OpenAI-compatible servers check it: every call of an assistant's is followed by one result, before anything
    else, and there are no other results."""
    open_calls: list[str] = []
    for message in messages:
        if message.role == "tool":
            assert message.tool_call_id in open_calls
            open_calls.remove(message.tool_call_id)
            continue
        assert not open_calls, f"{message} before the results of {open_calls}"
        assert message.content.strip() or message.tool_calls
        assert message.role == "assistant" or not message.tool_calls
        open_calls = [called.id for called in message.tool_calls]
        assert len(open_calls) == len(set(open_calls))
    assert not open_calls


def assert_tools_sound(call: Call) -> None:
    for request in call.thought:
        assert_valid(request.messages)
    requested_ids = [message.tool_call_id for message in call.messages(AgentToolRequest)]
    settled = [message.tool_call_id for message in call.messages(AgentToolResponse)]
    assert len(requested_ids) == len(set(requested_ids))
    assert len(settled) == len(set(settled))
    assert set(settled) <= set(requested_ids)
    assert {message.tool_call_id for message in call.messages(ClientToolCall)} <= set(requested_ids)
    assert {asked.call_id for asked in call.webhooks} <= set(requested_ids)


def settle(call: Call) -> None:
    """Until whatever the agent is at is over, and before it speaks up."""
    call.sends(UserActivity())
    call.silence(20)


def assert_answered(call: Call) -> None:
    """A calm caller is, whatever was before."""
    before = len(call.outline())
    call.says("quero um pão")
    call.silence(8)
    told = call.outline()[before:]
    assert [line for line in told if line != "audio"] == ["user: quero um pão", "agent: Você disse quero um pão."]
    assert told[-1] == "audio"


# ---- properties


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(*SPOKEN, *WRITTEN), max_size=8), DELAYS, DELAYS, DELAYS, st.sampled_from([None, 0.0, 0.5, 1.0])
)
def test_after_any_call_a_calm_caller_is_answered(
    deeds: list[Deed], recogniser_s: float, model_s: float, voice_s: float, score: float | None
) -> None:
    judge = None if score is None else lambda _: Judgement(turn_end=score, interruption=1 - score)
    call = Call(agent(GREETING), recogniser_s=recogniser_s, judge=judge)
    call.model_s, call.voice_s = model_s, voice_s
    for deed, what in deeds:
        perform(call, deed, what)
    settle(call)
    assert_answered(call)
    assert_sound(call)
    assert set(call.times(AgentResponseCorrection)) == set(call.times(Interruption))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(*SPOKEN, *WRITTEN), max_size=8), GENERATIONS, DELAYS, DELAYS)
def test_tools_leave_a_history_that_models_take(
    deeds: list[Deed], generations: Generations, model_s: float, voice_s: float
) -> None:
    described = agent(GREETING, prompt=prompted(*TOOLS, text="Seja breve."), events=TOOL_EVENTS)
    call = Call(described, model=model(generations), webhook=requested)
    call.model_s, call.voice_s, call.webhook_s = model_s, voice_s, 0.3
    for deed, what in deeds:
        perform(call, deed, what)
    settle(call)
    generations.clear()
    assert_answered(call)
    assert_sound(call)
    assert_tools_sound(call)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(*WRITTEN), max_size=10), GENERATIONS, DELAYS)
def test_in_writing_every_message_is_answered_and_all_that_starts_stops(
    deeds: list[Deed], generations: Generations, model_s: float
) -> None:
    events = [*TOOL_EVENTS, "agent_chat_response_part", "agent_reasoning_response_part"]
    call = Call(
        agent(GREETING, prompt=prompted(*TOOLS), events=events, text_only=True),
        model=model(generations),
        webhook=requested,
    )
    call.model_s = model_s
    for deed, what in deeds:
        perform(call, deed, what)
    call.sends_nothing(25)
    generations.clear()
    call.types("quero um pão")
    call.sends_nothing(3)
    assert call.messages(AgentResponse)[-1].agent_response == "Você disse quero um pão."
    assert not call.ended
    assert not any([call.spoken, call.recognised, call.messages(Audio)])
    assert_tools_sound(call)
    parts: list[AgentChatResponsePart | AgentReasoningResponsePart] = []
    parts += call.messages(AgentChatResponsePart)
    parts += call.messages(AgentReasoningResponsePart)
    ends = Counter((part.event_id, part.type) for part in parts if part.type != "delta")
    assert all(ends[event_id, "start"] == ends[event_id, "stop"] == 1 for event_id, _ in ends)
    text = {part.event_id: "" for part in parts}
    for part in call.messages(AgentChatResponsePart):
        text[part.event_id] += part.text
    assert all(text[m.event_id] == m.agent_response for m in call.messages(AgentResponse))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.one_of(*SPOKEN, *WRITTEN), max_size=6),
    st.lists(st.sampled_from(["abrir", "end_call"]), min_size=1, max_size=3),
)
def test_a_call_that_the_agent_ends_is_over_once_its_goodbye_was_heard(deeds: list[Deed], names: list[str]) -> None:
    described = agent(prompt=prompted(*TOOLS, system("end_call")), events=TOOL_EVENTS)
    call = Call(described, model=model([("Tchau, até logo!", names, False)]))
    call.silence(1)
    call.says("tchau")
    for deed, what in deeds:
        perform(call, deed, what)
    call.silence(15)
    if call.ended:
        assert type(call.ended) is Finished
        assert "end_call" in names
        hung_up = [at for at, told in call.sent if isinstance(told, AgentToolResponse) and told.tool_name == "end_call"]
        assert min(hung_up) >= max(call.times(Audio))
    assert_tools_sound(call)


@pytest.mark.parametrize("events", [EVENTS, TOOL_EVENTS])
@given(st.lists(st.one_of(*WRITTEN), max_size=6))
@settings(max_examples=20, deadline=None)
def test_what_cannot_be_honoured_is_an_error_and_no_end(events: Sequence[str], deeds: list[Deed]) -> None:
    call = Call(agent(GREETING, events=events))
    call.silence(3)
    for deed, what in deeds:
        perform(call, deed, what)
    refused = [what for deed, what in deeds if deed == "answers" or (deed == "likes" and int(what) < 1)]
    assert len(call.messages(Error)) >= len(refused)
    assert not call.ended
