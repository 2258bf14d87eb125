"""When the client comes back, how often it tries, and when it gives up: in virtual time."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence

import pytest

from serve_app.client.conversation import Conversation
from serve_app.client.events import ConversationOver, Event, Reconnecting, Resumed
from serve_app.client.line import Address, Line, LineLost
from serve_app.client.way_back import Jitter
from serve_app.conversation.server_messages import AgentResponse
from tests.client.lines import Dialling, MemoryLine
from tests.virtual_time import run

ADDRESS = Address.of("http://server", "default", resume=True)


def longest(low: float, high: float) -> float:
    return high


def shortest(low: float, high: float) -> float:
    return low


def resumed(received_ms: int = 0) -> MemoryLine:
    """The next one."""
    return MemoryLine().begin(received_ms=received_ms, resumed=True)


def play(
    score: Callable[[Conversation, Dialling], Awaitable[None]],
    lines: Sequence[Line | LineLost],
    jitter: Jitter = longest,
) -> Dialling:
    """A conversation over these lines, one after another. Nothing of it may be left running."""

    async def perform() -> Dialling:
        dialling = Dialling(lines)
        conversation = await Conversation.open([ADDRESS], dialling, {}, jitter)
        await score(conversation, dialling)
        await conversation.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return dialling

    return run(perform())


async def events_of(conversation: Conversation) -> tuple[list[Event], ConversationOver | None]:
    events: list[Event] = []
    while True:
        try:
            events.append(await anext(conversation))
        except StopAsyncIteration:
            return events, None
        except ConversationOver as over:
            return events, over


@pytest.fixture
def line() -> MemoryLine:
    """The first one."""
    return MemoryLine().begin()


def test_waits_double_up_to_five_seconds_and_end_after_a_minute(line: MemoryLine) -> None:
    line.lose()

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        events, over = await events_of(conversation)
        waits = [event.wait_s for event in events if isinstance(event, Reconnecting)]
        assert waits[:7] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0])
        assert waits[6:] == pytest.approx([5.0] * len(waits[6:]))
        assert [event.attempt for event in events if isinstance(event, Reconnecting)] == list(range(1, len(waits) + 1))
        assert over
        assert over.code == 1006
        assert "60 s" in over.reason

    dialling = play(score, [line])
    assert 55 < dialling.at[-1] <= 60


def test_clients_of_one_server_do_not_come_back_at_once(line: MemoryLine) -> None:
    """Jitter spreads every wait from its longest down to 50 ms."""
    line.lose()
    asked: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        await events_of(conversation)
        waits = [high for low, high in asked if low == 0.05]
        assert waits[:3] == [0.1, 0.2, 0.4]
        assert len(waits) > 10

    play(score, [line], jitter)


def test_goes_on_with_the_newest_token_after_what_it_has(line: MemoryLine) -> None:
    line.put("agent_response", agent_response="um", event_id=7)
    line.put("ping", event_id=9, ping_ms=None)
    line.lose(1012, "restarting")

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        events = [await anext(conversation) for _ in range(3)]
        assert events == [
            AgentResponse("um", 7),
            Reconnecting(1, 0.1, "1012: restarting"),
            Resumed(pytest.approx(0.1), 0),
        ]

    second = resumed()
    dialling = play(score, [line, second])
    assert [sent["type"] for sent in line.sent] == ["conversation_initiation_client_data", "pong"]
    assert second.sent == []
    assert dialling.urls == [
        "ws://server/v1/convai/conversation?agent_id=default&resume=1",
        "ws://server/v1/convai/conversation?conversation_id=conv_1&resume_token=t&last_event_id=9",
    ]


@pytest.mark.parametrize("code", [1000, 1002, 1008, 4001, 4300])
def test_a_last_word_is_taken_as_one(line: MemoryLine, code: int) -> None:
    line.lose(code, "that was it")

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        events, over = await events_of(conversation)
        assert events == []
        assert (over and over.code) == (None if code == 1000 else code)
        with pytest.raises(StopAsyncIteration if code == 1000 else ConversationOver):
            await anext(conversation)  # whoever asks again is told again

    assert len(play(score, [line]).urls) == 1


def test_a_refusal_on_the_way_back_is_one_too(line: MemoryLine) -> None:
    line.lose()

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        _, over = await events_of(conversation)
        assert over
        assert (over.code, over.reason) == (1008, "the conversation is over")

    assert len(play(score, [line, LineLost(1006, ""), LineLost(1008, "the conversation is over")]).urls) == 3


def test_a_server_that_takes_the_call_and_says_nothing_is_left(line: MemoryLine) -> None:
    line.lose()
    silent, patient, third = MemoryLine(), MemoryLine(), resumed()

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        events = [await anext(conversation) for _ in range(4)]
        assert isinstance(events[-1], Resumed)
        assert events[-1].away_s == pytest.approx(0.1 + 2.0 + 0.2 + 4.0 + 0.4)
        assert silent.left
        assert patient.left

    play(score, [line, silent, patient, third])


def test_a_line_that_breaks_again_at_once_does_not_start_the_waits_anew(line: MemoryLine) -> None:
    line.lose()
    lines = [resumed() for _ in range(3)]
    for again in lines[:2]:
        again.lose()

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        events = [await anext(conversation) for _ in range(6)]
        assert [event.wait_s for event in events if isinstance(event, Reconnecting)] == pytest.approx([0.1, 0.2, 0.4])
        await asyncio.sleep(2.0)
        lines[2].lose()
        assert await anext(conversation) == Reconnecting(1, pytest.approx(0.1), "1006: ")

    play(score, [line, *lines])


def test_what_was_said_while_away_is_sent_in_short_messages_and_in_order(line: MemoryLine) -> None:
    spoken = bytes(range(256)) * 125  # a second
    second = resumed(100)

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        await conversation.send_audio(spoken[:6400])
        line.lose()
        assert isinstance(await anext(conversation), Reconnecting)
        await conversation.send_text("olá")
        await conversation.send_audio(spoken[6400:])
        assert await anext(conversation) == Resumed(0.1, 0.0)
        await asyncio.sleep(0)
        assert b"".join(second.audio()) == spoken[3200:]
        assert max(map(len, second.audio())) <= 8000
        assert [sent["text"] for sent in second.sent if "text" in sent] == ["olá"]

    play(score, [line, second])


def test_more_than_twenty_seconds_away_and_the_rest_is_told_as_lost(line: MemoryLine) -> None:
    line.lose()
    second = resumed()
    away = itertools.repeat(LineLost(1006, ""), 9)

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        second_of_audio = bytes(32_000)
        await conversation.send_audio(second_of_audio)  # it has left, but the line was dead
        assert isinstance(await anext(conversation), Reconnecting)
        for _ in range(22):
            await conversation.send_audio(second_of_audio)
            await asyncio.sleep(1)
        while isinstance(event := await anext(conversation), Reconnecting):
            pass
        assert isinstance(event, Resumed)
        assert event.lost_s == pytest.approx(3.0)
        assert len(b"".join(second.audio())) == 20 * 32_000

    play(score, [line, *away, second])


def test_hanging_up_while_away_ends_it(line: MemoryLine) -> None:
    line.lose()

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        assert isinstance(await anext(conversation), Reconnecting)
        await conversation.close()
        events, over = await events_of(conversation)
        assert (events, over) == ([], None)

    assert len(play(score, [line]).urls) == 1


class Clogged(MemoryLine):
    async def send(self, text: str) -> None:
        if "user_audio_chunk" in text:
            await asyncio.Event().wait()  # nothing gets into it any more


def test_hanging_up_just_when_it_is_back_leaves_no_line_open() -> None:
    first, second = Clogged(), resumed()

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        speaking = asyncio.create_task(conversation.send_audio(bytes(640)))
        first.lose()
        assert isinstance(await anext(conversation), Reconnecting)
        await asyncio.sleep(1)
        await conversation.close()
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)

    play(score, [first.begin(), second])
    assert second.left


@pytest.mark.parametrize(
    "frame", ["[]", "{", '{"type": 3}', '{"type": "audio", "audio_event": {"event_id": 1}}', '{"a": 1}']
)
def test_a_server_that_talks_nonsense_is_left(line: MemoryLine, frame: str) -> None:
    line.put_text(frame)

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        _, over = await events_of(conversation)
        assert over
        assert over.code == 1002

    play(score, [line])
    assert line.left


def test_unknown_messages_are_passed_over(line: MemoryLine) -> None:
    line.put("rich_content", "rich_content", anything=1)
    line.put("agent_response", agent_response="um", event_id=1)

    async def score(conversation: Conversation, dialling: Dialling) -> None:
        assert await anext(conversation) == AgentResponse("um", 1)

    play(score, [line])


def test_a_conversation_that_cannot_begin_says_why() -> None:
    async def perform(first: Line | LineLost) -> ConversationOver:
        with pytest.raises(ConversationOver) as over:
            await Conversation.open([ADDRESS], Dialling([first]), {})
        return over.value

    other_first = MemoryLine()
    other_first.put("ping", event_id=1, ping_ms=None)
    assert run(perform(LineLost(1013, "all lines are busy"))).code == 1013
    assert "mp3_44100" in run(perform(MemoryLine().begin(audio_format="mp3_44100"))).reason
    assert run(perform(other_first)).code == 1002


def test_half_a_sample_is_refused(line: MemoryLine) -> None:
    async def score(conversation: Conversation, dialling: Dialling) -> None:
        with pytest.raises(ValueError, match="3 bytes"):
            await conversation.send_audio(bytes(3))

    play(score, [line])
