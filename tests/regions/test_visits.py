"""Against a server that the test conducts, as its callers' own tests are."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import pytest

from tests.chaos.caller import Way
from tests.fakes.resuming_server import ResumingServer
from tests.regions import visits as module
from tests.regions.visits import Plan, Visit, Visits

STAYS_S = 0.1


def visited(conduct: Callable[[ResumingServer], Awaitable[None]], refuses: HTTPStatus | None = None) -> Visit:
    """One who types, and stays for a moment, with a server that acts so."""

    async def visit() -> Visit:
        async with ResumingServer() as server:
            server.refuses = refuses
            async with Visits(server.url, [Plan(0.0, STAYS_S, Way.TYPING)]) as visits:
                await conduct(server)
                await visits.over()
                assert visits.open == 0
                [only] = visits.all
        return only

    return asyncio.run(visit())


async def answer(server: ResumingServer) -> None:
    await server.until(lambda: any(message["type"] == "user_message" for message in server.received))
    await server.say("user_transcript", "user_transcription_event", user_transcript="turno 1")
    await server.say("agent_response", agent_response="Certo: turno 1.")


def test_a_caller_stays_and_hangs_up() -> None:
    visit = visited(answer)
    assert visit.began is not None
    assert visit.ended is not None
    assert visit.ended - visit.began > STAYS_S / 2
    assert not visit.is_cut
    assert not visit.is_open
    assert visit.refusals == []


def test_who_is_refused_dials_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DIALS_AGAIN_S", 0.05)

    async def conduct(server: ResumingServer) -> None:
        await asyncio.sleep(0.12)  # for two refusals
        server.refuses = None
        await answer(server)

    visit = visited(conduct, HTTPStatus.SERVICE_UNAVAILABLE)
    assert visit.refusals
    assert "503" in visit.refusals[0]
    assert not visit.is_cut


def test_who_is_never_taken_is_turned_away_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DIALS_AGAIN_S", 0.01)
    monkeypatch.setattr(module, "ATTEMPTS", 2)

    async def conduct(server: ResumingServer) -> None: ...

    visit = visited(conduct, HTTPStatus.SERVICE_UNAVAILABLE)
    assert len(visit.refusals) == 2
    assert visit.is_turned_away
    assert not visit.is_cut


def test_who_loses_the_line_and_comes_back_is_cut_but_goes_on() -> None:
    async def conduct(server: ResumingServer) -> None:
        await server.until(lambda: server.received[1:])
        server.cut()
        await answer(server)

    visit = visited(conduct)
    assert visit.is_cut
    assert visit.is_resumed


def test_a_call_that_the_server_ends_is_cut_for_good() -> None:
    async def conduct(server: ResumingServer) -> None:
        await server.until(lambda: server.received[1:])
        await server.close(1000)

    visit = visited(conduct)
    assert visit.call.over == "the agent hung up"
    assert visit.is_cut
    assert not visit.is_resumed
