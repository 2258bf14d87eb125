"""Callers against a server that the test conducts."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.chaos.accounting import Call, Turn
from tests.chaos.caller import APOLOGY, Caller, Way
from tests.fakes.resuming_server import ResumingServer

Conduct = Callable[[ResumingServer], Awaitable[None]]


def called(conduct: Conduct, way: Way = Way.TYPING) -> Call:
    """One turn, with a server that acts so from its first words on."""

    async def call() -> Call:
        leaving = asyncio.Event()
        async with ResumingServer() as server:
            caller = Caller(server.url, 0, way)
            talking = asyncio.create_task(caller.talk(leaving))
            await server.until(lambda: typed(server) or server.heard)
            leaving.set()
            await conduct(server)
            await talking
        return caller.call

    return asyncio.run(call())


def typed(server: ResumingServer) -> list[str]:
    return [message["text"] for message in server.received if message["type"] == "user_message"]


async def hear(server: ResumingServer, text: str = "turno 1") -> None:
    await server.say("user_transcript", "user_transcription_event", user_transcript=text)


async def answer(server: ResumingServer, text: str = "Eu ouvi: turno 1.") -> None:
    await server.say("agent_response", agent_response=text)


def only_turn(call: Call) -> Turn:
    [turn] = call.turns
    return turn


def test_a_turn_is_heard_and_answered() -> None:
    async def conduct(server: ResumingServer) -> None:
        await hear(server)
        await answer(server)

    call = called(conduct)
    turn = only_turn(call)
    assert turn.heard
    assert turn.answer
    assert (turn.heard.event_id, turn.answer.event_id) == (1, 2)
    assert [each.type for each in call.told] == ["user_transcript", "agent_response"]
    assert not call.noticed


def test_a_line_that_breaks_before_the_answer_is_noted_and_the_answer_taken() -> None:
    async def conduct(server: ResumingServer) -> None:
        await hear(server)
        server.cut()
        await answer(server)

    call = called(conduct)
    assert only_turn(call).answer
    assert only_turn(call).again == 0
    [each] = call.breaks
    assert each.back
    assert each.why.startswith("1006")


def test_what_was_typed_into_a_dead_line_is_typed_again() -> None:
    async def conduct(server: ResumingServer) -> None:
        server.cut()
        await server.until(lambda: len(typed(server)) == 2)
        await hear(server)
        await answer(server)

    turn = only_turn(called(conduct))
    assert turn.again == 1
    assert turn.answer


@pytest.mark.parametrize("heard", [True, False])
def test_an_apology_is_no_answer(heard: bool) -> None:
    async def conduct(server: ResumingServer) -> None:
        if heard:
            await hear(server)
        await answer(server, f"{APOLOGY}, tive um problema.")
        await server.until(lambda: len(typed(server)) == 2)
        await hear(server)
        await answer(server)

    turn = only_turn(called(conduct))
    assert (turn.apologies, turn.again) == (1, 1)
    assert turn.answer


def test_a_conversation_that_cannot_be_taken_up_again_is_over() -> None:
    async def conduct(server: ResumingServer) -> None:
        await server.close(1008, "unknown conversation")

    call = called(conduct)
    assert call.over == "1008: unknown conversation"
    assert [each.back for each in call.breaks] == [None]


def test_speech_lasts_from_its_first_sound_to_its_last() -> None:
    async def conduct(server: ResumingServer) -> None:
        await server.until(lambda: len(server.heard) > 2 * 16_000)
        await hear(server, "quero ver o meu saldo")
        await answer(server, "Você quer ver o seu saldo.")

    turn = only_turn(called(conduct, Way.SPEAKING))
    assert turn.spoken
    assert turn.text == "quero ver o meu saldo"
    assert 0.8 < turn.until - turn.said < 3
    assert turn.answer
