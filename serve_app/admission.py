"""Whether there is room for one more conversation: on its replica, its node, for its tenant and its agent."""

import math
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from serve_app.conversation.agent import Agent
from serve_app.errors import Unavailable
from serve_app.places import MOST_PLACES, Places
from serve_app.strain import Strain

BUSY = "all lines are busy: try again in a moment"
STRAINED = "the server has too much to do for one more call: try again in a moment"
TENANT_FULL = "as many conversations go on as you may have at once: end one, or try again later"
AGENT_FULL = "this agent has as many conversations as it may have at once: try again in a moment"

Most = Annotated[int, Meta(ge=1, le=MOST_PLACES // 2)]


class Ceilings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many conversations there may be at once, None: as many as come. `max_conversations`: of one replica, below
    Serve's max_ongoing_requests, beyond which a caller would hang unanswered. The others count all replicas of a node;
    a tenant is whoever an `Admission` says."""

    max_conversations: Most = 80
    max_conversations_per_node: Most | None = None
    max_conversations_per_tenant: Most | None = None


def returning(conversations: float) -> int:
    """So many more may come back to a replica that is full."""
    return math.ceil(conversations / 5)


class _Room(NamedTuple):
    name: str
    most: int
    full: str


class Reception:
    """Of one replica. `places`: of the node it is on."""

    def __init__(self, places: Places, strain: Strain) -> None:
        self.strain = strain
        self._places = places
        self._replica = f"replica {uuid.uuid4().hex}"

    def admit(
        self, ceilings: Ceilings, tenant: str, agent_id: str, agent: Agent, *, resuming: bool = False
    ) -> ExitStack:
        """Take a place for a conversation in each room; close what this returns when it is over. Raises Unavailable,
        whose text is for the client.

        With `resuming` it has gone on elsewhere, and is not turned away for what was right to begin it: whoever had it
        may not have let go of its places yet, or may hang and never do so. Only so many more than `max_conversations`
        as a replica can stand, a fifth, is the limit then.
        """
        if not resuming and self._is_strained:
            raise Unavailable(STRAINED)
        with ExitStack() as taken:
            for room in self._rooms(ceilings, tenant, agent_id, agent, resuming):
                place = self._places.take(room.name, room.most)
                if place is None:
                    raise Unavailable(room.full)
                taken.callback(self._places.free, place)
            return taken.pop_all()

    def is_full(self, ceilings: Ceilings) -> bool:
        """For whoever begins a conversation, tenant and agent aside: other replicas may not be."""
        if self._is_strained:
            return True
        on_node = ceilings.max_conversations_per_node
        return self.conversations >= ceilings.max_conversations or (
            on_node is not None and self.conversations_on_node >= on_node
        )

    @property
    def _is_strained(self) -> bool:
        """Without conversations it is never strained by them, and waiting would not help."""
        return self.strain.is_high and self.conversations > 0

    @property
    def conversations(self) -> int:
        """Of this replica."""
        return self._places.taken(self._replica)

    @property
    def conversations_on_node(self) -> int:
        return self._places.taken("node")

    def _rooms(self, limits: Ceilings, tenant: str, agent_id: str, agent: Agent, resuming: bool) -> Iterator[_Room]:
        of_agent = agent.platform_settings.call_limits.agent_concurrency_limit
        replica, shared = limits.max_conversations, 1
        if resuming:
            replica, shared = replica + returning(replica), 2
        yield _Room(self._replica, replica, BUSY)
        yield _Room("node", shared * (limits.max_conversations_per_node or MOST_PLACES // 2), BUSY)
        if limits.max_conversations_per_tenant:
            yield _Room(f"tenant {tenant}", shared * limits.max_conversations_per_tenant, TENANT_FULL)
        if of_agent >= 0:
            yield _Room(f"agent {agent_id}", shared * of_agent, AGENT_FULL)
