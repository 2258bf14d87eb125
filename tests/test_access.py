import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import HTTPConnection

from serve_app.access import Access, Admission, new_conversation_id
from serve_app.api_keys import ApiKeys
from serve_app.conversation.agent import Agent, AllowedHost, Auth, PlatformSettings
from serve_app.errors import ClientError, ConfigurationError, StoreError
from serve_app.signatures import VALID_S, Signatures

SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000.0
KEY = "key_1"
CLOSE_REASON = 123  # bytes (RFC 6455, 5.5)


def agent(**auth: Any) -> Agent:
    return Agent("Ana", platform_settings=PlatformSettings(auth=Auth(**auth)))


AGENTS = {"open": agent(), "private": agent(enable_auth=True)}


class Stored:
    """Conversations that some replica has opened."""

    def __init__(self, *conversation_ids: str) -> None:
        self.ids = set(conversation_ids)
        self.asked: list[str] = []

    async def __call__(self, conversation_id: str) -> object | None:
        self.asked.append(conversation_id)
        return {} if conversation_id in self.ids else None


def signatures() -> Signatures:
    return Signatures(SECRET, lambda: NOW)


def access(
    agents: Mapping[str, Agent] = AGENTS,
    keys: Sequence[str] = (KEY,),
    signed: bool = True,
    stored: Any = None,
) -> Access:
    return Access(agents, ApiKeys(keys), signatures() if signed else None, stored or Stored())


def asked(
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = ("convai",),
) -> HTTPConnection:
    return HTTPConnection(
        {
            "type": "websocket",
            "query_string": urlencode(query or {}).encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
            "subprotocols": list(subprotocols),
        }
    )


def admit(door: Access, *request: Any, **more: Any) -> Admission:
    admission = door.admit(asked(*request, **more))
    asyncio.run(door.use(admission))
    return admission


def refusal(door: Access, *request: Any, **more: Any) -> str:
    """Its reason, which must fit into a close frame and give no key away."""
    with pytest.raises(ClientError) as refused:
        admit(door, *request, **more)
    assert refused.value.close_code == 1008
    assert len(refused.value.message.encode()) <= CLOSE_REASON
    assert KEY not in refused.value.message
    assert SECRET not in refused.value.message
    return refused.value.message


# ---- which agent


def test_everybody_may_talk_to_a_public_agent() -> None:
    assert admit(access(), {"agent_id": "open"}) == Admission("open", "public", "agent:open")
    assert admit(access(keys=(), signed=False, agents={"open": agent()}), {"agent_id": "open"}).agent_id == "open"


def test_an_agent_must_be_named_and_known() -> None:
    assert "Add agent_id" in refusal(access())
    assert "Add agent_id" in refusal(access(), {"agent_id": ""})
    assert "no such agent_id" in refusal(access(), {"agent_id": "nobody"})
    assert "no such agent_id" in refusal(access(), {"conversation_signature": signatures().sign("gone")})


def test_a_private_agent_is_not_for_everybody() -> None:
    assert "private" in refusal(access(), {"agent_id": "private"})


# ---- signatures


@pytest.mark.parametrize("parameter", ["conversation_signature", "token"])
@pytest.mark.parametrize("name_it", [True, False])
def test_a_signed_url_opens_a_private_agent_and_names_it(parameter: str, name_it: bool) -> None:
    query = {parameter: signatures().sign("private")} | ({"agent_id": "private"} if name_it else {})
    admission = admit(access(), query)
    assert admission[:3] == ("private", "signed_url", "agent:private")
    assert admission.conversation_id is None


def test_a_signature_may_come_as_a_subprotocol() -> None:
    offered = ["convai", f"bearer.{signatures().sign('private')}"]
    assert admit(access(), {"agent_id": "private"}, subprotocols=offered).authorization_method == "signed_url"


@pytest.mark.parametrize("agent_id", ["open", "private"])
def test_a_broken_signature_is_refused_by_public_agents_too(agent_id: str) -> None:
    broken = signatures().sign(agent_id)[:-1]
    for parameter in ("conversation_signature", "token"):
        assert "not valid" in refusal(access(), {"agent_id": agent_id, parameter: broken})


@pytest.mark.parametrize("signed", [True, False])
def test_a_bearer_that_nobody_knows_is_let_be_by_public_agents_alone(signed: bool) -> None:
    """As a wrong API key in a header is."""
    offered = ["convai", "bearer.sk_of_elevenlabs"]
    assert admit(access(signed=signed), {"agent_id": "open"}, subprotocols=offered).authorization_method == "public"
    for query in ({"agent_id": "private"}, {"agent_id": "nobody"}, {}):
        assert "signature" in refusal(access(signed=signed), query, subprotocols=offered)


