"""Each fault of the fake is what it is called, on every way, and passes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fakes.elevenlabs_client import END, INIT, KEY, PCM, converse, post, said_in, sound, until, url
from tests.fakes.elevenlabs_server import MULTI, SINGLE, FakeElevenLabs, Fault


@pytest.fixture
def server() -> Iterator[FakeElevenLabs]:
    with FakeElevenLabs() as fake:
        yield fake


STATUSES = [(Fault.BAD_KEY, 401), (Fault.FORBIDDEN, 403), (Fault.RATE_LIMIT, 429), (Fault.SERVER_ERROR, 500)]


@pytest.mark.parametrize(("fault", "status"), STATUSES)
def test_requests_are_refused(server: FakeElevenLabs, fault: Fault, status: int) -> None:
    server.fault = fault
    for way in (SINGLE, MULTI):
        with pytest.raises(InvalidStatus) as refusal:
            converse(server, INIT, END, way=way)
        assert refusal.value.response.status_code == status
    assert post(server).status_code == status


def test_a_key_is_needed(server: FakeElevenLabs) -> None:
    async def main() -> None:
        with pytest.raises(InvalidStatus):
            await connect(url(server, MULTI, PCM))

    asyncio.run(main())


def test_a_fault_may_be_of_one_way(server: FakeElevenLabs) -> None:
    server.faulty, server.fault = [MULTI], Fault.SERVER_ERROR
    assert sound(converse(server, INIT, {"text": "hi "}, END))
    assert post(server).status_code == 200


@pytest.mark.parametrize("way", [SINGLE, MULTI])
def test_faults_of_a_clause(server: FakeElevenLabs, way: str) -> None:
    messages = said_in("a", "good morning ") if way == MULTI else [INIT, {"text": "good morning ", "flush": True}, END]
    answers = {}
    for fault in (Fault.ERROR, Fault.EARLY_CLOSE, Fault.NO_AUDIO, Fault.IDLE, Fault.RESET):
        server.fault = fault
        answers[fault] = converse(server, *messages, *([{"close_socket": True}] if way == MULTI else []), way=way)
    assert (answers[Fault.ERROR][0]["error"], answers[Fault.ERROR][1]) == ("quota_exceeded", 1008)
    assert sound(answers[Fault.EARLY_CLOSE])
    assert not any(answer.get("isFinal") for answer in answers[Fault.EARLY_CLOSE])
    assert [answer["isFinal"] for answer in answers[Fault.NO_AUDIO]] == [True]
    assert answers[Fault.IDLE][-1] == 1008
    assert answers[Fault.RESET][-1] == 1006


def test_faults_of_a_request(server: FakeElevenLabs) -> None:
    server.fault = Fault.NO_AUDIO
    assert post(server).content == b""
    server.fault = Fault.ERROR
    assert post(server).status_code == 400
    for fault in (Fault.EARLY_CLOSE, Fault.RESET):
        server.fault = fault
        with pytest.raises(httpx.TransportError):
            post(server)


def on_an_open_socket(server: FakeElevenLabs, scenario: Callable[[ClientConnection], Awaitable[None]]) -> None:
    async def main() -> None:
        address = url(server, MULTI, PCM)
        async with connect(address, additional_headers=KEY, close_timeout=0.1) as socket:
            await scenario(socket)

    asyncio.run(main())


def test_who_is_gone_resets_what_was_open_and_comes_back(server: FakeElevenLabs) -> None:
    async def scenario(socket: ClientConnection) -> None:
        server.fault = Fault.REFUSED
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is None
        with pytest.raises(ConnectionRefusedError):
            await connect(url(server, MULTI, PCM))

    on_an_open_socket(server, scenario)
    server.fault = None
    assert sound(converse(server, INIT, {"text": "hi "}, END))


def test_a_half_open_socket_is_silent_for_ever(server: FakeElevenLabs) -> None:
    async def scenario(socket: ClientConnection) -> None:
        server.fault = Fault.HALF_OPEN
        server.fault = None
        await socket.send(json.dumps(INIT))
        pong = await socket.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.2)
        assert not pong.done()
        assert server.received[0].messages == []

    on_an_open_socket(server, scenario)


def test_a_status_on_an_open_socket_is_an_error_message(server: FakeElevenLabs) -> None:
    async def scenario(socket: ClientConnection) -> None:
        server.fault = Fault.BAD_KEY
        for message in said_in("a", "hi "):
            await socket.send(json.dumps(message))
        assert json.loads(await socket.recv())["error"] == "invalid_api_key"
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    on_an_open_socket(server, scenario)


def test_one_socket_can_be_killed(server: FakeElevenLabs) -> None:
    async def scenario(socket: ClientConnection) -> None:
        until(lambda: server.open_sockets)
        server.kill(server.received[0])
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is None
        until(lambda: not server.open_sockets)

    on_an_open_socket(server, scenario)
