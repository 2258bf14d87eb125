"""Against the server that the test conducts; with the real one they are in the soak itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.fakes.resuming_server import CONVERSATION_ID, ResumingServer
from tests.soak.call import Call, CallError
from tests.soak.microphone import spoken

WORDS = "bom dia"


def in_a_call(
    scenario: Callable[[ResumingServer, Call], Awaitable[None]], *, typed: bool = True, resumable: bool = True
) -> None:
    async def run() -> None:
        async with (
            asyncio.timeout(30),
            ResumingServer(resumable=resumable) as server,
            _greeted(server, typed) as call,
        ):
            await scenario(server, call)

    asyncio.run(run())


@asynccontextmanager
async def _greeted(server: ResumingServer, typed: bool) -> AsyncIterator[Call]:
    call = Call(server.url.replace("http", "ws"), typed=typed, resumes=True)
    greeting = asyncio.create_task(_greet(server))
    async with call:
        await greeting
        yield call


async def _greet(server: ResumingServer) -> None:
    await server.until(lambda: server.received)  # the opening message
    await _say(server, "agent_response", "agent_response_complete")


async def _say(server: ResumingServer, *kinds: str) -> None:
    for kind in kinds:
        await server.say(kind)


def test_an_answer_is_waited_for() -> None:
    async def scenario(server: ResumingServer, call: Call) -> None:
        turn = asyncio.create_task(call.turn(WORDS))
        await server.until(lambda: len(server.received) == 2)
        assert server.received[-1] == {"type": "user_message", "text": WORDS}
        await _say(server, "user_transcript")
        await asyncio.sleep(0.2)
        assert not turn.done()
        await _say(server, "agent_response")
        assert await turn >= 0.2

    in_a_call(scenario)


def test_a_caller_who_is_cut_off_comes_back_for_the_answer() -> None:
    async def scenario(server: ResumingServer, call: Call) -> None:
        assert call.can_come_back
        turn = asyncio.create_task(call.turn(WORDS, cut=True))
        await server.until(lambda: len(server.received) == 2)
        token = server.token
        await _say(server, "user_transcript")
        await server.until(lambda: len(server.queries) == 2)
        back = {"conversation_id": CONVERSATION_ID, "resume_token": token, "last_event_id": "3"}
        assert server.queries[1] == back
        await _say(server, "agent_response")
        await turn

    in_a_call(scenario)


def test_words_that_were_said_while_the_line_was_down_arrive_late_and_once() -> None:
    async def scenario(server: ResumingServer, call: Call) -> None:
        turn = asyncio.create_task(call.turn(WORDS, cut=True))
        await server.until(lambda: len(server.queries) == 2)
        await _say(server, "user_transcript", "agent_response", "audio", "agent_response_complete")
        await turn
        assert bytes(server.heard).count(b"".join(spoken(WORDS))) == 1

    in_a_call(scenario, typed=False)


def test_a_server_that_hangs_up_is_told() -> None:
    async def scenario(server: ResumingServer, call: Call) -> None:
        turn = asyncio.create_task(call.turn(WORDS))
        await server.close(1008, "enough")
        with pytest.raises(CallError, match="closed: 1008 enough"):
            await turn

    in_a_call(scenario)


def test_without_a_token_nobody_comes_back() -> None:
    async def scenario(server: ResumingServer, call: Call) -> None:
        assert not call.can_come_back

    in_a_call(scenario, resumable=False)


def test_who_may_not_come_back_is_told_why() -> None:
    async def scenario(server: ResumingServer, call: Call) -> None:
        server.token = "another"
        with pytest.raises(CallError, match="refused: 1008 wrong token"):
            await asyncio.gather(call.turn(WORDS, cut=True), server.say("user_transcript"))

    in_a_call(scenario)