def test_a_good_signature_as_a_subprotocol_counts_for_public_agents_too() -> None:
    reserving = ["convai", f"bearer.{signatures().sign('open', 'conv_1')}"]
    admission = admit(access(), {"agent_id": "open"}, subprotocols=reserving)
    assert (admission.conversation_id, admission.authorization_method) == ("conv_1", "signed_url")
    for_private = ["convai", f"bearer.{signatures().sign('private')}"]
    assert "another agent" in refusal(access(), {"agent_id": "open"}, subprotocols=for_private)


def test_an_old_signature_is_refused() -> None:
    old = Signatures(SECRET, lambda: NOW - VALID_S).sign("private")
    assert "expired" in refusal(access(), {"conversation_signature": old})


def test_a_signature_is_for_its_agent_alone() -> None:
    for_open = signatures().sign("open")
    assert "another agent" in refusal(access(), {"agent_id": "private", "conversation_signature": for_open})


def test_without_a_secret_no_signature_is_believed() -> None:
    query = {"agent_id": "open", "conversation_signature": signatures().sign("open")}
    assert "SIGNING_SECRET" in refusal(access(signed=False), query)


def test_the_signature_reserves_the_conversation_and_the_url_cannot() -> None:
    signed = {"conversation_signature": signatures().sign("open", "conv_1"), "conversation_id": "conv_1"}
    assert admit(access(), signed).conversation_id == "conv_1"
    assert admit(access(), signed | {"conversation_id": "conv_2"}).conversation_id == "conv_1"
    assert admit(access(), {"agent_id": "open", "conversation_id": "conv_1"}).conversation_id is None
    unreserved = {"conversation_signature": signatures().sign("open"), "conversation_id": "conv_1"}
    assert admit(access(), unreserved).conversation_id is None


def test_a_reserved_conversation_is_opened_once() -> None:
    door, query = access(), {"conversation_signature": signatures().sign("private", "conv_1")}
    admit(door, query)
    assert "has been used" in refusal(door, query)


def test_an_unreserved_one_as_often_as_one_likes_and_the_store_is_not_asked() -> None:
    stored = Stored()
    door, query = access(stored=stored), {"conversation_signature": signatures().sign("private")}
    assert admit(door, query) == admit(door, query)
    assert stored.asked == []


def test_a_url_is_used_when_the_conversation_begins_and_not_before() -> None:
    door, query = access(), {"conversation_signature": signatures().sign("private", "conv_1")}
    door.admit(asked(query))
    assert admit(door, query).conversation_id == "conv_1"


def test_what_another_replica_has_opened_is_found_in_the_store() -> None:
    query = {"conversation_signature": signatures().sign("private", "conv_1")}
    assert "has been used" in refusal(access(stored=Stored("conv_1")), query)


def test_while_the_store_is_away_calls_go_on_and_the_operator_knows(caplog: pytest.LogCaptureFixture) -> None:
    async def away(conversation_id: str) -> object | None:
        raise StoreError("PostgreSQL is away")

    query = {"conversation_signature": signatures().sign("private", "conv_1")}
    assert admit(access(stored=away), query).conversation_id == "conv_1"
    assert "might be used twice" in caplog.text
    assert "PostgreSQL is away" in caplog.text


