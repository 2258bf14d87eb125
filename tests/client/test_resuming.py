"""The client over real sockets: what is lost on the way is not lost."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest

from serve_app.client import Conversation, ConversationOver, Event, Reconnecting, Resumed
from serve_app.conversation.server_messages import AgentResponse, Audio, Interruption
from tests.fakes.resuming_server import ResumingServer

Score = Callable[[ResumingServer, Conversation], Awaitable[None]]


def play(score: Score, server: ResumingServer | None = None, **options: Any) -> ResumingServer:
    async def perform() -> ResumingServer:
        async with (
            asyncio.timeout(10),
            server or ResumingServer() as serving,
            Conversation.connect(serving.url, "default", **options) as conversation,
        ):
            await score(serving, conversation)
        return serving

    return asyncio.run(perform())


def voice(seconds: float) -> bytes:
    """No two samples next to each other are alike."""
    return np.arange(round(seconds * 16_000)).astype("<i2").tobytes()


async def until_resumed(conversation: Conversation) -> list[Event]:
    events: list[Event] = []
    async for event in conversation:
        events.append(event)
        if isinstance(event, Resumed):
            break
    return events


def test_a_conversation_without_trouble() -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        await server.say("ping", ping_ms=None)
        await server.say("agent_response", agent_response="Olá!")
        await conversation.send_text("bom dia")
        await conversation.send_audio(voice(0.6))
        assert await anext(conversation) == AgentResponse("Olá!", 2)
        await server.until(lambda: len(server.heard) == 19_200)
        await server.close(1000)
        assert [event async for event in conversation] == []
        assert (conversation.id, conversation.input_format.name) == ("conv_1", "pcm_16000")

    server = play(score, initiation={"dynamic_variables": {"name": "Ana"}})
    assert server.queries == [{"agent_id": "default", "resume": "1"}]
    assert server.heard == voice(0.6)
    assert server.received[0] == {
        "type": "conversation_initiation_client_data",
        "dynamic_variables": {"name": "Ana"},
    }
    assert {"type": "pong", "event_id": 1} in server.received
    assert {"type": "user_message", "text": "bom dia"} in server.received


def test_cut_in_the_middle_of_the_agents_sentence() -> None:
    spoken = voice(0.8)

    async def score(server: ResumingServer, conversation: Conversation) -> None:
        pieces = [spoken[start : start + 1280] for start in range(0, len(spoken), 1280)]
        for piece in pieces[:8]:
            await server.play(piece)
        events = [await anext(conversation) for _ in range(5)]
        server.cut()
        for piece in pieces[8:]:
            await server.play(piece)
        events += await until_resumed(conversation)
        while len(audio := [event for event in events if isinstance(event, Audio)]) < len(pieces):
            events.append(await anext(conversation))
        ids = [event.event_id for event in audio]
        assert ids == sorted(set(ids))
        assert b"".join(event.audio_base_64 for event in audio) == spoken
        assert [type(event) for event in events if not isinstance(event, Audio)] == [Reconnecting, Resumed]

    play(score)


def test_cut_in_the_middle_of_the_callers_sentence() -> None:
    spoken = voice(2.0)

    async def score(server: ResumingServer, conversation: Conversation) -> None:
        for start in range(0, len(spoken), 640):
            await conversation.send_audio(spoken[start : start + 640])
            if start == 640 * 40:
                server.cut()
            await asyncio.sleep(0.001)
        resumed = (await until_resumed(conversation))[-1]
        assert isinstance(resumed, Resumed)
        assert resumed.lost_s == 0
        await server.until(lambda: len(server.heard) >= len(spoken))

    assert play(score).heard == spoken


def test_another_replica_wants_the_sentence_from_its_start() -> None:
    spoken = voice(1.0)

    async def score(server: ResumingServer, conversation: Conversation) -> None:
        await conversation.send_audio(spoken[:16_000])
        await server.until(lambda: len(server.heard) == 16_000)
        server.forget(0.1)
        server.cut()
        await until_resumed(conversation)
        await conversation.send_audio(spoken[16_000:])
        await server.until(lambda: len(server.heard) >= len(spoken))

    assert play(score).heard == spoken


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
def test_closes_that_are_no_end(code: int) -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        await server.close(code, "soon back")
        events = await until_resumed(conversation)
        assert isinstance(events[0], Reconnecting)
        assert events[0].why == f"{code}: soon back"

    assert len(play(score).queries) == 2


def test_comes_back_again_and_again_with_the_token_it_was_given_last() -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        for text in ("um", "dois"):
            await server.say("agent_response", agent_response=text)
            assert isinstance(await anext(conversation), AgentResponse)
            server.cut()
            await until_resumed(conversation)

    returns = play(score).queries[1:]
    assert [(query["resume_token"], query["last_event_id"]) for query in returns] == [
        ("token-1", "1"),
        ("token-2", "2"),
    ]


def test_a_proxy_that_has_no_server_is_asked_again() -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        server.refuses = HTTPStatus.SERVICE_UNAVAILABLE
        server.cut()
        first, second = await anext(conversation), await anext(conversation)
        assert (isinstance(second, Reconnecting) and second.attempt) == 2
        server.refuses = None
        assert isinstance((await until_resumed(conversation))[-1], Resumed)
        assert isinstance(first, Reconnecting)

    play(score)


def test_another_connection_has_taken_over() -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        await server.close(4001, "the conversation goes on over another connection")
        with pytest.raises(ConversationOver) as over:
            await anext(conversation)
        assert over.value.code == 4001

    assert len(play(score).queries) == 1


def test_the_token_is_no_longer_taken() -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        server.token = "expired"
        server.cut()
        assert isinstance(await anext(conversation), Reconnecting)
        with pytest.raises(ConversationOver) as over:
            await anext(conversation)
        assert (over.value.code, over.value.reason) == (1008, "wrong token")

    play(score)


@pytest.mark.parametrize("server", [ResumingServer(resumable=False), ResumingServer()], ids=["server", "app"])
def test_who_can_not_or_does_not_want_to_come_back_is_told_of_the_loss(server: ResumingServer) -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        server.cut()
        with pytest.raises(ConversationOver) as over:
            await anext(conversation)
        assert over.value.code == 1006

    assert len(play(score, server, resume=not server.resumable).queries) == 1


def test_what_was_typed_while_away_arrives() -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        await server.until(lambda: server.received)
        server.cut()
        assert isinstance(await anext(conversation), Reconnecting)
        await conversation.send_text("um")
        await conversation.send_text("dois")
        await until_resumed(conversation)
        await server.until(lambda: len(server.received) == 3)

    assert [message.get("text") for message in play(score).received[1:]] == ["um", "dois"]


def test_audio_of_an_answer_that_was_interrupted_is_dropped() -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        stale = {"audio_base_64": base64.b64encode(bytes(640)).decode(), "event_id": 0}
        await server.say("interruption")
        await server.send({"type": "audio", "audio_event": stale})
        await server.play(bytes(640))
        assert await anext(conversation) == Interruption(1)
        assert await anext(conversation) == Audio(bytes(640), 2)

    play(score)


def test_nobody_there() -> None:
    async def perform() -> int:
        async with ResumingServer() as server:
            url = server.url
        with pytest.raises(ConversationOver) as over:
            async with Conversation.connect(url, "default"):
                pass
        return over.value.code

    assert asyncio.run(perform()) == 1006


def test_the_key_travels_with_every_connection() -> None:
    async def score(server: ResumingServer, conversation: Conversation) -> None:
        server.cut()
        await until_resumed(conversation)

    assert play(score, api_key="secret").keys == ["secret", "secret"]
