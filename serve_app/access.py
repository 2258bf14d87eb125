"""Who may open a conversation: everybody with a public agent, holders of a signed URL or an API key with a private one.

An agent's allowlist is asked besides: it says from which web pages.
"""

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, NamedTuple

from starlette.requests import HTTPConnection

from serve_app.api_keys import ApiKeys, sent_key
from serve_app.conversation.agent import Agent, Auth
from serve_app.errors import ClientError, ConfigurationError, StoreError
from serve_app.signatures import Grant, Signatures, used_up

logger = logging.getLogger(__name__)

BEARER = "bearer."
"""What the subprotocol begins with that brings a credential: browsers can send no header with a WebSocket."""

STORE_ANSWERS_WITHIN_S = 1.0  # somebody waits for the call to be taken


class Admission(NamedTuple):
    """`authorization_method`: ElevenLabs' name for it. `tenant`: on whose account the conversation is: an API key's, by
    a hash of it, else the agent's. `grant`: what a signed URL gives, to be used when the conversation begins."""

    agent_id: str
    authorization_method: Literal["public", "signed_url", "authorization_header"]
    tenant: str
    grant: Grant | None = None

    @property
    def conversation_id(self) -> str | None:
        """The one that a signed URL reserves."""
        return self.grant.conversation_id if self.grant else None


class Access:
    """`stored` finds a conversation by its id, or None; it may raise StoreError.

    Raises ConfigurationError for private agents that nobody could ever talk to.
    """

    def __init__(
        self,
        agents: Mapping[str, Agent],
        keys: ApiKeys,
        signatures: Signatures | None,
        stored: Callable[[str], Awaitable[object | None]],
    ) -> None:
        private = sorted(agent_id for agent_id, agent in agents.items() if agent.platform_settings.auth.enable_auth)
        if private and not keys and not signatures:
            raise ConfigurationError(
                f"private agents ({', '.join(private)}) want API_KEYS, and SIGNING_SECRET for signed URLs: set them, "
                "or enable_auth to false"
            )
        self._agents = agents
        self._keys = keys
        self._signatures = signatures
        self._stored = stored

    def admit(self, asked: HTTPConnection) -> Admission:
        """Judge a WebSocket's request. Raises ClientError; its text is for the client, and short enough for a close."""
        bearer, key = _bearer(asked), sent_key(asked.headers)
        by_key = next((given for given in (bearer, key) if given in self._keys), None)
        grant = self._grant(asked, None if bearer in self._keys else bearer)
        agent_id, agent = self._named(asked.query_params.get("agent_id"), grant)
        auth = agent.platform_settings.auth
        if auth.enable_auth and not (grant or by_key):  # a public one takes any key: clients bring ElevenLabs' along
            if key and self._keys:
                raise ClientError("the API key is not one of this server's API_KEYS")
            raise ClientError("this agent is private: open it by a signed URL, or with an API key")
        _check_origin(auth, asked.headers.get("origin"))
        if grant:
            return Admission(agent_id, "signed_url", f"agent:{agent_id}", grant)
        if by_key:
            return Admission(agent_id, "authorization_header", f"key:{_hash(by_key)}")
        return Admission(agent_id, "public", f"agent:{agent_id}")

    async def use(self, admission: Admission) -> None:
        """The conversation begins. Raises ClientError if a signed URL for one conversation has been used already.

        What other replicas have opened is in the store, about 100 ms later. Without it calls go on, these too.
        """
        grant = admission.grant
        if grant is None or grant.conversation_id is None:
            return
        assert self._signatures
        self._signatures.use(grant)
        try:
            async with asyncio.timeout(STORE_ANSWERS_WITHIN_S):
                used = await self._stored(grant.conversation_id) is not None
        except (StoreError, TimeoutError) as e:
            logger.warning("a signed URL might be used twice, while conversations cannot be read: %s", e)
            return
        if used:
            raise used_up()

    def _grant(self, asked: HTTPConnection, bearer: str | None) -> Grant | None:
        """What the signature in the URL allows, or the one that comes as a subprotocol."""
        if signature := asked.query_params.get("conversation_signature") or asked.query_params.get("token"):
            return self._read(signature)
        if not bearer:
            return None
        try:
            return self._read(bearer)
        except ClientError:
            agent = self._agents.get(asked.query_params.get("agent_id", ""))
            if agent is None or agent.platform_settings.auth.enable_auth:
                raise
            return None  # a credential for elsewhere, as a wrong API key is

    def _read(self, signature: str) -> Grant:
        if self._signatures is None:
            raise ClientError("signatures cannot be checked: this server has no SIGNING_SECRET")
        return self._signatures.read(signature)

    def _named(self, agent_id: str | None, grant: Grant | None) -> tuple[str, Agent]:
        """The agent that is asked for; a signature alone names one, too."""
        agent_id = agent_id or (grant.agent_id if grant else None)
        if not agent_id:
            raise ClientError("which agent? Add agent_id to the URL")
        if grant and grant.agent_id != agent_id:
            raise ClientError("the signature is for another agent than agent_id")
        if agent_id not in self._agents:
            raise ClientError("no such agent_id: an agent is a file AGENT_ID.yaml in configs/agents")
        return agent_id, self._agents[agent_id]


def new_conversation_id() -> str:
    return f"conv_{uuid.uuid4().hex}"


def _hash(key: str) -> str:
    """It tells keys apart, and is no key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _bearer(asked: HTTPConnection) -> str | None:
    """An API key or a signature that comes as a subprotocol."""
    offered: list[str] = asked.scope.get("subprotocols", [])
    return next((name.removeprefix(BEARER) for name in offered if name.startswith(BEARER)), None)


def _check_origin(auth: Auth, origin: str | None) -> None:
    """Exactly: another port is another host, and so is a subdomain. No browser leaves the Origin out."""
    if not auth.allowlist:
        return
    if origin is None:
        if auth.require_origin_header:
            raise ClientError("this agent answers web pages alone: there is no Origin header")
        return
    allowed = {host.hostname.lower().rstrip("/") for host in auth.allowlist}
    host = origin.lower().partition("://")[2]
    if not allowed & {origin.lower(), host}:
        raise ClientError("the page's host (its Origin) is not on this agent's allowlist")