def test_a_store_that_hangs_holds_up_no_call(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def hanging(conversation_id: str) -> object | None:
        await asyncio.Event().wait()
        return None

    monkeypatch.setattr("serve_app.access.STORE_ANSWERS_WITHIN_S", 0.01)
    query = {"conversation_signature": signatures().sign("private", "conv_1")}
    assert admit(access(stored=hanging), query).conversation_id == "conv_1"
    assert "might be used twice" in caplog.text


def test_who_is_turned_away_for_another_reason_has_not_used_his_url() -> None:
    door = access({"shop": agent(allowlist=(AllowedHost("shop.example"),))})
    query = {"conversation_signature": signatures().sign("shop", "conv_1")}
    refusal(door, query, {"Origin": "https://elsewhere.example"})
    assert admit(door, query, {"Origin": "https://shop.example"}).conversation_id == "conv_1"


# ---- API keys


@pytest.mark.parametrize("headers", [{"xi-api-key": KEY}, {"Authorization": f"Bearer {KEY}"}])
def test_an_api_key_opens_a_private_agent(headers: dict[str, str]) -> None:
    admission = admit(access(), {"agent_id": "private"}, headers)
    assert (admission.agent_id, admission.authorization_method) == ("private", "authorization_header")


def test_an_api_key_may_come_as_a_subprotocol() -> None:
    offered = ["convai", f"bearer.{KEY}"]
    admission = admit(access(signed=False), {"agent_id": "private"}, subprotocols=offered)
    assert admission.authorization_method == "authorization_header"


def test_a_wrong_api_key_opens_no_private_agent() -> None:
    assert "API_KEYS" in refusal(access(), {"agent_id": "private"}, {"xi-api-key": "key_2"})


def test_a_public_agent_takes_clients_with_a_key_for_elsewhere() -> None:
    assert admit(access(), {"agent_id": "open"}, {"xi-api-key": "key_2"}).authorization_method == "public"


def test_where_there_are_no_keys_one_is_not_looked_at() -> None:
    """Clients of ElevenLabs send theirs."""
    door = access(keys=())
    assert admit(door, {"agent_id": "open"}, {"xi-api-key": "sk_of_elevenlabs"}).authorization_method == "public"
    assert "private" in refusal(door, {"agent_id": "private"}, {"xi-api-key": "sk_of_elevenlabs"})


# ---- whose conversation it is


def test_an_api_key_is_a_tenant_however_it_comes_and_is_not_told() -> None:
    door = access(keys=(KEY, "key_2"))
    by_header, by_bearer = ({"xi-api-key": KEY}, ()), ({}, (f"bearer.{KEY}",))
    tenants = {
        admit(door, {"agent_id": agent_id}, headers, subprotocols=offered).tenant
        for agent_id in ("open", "private")
        for headers, offered in (by_header, by_bearer)
    }
    assert len(tenants) == 1
    assert KEY not in tenants.pop()
    assert admit(door, {"agent_id": "open"}, {"xi-api-key": "key_2"}).tenant not in tenants


def test_without_one_it_is_the_agent_s() -> None:
    assert admit(access(), {"conversation_signature": signatures().sign("private")}).tenant == "agent:private"
    assert admit(access(), {"agent_id": "open"}, {"xi-api-key": "key_of_elsewhere"}).tenant == "agent:open"


# ---- web pages

ALLOWLIST = (AllowedHost("shop.example"), AllowedHost("https://Bank.example:8443/"), AllowedHost("localhost:3000"))
LISTED = {"listed": agent(allowlist=ALLOWLIST), "strict": agent(allowlist=ALLOWLIST, require_origin_header=True)}


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "http://shop.example",
        "https://SHOP.example",
        "https://bank.example:8443",
        "http://localhost:3000",
    ],
)
def test_pages_of_listed_hosts_may_call(origin: str) -> None:
    assert admit(access(LISTED), {"agent_id": "listed"}, {"Origin": origin}).agent_id == "listed"


@pytest.mark.parametrize(
    "origin",
    [
        "https://www.shop.example",
        "https://shop.example.evil.example",
        "https://shop.example:8443",
        "https://evilshop.example",
        "http://bank.example:8443",
        "https://bank.example",
        "http://localhost",
        "http://localhost:3001",
        "null",
        "",
    ],
)
def test_others_may_not_even_with_a_key(origin: str) -> None:
    assert "allowlist" in refusal(access(LISTED), {"agent_id": "listed"}, {"Origin": origin})
    assert "allowlist" in refusal(access(LISTED), {"agent_id": "listed"}, {"Origin": origin, "xi-api-key": KEY})


def test_no_origin_is_no_page_and_may_call_unless_the_agent_wants_one() -> None:
    assert admit(access(LISTED), {"agent_id": "listed"}).agent_id == "listed"
    assert "no Origin" in refusal(access(LISTED), {"agent_id": "strict"})
    assert admit(access(LISTED), {"agent_id": "strict"}, {"Origin": "https://shop.example"}).agent_id == "strict"


def test_without_a_list_all_pages_may_call() -> None:
    """As ElevenLabs has it, also where an Origin is wanted."""
    door = access({"ana": agent(require_origin_header=True)})
    assert admit(door, {"agent_id": "ana"}).agent_id == "ana"
    assert admit(door, {"agent_id": "ana"}, {"Origin": "https://anywhere.example"}).agent_id == "ana"


# ---- at the start


def test_a_private_agent_that_nobody_can_open_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"\(private\).*API_KEYS.*SIGNING_SECRET"):
        access(keys=(), signed=False)


@pytest.mark.parametrize(("keys", "signed"), [((KEY,), False), ((), True)])
def test_one_way_in_is_enough(keys: Sequence[str], signed: bool) -> None:
    access(keys=keys, signed=signed)


def test_conversation_ids_are_new() -> None:
    assert new_conversation_id().startswith("conv_")
    assert new_conversation_id() != new_conversation_id()
