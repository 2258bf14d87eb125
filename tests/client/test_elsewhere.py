"""A client that was given several servers, the nearest first: in virtual time, and over real sockets."""

import asyncio
from http import HTTPStatus

import pytest

from serve_app.client import Conversation, ConversationOver, Resumed, StartedAnew
from serve_app.client.line import Line, LineLost
from serve_app.conversation.server_messages import AgentResponse
from tests.client.lines import MemoryLine, Servers
from tests.client.two_servers import FULL, INITIATION, NOBODY, UNKNOWN, begun, play, until_there_again
from tests.fakes.resuming_server import ResumingServer
from tests.virtual_time import run

REFUSED = LineLost(1008, "there is no such agent")


async def nothing(conversation: Conversation) -> None:
    pass


def test_the_nearest_has_it() -> None:
    assert play(nothing, {"near": [begun()], "far": []}).hosts == ["near"]


@pytest.mark.parametrize("lost", [NOBODY, FULL, LineLost(1012, "this server is being replaced")])
def test_the_next_one_has_it_where_the_nearest_takes_no_calls(lost: LineLost) -> None:
    async def score(conversation: Conversation) -> None:
        assert conversation.url == "ws://far/v1/convai/conversation"

    assert play(score, {"near": [lost], "far": [begun()]}).hosts == ["near", "far"]


def test_one_that_takes_calls_and_says_nothing_is_left_for_the_next() -> None:
    async def score(conversation: Conversation) -> None:
        assert asyncio.get_running_loop().time() == pytest.approx(3.0)

    silent = MemoryLine()
    play(score, {"near": [silent], "far": [begun()]})
    assert silent.left


def test_a_refusal_is_the_last_word_wherever_it_is_said() -> None:
    with pytest.raises(ConversationOver, match="1008: no such agent"):
        play(nothing, {"near": [LineLost(1008, "no such agent")], "far": [begun()]})


def test_nobody_takes_it() -> None:
    with pytest.raises(ConversationOver) as over:
        play(nothing, {"near": [NOBODY], "far": [FULL]})
    assert over.value.code == 1013


def test_no_address_is_none() -> None:
    with pytest.raises(ValueError, match="no server's address"):
        run(Conversation.open([], Servers(), {}))


def test_it_goes_on_elsewhere_where_the_store_is_shared() -> None:
    first, second = begun(), MemoryLine().begin(resumed=True, received_ms=0)

    async def score(conversation: Conversation) -> None:
        first.put("agent_response", agent_response="um", event_id=7)
        assert await anext(conversation) == AgentResponse("um", 7)
        await conversation.send_audio(bytes(640))
        first.lose()
        assert await until_there_again(conversation) == Resumed(pytest.approx(2.0), 0.0)
        assert (conversation.id, conversation.url) == ("conv_1", "ws://far/v1/convai/conversation")

    servers = play(score, {"near": [first], "far": [second]})
    assert servers.hosts == [*["near"] * 5, "far"]
    assert servers.dialled[-1][2] == {"conversation_id": "conv_1", "resume_token": "t", "last_event_id": "7"}
    assert b"".join(second.audio()) == bytes(640)


def test_a_short_trouble_of_the_nearest_moves_nobody() -> None:
    first, again = begun(), MemoryLine().begin(resumed=True)
    first.lose(1012, "this server is being replaced")

    async def score(conversation: Conversation) -> None:
        assert await until_there_again(conversation) == Resumed(pytest.approx(0.7), 0.0)

    assert play(score, {"near": [first, NOBODY, NOBODY, again], "far": []}).hosts == ["near"] * 4


def test_a_refusal_elsewhere_ends_no_call_that_its_own_region_gives_back() -> None:
    first, again = begun(), MemoryLine().begin(resumed=True)
    first.lose()

    async def score(conversation: Conversation) -> None:
        assert isinstance(await until_there_again(conversation), Resumed)
        assert conversation.url == "ws://near/v1/convai/conversation"

    servers = play(score, {"near": [first, *[NOBODY] * 5, again], "far": [REFUSED]})
    assert servers.hosts.count("far") == 1, "it is not asked again"


def test_where_nobody_takes_it_the_refusal_is_told_when_it_is_too_late() -> None:
    first = begun()
    first.lose()

    async def score(conversation: Conversation) -> None:
        with pytest.raises(ConversationOver, match="within 60 s: there is no such agent") as over:
            await until_there_again(conversation)
        assert over.value.code == 1008
        assert asyncio.get_running_loop().time() > 50

    play(score, {"near": [first], "far": [REFUSED]})


def test_who_was_taken_over_elsewhere_stays_away() -> None:
    first = begun()
    first.lose()

    async def score(conversation: Conversation) -> None:
        with pytest.raises(ConversationOver, match="4001"):
            await until_there_again(conversation)

    play(score, {"near": [first], "far": [LineLost(4001, "another connection")]})


async def all_of(conversation: Conversation) -> None:
    async for _ in conversation:
        pass


@pytest.mark.parametrize("begins_anew", [False, True])
def test_servers_that_take_it_and_fail_at_once_are_left_alone_after_a_minute(begins_anew: bool) -> None:
    def failing() -> Line | LineLost:
        line = begun("conv_2") if begins_anew else MemoryLine().begin(resumed=True)
        line.lose(1011, "")
        return line

    first = begun()
    first.lose(1011, "")

    async def score(conversation: Conversation) -> None:
        with pytest.raises(ConversationOver, match="no way back within 60 s"):
            await all_of(conversation)
        assert asyncio.get_running_loop().time() < 61

    again = [line for _ in range(300) for line in ([UNKNOWN, failing()] if begins_anew else [failing()])]
    servers = play(score, {"near": [first, *again], "far": []})
    assert len(servers.dialled) < 80


def test_over_real_sockets() -> None:
    async def perform() -> None:
        async with ResumingServer() as near, ResumingServer(conversation_id="conv_2") as far:
            async with Conversation.connect([near.url, far.url], "default", initiation=INITIATION) as conversation:
                assert conversation.id == "conv_1"
                near.conversation_id = "conv_3"  # its store is lost
                near.cut()
                assert isinstance(await until_there_again(conversation), StartedAnew)
                assert conversation.id == "conv_3"
            near.refuses = HTTPStatus.SERVICE_UNAVAILABLE
            async with Conversation.connect([near.url, far.url], "default") as conversation:
                assert conversation.id == "conv_2"

    asyncio.run(perform())
