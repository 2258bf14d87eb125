"""Another conversation begins where nobody gives the first one back, and hears what that had not answered."""

import asyncio

import numpy as np
import pytest

from serve_app.client import Conversation, ConversationOver, Reconnecting, Resumed, StartedAnew
from serve_app.conversation.server_messages import AgentResponse, Audio
from tests.client.lines import MemoryLine
from tests.client.two_servers import INITIATION, UNKNOWN, begun, play, until_there_again


async def heard(conversation: Conversation, line: MemoryLine, *kinds: str) -> None:
    """These of the server's messages."""
    for kind in kinds:
        envelope = f"{kind.replace('transcript', 'transcription')}_event"
        line.put(kind, envelope, **{kind.removeprefix("tentative_"): "um"}, event_id=1)
        await anext(conversation)


def test_another_begins_where_nobody_has_it() -> None:
    first, second = begun(), begun("conv_2")

    async def score(conversation: Conversation) -> None:
        first.put("agent_response", agent_response="um", event_id=7)
        assert await anext(conversation) == AgentResponse("um", 7)
        first.lose()
        event = await until_there_again(conversation)
        assert event == StartedAnew(pytest.approx(10.0), 0.0, "1006: ")
        assert (conversation.id, conversation.url) == ("conv_2", "ws://far/v1/convai/conversation")
        second.put("agent_response", agent_response="de novo", event_id=1)
        assert await anext(conversation) == AgentResponse("de novo", 1)

    servers = play(score, {"near": [first], "far": [UNKNOWN, second]})
    assert servers.dialled[-1][2] == {"agent_id": "default", "resume": "1"}
    assert second.sent[0] == {"type": "conversation_initiation_client_data", **INITIATION}


def test_where_the_nearest_has_forgotten_it_another_begins_there_at_once() -> None:
    first = begun()
    first.lose(1011, "")

    async def score(conversation: Conversation) -> None:
        assert await until_there_again(conversation) == StartedAnew(pytest.approx(0.3), 0.0, "1011: ")
        assert conversation.id == "conv_2"

    assert play(score, {"near": [first, UNKNOWN, begun("conv_2")], "far": []}).hosts == ["near"] * 3


def test_what_was_said_in_the_gap_is_said_again_and_what_was_answered_is_not() -> None:
    first, second = begun(), begun("conv_2")
    spoken = np.arange(16_000 * 3).astype("<i2").tobytes()
    second_of_audio = 32_000

    async def score(conversation: Conversation) -> None:
        await conversation.send_audio(spoken[:second_of_audio])
        await heard(conversation, first, "user_transcript", "agent_response")
        await conversation.send_audio(spoken[second_of_audio : 2 * second_of_audio])  # the line is dead already
        first.lose()
        assert isinstance(await anext(conversation), Reconnecting)
        await conversation.send_text("alô?")
        await conversation.send_audio(spoken[2 * second_of_audio :])
        assert isinstance(await until_there_again(conversation), StartedAnew)
        await asyncio.sleep(0)

    play(score, {"near": [first], "far": [UNKNOWN, second]})
    assert b"".join(second.audio()) == spoken[second_of_audio:]
    assert [sent["text"] for sent in second.sent if "text" in sent] == ["alô?"]


@pytest.mark.parametrize(
    "signs",
    [
        ["tentative_user_transcript"],
        ["user_transcript"],  # recognised, and not answered
        ["agent_response", "agent_response"],  # of what was asked before
    ],
)
def test_a_question_that_the_loss_falls_into_is_said_again_from_its_beginning(signs: list[str]) -> None:
    first, second = begun(), begun("conv_2")
    spoken = np.arange(16_000 * 3).astype("<i2").tobytes()
    asked, begins, goes_on = spoken[:32_000], spoken[32_000:64_000], spoken[64_000:]

    async def score(conversation: Conversation) -> None:
        await conversation.send_audio(asked)
        await heard(conversation, first, "user_transcript", "agent_response")
        await conversation.send_audio(begins)
        first.put("ping", ping_ms=None, event_id=2)
        first.put("audio", audio_base_64="AAAA", event_id=3)
        assert isinstance(await anext(conversation), Audio)
        await heard(conversation, first, *signs)
        await conversation.send_audio(goes_on)
        first.lose()
        event = await until_there_again(conversation)
        assert isinstance(event, StartedAnew)
        assert event.lost_s == 0
        await asyncio.sleep(0)

    play(score, {"near": [first], "far": [UNKNOWN, second]})
    assert b"".join(second.audio()) == begins + goes_on


def test_of_a_question_of_more_than_twenty_seconds_the_beginning_is_told_as_lost() -> None:
    first, second = begun(), begun("conv_2")

    async def score(conversation: Conversation) -> None:
        for number in range(25):
            await conversation.send_audio(bytes(32_000))
            first.put("ping", ping_ms=None, event_id=number)
            await asyncio.sleep(0)
        first.lose()
        event = await until_there_again(conversation)
        assert isinstance(event, StartedAnew)
        assert event.lost_s == pytest.approx(5.0)

    play(score, {"near": [first], "far": [UNKNOWN, second]})
    assert len(b"".join(second.audio())) == 20 * 32_000


def test_what_was_said_too_long_ago_is_told_as_lost() -> None:
    first, second = begun(), begun("conv_2")
    first.lose()

    async def score(conversation: Conversation) -> None:
        assert isinstance(await anext(conversation), Reconnecting)
        await conversation.send_audio(bytes(22 * 32_000))
        event = await until_there_again(conversation)
        assert isinstance(event, StartedAnew)
        assert event.lost_s == pytest.approx(2.0)

    play(score, {"near": [first], "far": [UNKNOWN, second]})
    assert len(b"".join(second.audio())) == 20 * 32_000


def test_another_format_is_none_that_the_app_could_play() -> None:
    first = begun()
    first.lose()

    async def score(conversation: Conversation) -> None:
        with pytest.raises(ConversationOver, match="another format"):
            await until_there_again(conversation)

    far = begun("conv_2", "ulaw_8000")
    play(score, {"near": [first], "far": [UNKNOWN, far]})
    assert far.left


def test_the_one_that_began_anew_is_come_back_to_as_any_other() -> None:
    first, second, third = begun(), begun("conv_2"), MemoryLine().begin(resumed=True, conversation_id="conv_2")
    first.lose()

    async def score(conversation: Conversation) -> None:
        assert isinstance(await until_there_again(conversation), StartedAnew)
        second.put("agent_response", agent_response="um", event_id=3)
        assert isinstance(await anext(conversation), AgentResponse)
        await asyncio.sleep(5)
        second.lose()
        assert await until_there_again(conversation) == Resumed(pytest.approx(0.1), 0.0)

    servers = play(score, {"near": [first], "far": [UNKNOWN, second, third]})
    assert servers.dialled[-1][2] == {"conversation_id": "conv_2", "resume_token": "t", "last_event_id": "3"}
