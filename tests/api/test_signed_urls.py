import asyncio
from urllib.parse import parse_qsl, urlsplit

import pytest
from elevenlabs.core.api_error import ApiError
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from serve_app.access import Access, Admission
from serve_app.api.signed_urls import routes
from serve_app.api_keys import ApiKeys
from serve_app.errors import ClientError
from serve_app.regions import Regions
from serve_app.signatures import Signatures
from tests.api.official_client import client_of
from tests.api.samples import AGENTS

PATH = "/v1/convai/conversation/get-signed-url"
SECRET = "0123456789abcdef0123456789abcdef"
KEY = "key_1"


REGIONS = Regions(
    "sa-east-1",
    {
        "us-east-1": "https://us.voice.example",
        "sa-east-1": "https://sa.voice.example/",
        "eu-west-1": "https://eu.voice.example/hello",
    },
)

ALONE = Regions("local", {})


def app(
    *keys: str,
    signed: bool = True,
    public_url: str | None = None,
    regions: Regions = ALONE,
    has_room: bool = True,
) -> Starlette:
    signatures = Signatures(SECRET) if signed else None
    return Starlette(routes=routes(AGENTS, ApiKeys(keys), signatures, public_url, regions, lambda agent_id: has_room))


def opening() -> Access:
    """Another replica, with the same secret."""

    async def stored(conversation_id: str) -> object | None:
        return None

    return Access(AGENTS, ApiKeys([KEY]), Signatures(SECRET), stored)


def open_by(url: str, access: Access) -> Admission:
    scope = {"type": "websocket", "query_string": urlsplit(url).query.encode(), "headers": []}
    admission = access.admit(HTTPConnection(scope))
    asyncio.run(access.use(admission))
    return admission


def test_the_official_client_gets_a_url_that_opens_a_private_agent() -> None:
    with client_of(app(KEY), KEY) as client:
        url = client.conversational_ai.conversations.get_signed_url(agent_id="private").signed_url
        base = client._client_wrapper.get_base_url()
    assert url.startswith(base.replace("http", "ws") + "/v1/convai/conversation?agent_id=private&")
    access = opening()
    assert open_by(url, access)[:2] == open_by(url, access)[:2] == ("private", "signed_url")


def test_with_its_conversation_the_url_is_good_for_once() -> None:
    with client_of(app(KEY), KEY) as client:
        conversations = client.conversational_ai.conversations
        first, second = (
            conversations.get_signed_url(agent_id="private", include_conversation_id=True).signed_url for _ in range(2)
        )
    reserved = [dict(parse_qsl(urlsplit(url).query))["conversation_id"] for url in (first, second)]
    assert reserved[0] != reserved[1]
    access = opening()
    assert open_by(first, access).conversation_id == reserved[0]
    with pytest.raises(ClientError, match="has been used"):
        open_by(first, access)
    assert open_by(second, access).conversation_id == reserved[1]


@pytest.mark.parametrize(
    ("api_key", "query", "status_code", "status"),
    [
        ("key_2", {"agent_id": "open"}, 401, "invalid_api_key"),
        ("", {"agent_id": "open"}, 401, "invalid_api_key"),
        ("key_2", {"agent_id": "nobody"}, 401, "invalid_api_key"),
        (KEY, {"agent_id": "nobody"}, 404, "agent_not_found"),
        (KEY, {"agent_id": ""}, 422, "missing_agent_id"),
        (KEY, {}, 422, "missing_agent_id"),
    ],
)
def test_refusals(api_key: str, query: dict[str, str], status_code: int, status: str) -> None:
    answer = TestClient(app(KEY)).get(PATH, params=query, headers={"xi-api-key": api_key} if api_key else {})
    assert (answer.status_code, answer.json()["detail"]["status"]) == (status_code, status)
    assert answer.json()["detail"]["message"]


def test_without_keys_public_agents_are_signed_for_and_private_ones_are_not() -> None:
    client = TestClient(app())
    assert client.get(PATH, params={"agent_id": "open"}).status_code == 200
    answer = client.get(PATH, params={"agent_id": "private"}, headers={"xi-api-key": "unused"})
    assert (answer.status_code, answer.json()["detail"]["status"]) == (403, "api_keys_not_set")
    assert "API_KEYS" in answer.json()["detail"]["message"]


def test_without_a_secret_the_operator_is_told_what_to_set() -> None:
    answer = TestClient(app(KEY, signed=False)).get(PATH, params={"agent_id": "open"}, headers={"xi-api-key": KEY})
    assert (answer.status_code, answer.json()["detail"]["status"]) == (503, "signing_secret_not_set")
    assert "SIGNING_SECRET" in answer.json()["detail"]["message"]


