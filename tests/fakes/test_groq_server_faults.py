"""What the fake does on demand, as a client sees it."""

import json
import time
from collections.abc import Callable

import httpx
import pytest

from tests.fakes.groq_calls import chat, transcribe, wav
from tests.fakes.groq_server import Behaviour, FakeGroq, Fault


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.BAD_KEY, 401, "invalid_api_key"),
        (Fault.RATE_LIMIT, 429, "rate_limit_exceeded"),
        (Fault.SERVER_ERROR, 500, "internal_server_error"),
    ],
)
def test_refusals_carry_groqs_error_body(
    fake: FakeGroq, http: httpx.Client, fault: Fault, status: int, code: str
) -> None:
    fake.fault = fault
    for answer in (chat(http), transcribe(http, wav(bytes(100)))):
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == code
        assert answer.headers.get("retry-after") == ("7" if status == 429 else None)


def test_a_request_without_a_key_is_refused(fake: FakeGroq, http: httpx.Client) -> None:
    assert httpx.post(f"{fake.url}/v1/chat/completions", json={"model": "m"}).status_code == 401


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.STALL_MIDWAY])
def test_a_stall_lasts_until_the_client_leaves(fake: FakeGroq, http: httpx.Client, fault: Fault) -> None:
    fake.fault = fault
    with pytest.raises(httpx.ReadTimeout):
        http.post(
            "/v1/chat/completions", json={"model": "m", "stream": True, "messages": [{"content": "hi"}]}, timeout=0.1
        )
    assert fake.disconnected.wait(5)


def test_an_early_close_cuts_the_body(fake: FakeGroq, http: httpx.Client) -> None:
    fake.fault = Fault.EARLY_CLOSE
    with pytest.raises(httpx.RemoteProtocolError):
        chat(http)


def test_a_malformed_body_is_not_json(fake: FakeGroq, http: httpx.Client) -> None:
    fake.fault = Fault.MALFORMED
    with pytest.raises(json.JSONDecodeError):
        transcribe(http, wav(bytes(100))).json()


def test_a_reset_is_one() -> None:
    """Not the orderly end of a connection, which the client would be told of as an incomplete body."""
    with FakeGroq() as fake, httpx.Client(base_url=fake.url, headers={"authorization": "Bearer k"}) as client:
        fake.fault = Fault.RESET
        with pytest.raises(httpx.ReadError, match="reset by peer"):
            chat(client)
        assert wait_until(lambda: fake.connections == 0)


def test_a_half_open_connection_stays_though_the_client_leaves() -> None:
    with FakeGroq() as fake:
        fake.fault = Fault.HALF_OPEN
        leaving = httpx.Client(base_url=fake.url, headers={"authorization": "Bearer k"}, timeout=0.1)
        with leaving, pytest.raises(httpx.ReadTimeout):
            chat(leaving)
        time.sleep(0.1)
        assert fake.connections == 1
        assert not fake.disconnected.is_set()


def test_while_it_is_stopped_connections_are_refused_and_open_ones_broken(fake: FakeGroq) -> None:
    url = fake.url
    with httpx.Client(base_url=url, headers={"authorization": "Bearer k"}, timeout=5) as client:
        assert chat(client).status_code == 200
        fake.stop()
        for _ in range(2):  # the connection that was open may be found broken first
            with pytest.raises((httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError)) as error:
                chat(client)
        assert error.type is httpx.ConnectError
        fake.start()
        assert fake.url == url
        assert chat(client).status_code == 200


def test_routes_and_models_fail_apart(fake: FakeGroq, http: httpx.Client) -> None:
    fake.behaviours = {"stt": Behaviour(Fault.SERVER_ERROR), "m": Behaviour(Fault.BAD_KEY)}
    assert transcribe(http, wav(bytes(100))).status_code == 500
    assert [chat(http, model=model).status_code for model in ("m", "n")] == [401, 200]
    fake.behaviours = {"chat": Behaviour(Fault.RATE_LIMIT), "n": Behaviour()}
    assert transcribe(http, wav(bytes(100))).status_code == 200
    assert [chat(http, model=model).status_code for model in ("m", "n")] == [429, 200]


def test_an_answer_takes_its_time(fake: FakeGroq, http: httpx.Client) -> None:
    fake.behaviours = {"chat": Behaviour(delay_s=0.2, jitter_s=0.1)}
    begun = time.monotonic()
    assert chat(http).status_code == 200
    assert time.monotonic() - begun >= 0.2


def outcomes(seed: int, count: int = 40) -> list[str]:
    """What so many requests in a row met, of which half are to fail."""
    met = []
    with FakeGroq(seed=seed) as fake, httpx.Client(headers={"authorization": "Bearer k"}, timeout=0.5) as client:
        client.base_url = fake.url  # type: ignore[assignment]
        fake.behaviours = {"chat": Behaviour(error_rate=0.5)}
        for _ in range(count):
            try:
                met.append(str(chat(client).status_code))
            except httpx.TransportError:  # which kind may depend on what arrives first
                met.append("broken")
    return met


def test_chance_is_the_same_for_the_same_seed() -> None:
    met = outcomes(seed=3, count=16)
    assert met == outcomes(seed=3, count=16)
    assert 4 <= met.count("200") < 16


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