@pytest.mark.parametrize(
    ("public_url", "headers", "base"),
    [
        (None, {"Host": "10.0.0.5:8000"}, "ws://10.0.0.5:8000"),
        (None, {"Host": "voice.example", "X-Forwarded-Proto": "https"}, "wss://voice.example"),
        (None, {"Host": "voice.example", "X-Forwarded-Proto": "https, http"}, "wss://voice.example"),
        (None, {"Host": "voice.example", "X-Forwarded-Proto": "http"}, "ws://voice.example"),
        ("https://voice.example", {"Host": "10.0.0.5:8000"}, "wss://voice.example"),
        ("https://example.com/voice/", {"Host": "10.0.0.5:8000"}, "wss://example.com/voice"),
        ("http://127.0.0.1:8000", {"X-Forwarded-Proto": "https"}, "ws://127.0.0.1:8000"),
    ],
)
def test_the_url_is_where_the_client_finds_us(public_url: str | None, headers: dict[str, str], base: str) -> None:
    answer = TestClient(app(public_url=public_url)).get(PATH, params={"agent_id": "open"}, headers=headers)
    assert answer.json()["signed_url"].startswith(f"{base}/v1/convai/conversation?agent_id=open&")


def test_tls_that_ends_here_is_seen() -> None:
    answer = TestClient(app(), base_url="https://voice.example").get(PATH, params={"agent_id": "open"})
    assert answer.json()["signed_url"].startswith("wss://voice.example/v1/")


def test_the_official_client_is_told_at_once_that_there_is_no_webrtc() -> None:
    """With its retries on: it would wait and ask again after a 5xx."""
    with client_of(app(KEY)) as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.conversations.get_webrtc_token(agent_id="open")
    assert refusal.value.status_code == 400
    assert 'connectionType "websocket"' in refusal.value.body["detail"]["message"]
    assert "401" not in refusal.value.body["detail"]["message"]  # the JS client would hide the message


def regions_of(query: dict[str, str], *, has_room: bool = True) -> list[str]:
    """In the order in which a caller shall try them; each with a URL of its own that opens the conversation."""
    client = TestClient(app(regions=REGIONS, has_room=has_room))
    answer = client.get(PATH, params={"agent_id": "open", **query}).json()
    ways = [answer, *answer["alternatives"]]
    for way in ways:
        base = REGIONS.urls[way["region"]].rstrip("/").replace("https", "wss")
        assert way["signed_url"].startswith(f"{base}/v1/convai/conversation?agent_id=open&")
        assert open_by(way["signed_url"], opening()).authorization_method == "signed_url"
    return [way["region"] for way in ways]


@pytest.mark.parametrize(
    ("query", "has_room", "regions"),
    [
        ({}, True, ["sa-east-1", "eu-west-1", "us-east-1"]),
        ({}, False, ["eu-west-1", "us-east-1", "sa-east-1"]),
        ({"region": "eu-west-1"}, True, ["eu-west-1", "us-east-1", "sa-east-1"]),
        ({"region": "sa-east-1"}, False, ["sa-east-1", "eu-west-1", "us-east-1"]),
    ],
)
def test_of_several_regions_the_one_to_dial_is_named_and_the_others_stand_by(
    query: dict[str, str], has_room: bool, regions: list[str]
) -> None:
    assert regions_of(query, has_room=has_room) == regions


def test_all_of_them_reserve_the_same_conversation() -> None:
    answer = TestClient(app(regions=REGIONS)).get(PATH, params={"agent_id": "open", "include_conversation_id": "true"})
    urls = [answer.json()["signed_url"], *(way["signed_url"] for way in answer.json()["alternatives"])]
    assert len({urlsplit(url).query for url in urls}) == 1
    access = opening()
    open_by(urls[0], access)
    with pytest.raises(ClientError, match="has been used"):
        open_by(urls[1], access)


def test_a_region_that_there_is_not_is_refused() -> None:
    for regions in (REGIONS, ALONE):
        answer = TestClient(app(regions=regions)).get(PATH, params={"agent_id": "open", "region": "mars-1"})
        assert (answer.status_code, answer.json()["detail"]["status"]) == (422, "unknown_region")


def test_a_single_region_with_no_room_has_nobody_to_send_callers_to() -> None:
    single = Regions("sa-east-1", {"sa-east-1": "https://sa.voice.example"})
    answer = TestClient(app(regions=single, has_room=False)).get(PATH, params={"agent_id": "open"}).json()
    assert (answer["region"], answer["alternatives"]) == ("sa-east-1", [])


def test_the_official_client_takes_the_url_and_minds_nothing_else() -> None:
    with client_of(app(KEY, regions=REGIONS), KEY) as client:
        url = client.conversational_ai.conversations.get_signed_url(agent_id="private").signed_url
    assert url.startswith("wss://sa.voice.example/v1/convai/conversation?agent_id=private&")
