"""Who is let in when it gets full: two replicas of one node, on real locks."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from serve_app.admission import AGENT_FULL, BUSY, STRAINED, TENANT_FULL, Ceilings, Reception
from serve_app.conversation.agent import Agent, CallLimits, PlatformSettings
from serve_app.errors import Unavailable
from serve_app.places import Places
from serve_app.strain import SAMPLES, Strain

CLOSE_REASON = 123  # bytes (RFC 6455, 5.5)
ANYBODY = Agent("Ana")


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[list[Reception]]:
    places = [Places(tmp_path / "places") for _ in range(2)]
    yield [Reception(each, Strain()) for each in places]
    for each in places:
        each.close()


@pytest.fixture
def replica(replicas: list[Reception]) -> Reception:
    return replicas[0]


@pytest.fixture
def other(replicas: list[Reception]) -> Reception:
    return replicas[1]


def limited(most: int) -> Agent:
    return Agent("Ana", platform_settings=PlatformSettings(call_limits=CallLimits(most)))


def enter(
    replica: Reception,
    count: int = 1,
    *,
    tenant: str = "t",
    agent: Agent = ANYBODY,
    resuming: bool = False,
    **most: int,
) -> None:
    for _ in range(count):
        replica.admit(Ceilings(**most), tenant, "ana", agent, resuming=resuming)


def refusal(replica: Reception, **asked: object) -> str:
    with pytest.raises(Unavailable) as refused:
        enter(replica, **asked)  # type: ignore[arg-type]
    assert refused.value.close_code == 1013
    assert len(refused.value.message.encode()) <= CLOSE_REASON
    return refused.value.message


def test_a_replica_has_its_own_limit(replica: Reception, other: Reception) -> None:
    enter(replica, 2, max_conversations=2)
    assert refusal(replica, max_conversations=2) == BUSY
    enter(other, 2, max_conversations=2)
    assert (replica.conversations, other.conversations) == (2, 2)
    assert replica.conversations_on_node == other.conversations_on_node == 4


def test_a_node_has_one_for_all_its_replicas(replica: Reception, other: Reception) -> None:
    enter(replica, 2, max_conversations_per_node=3)
    enter(other, 1, max_conversations_per_node=3)
    for each in (replica, other):
        assert refusal(each, max_conversations_per_node=3) == BUSY


def test_a_tenant_who_has_enough_leaves_room_for_others(replica: Reception, other: Reception) -> None:
    enter(replica, tenant="greedy", max_conversations_per_tenant=2)
    enter(other, tenant="greedy", max_conversations_per_tenant=2)
    assert refusal(replica, tenant="greedy", max_conversations_per_tenant=2) == TENANT_FULL
    enter(replica, tenant="modest", max_conversations_per_tenant=2)
    assert replica.conversations_on_node == 3


def test_an_agent_has_its_own(replica: Reception, other: Reception) -> None:
    enter(replica, agent=limited(1), tenant="a")
    assert refusal(other, agent=limited(1), tenant="b") == AGENT_FULL
    assert refusal(other, agent=limited(0)) == AGENT_FULL
    enter(other, 5, agent=limited(-1))
    assert (replica.conversations, other.conversations) == (1, 5)


def test_who_leaves_makes_room_everywhere(replica: Reception, other: Reception) -> None:
    ones = {"max_conversations": 1, "max_conversations_per_node": 1, "max_conversations_per_tenant": 1}
    with replica.admit(Ceilings(**ones), "t", "ana", limited(1)):
        refusal(other, agent=limited(1), **ones)
    assert replica.conversations_on_node == 0
    enter(other, agent=limited(1), **ones)


def test_who_is_refused_takes_no_place(replica: Reception) -> None:
    """Not in the rooms either that had one."""
    enter(replica, max_conversations_per_tenant=1)
    refusal(replica, max_conversations_per_tenant=1)
    assert (replica.conversations, replica.conversations_on_node) == (1, 1)


# ---- conversations that come back


def test_a_conversation_that_moves_here_finds_room_while_its_old_places_are_held(
    replica: Reception, other: Reception
) -> None:
    """By a replica that hangs, and lets go of nothing."""
    most = {"max_conversations": 5, "max_conversations_per_node": 5, "max_conversations_per_tenant": 5}
    enter(other, 5, agent=limited(5), **most)
    refusal(replica, agent=limited(5), **most)
    enter(replica, 5, agent=limited(5), resuming=True, **most)
    assert (replica.conversations, other.conversations) == (5, 5)


def test_it_goes_beyond_what_a_replica_takes_by_a_fifth_and_no_further(replica: Reception) -> None:
    enter(replica, 10, max_conversations=10)
    enter(replica, 2, resuming=True, max_conversations=10)
    assert refusal(replica, resuming=True, max_conversations=10) == BUSY
    assert refusal(replica, max_conversations=10) == BUSY


def test_the_smallest_replica_takes_one(replica: Reception) -> None:
    enter(replica, 1, max_conversations=1)
    enter(replica, 1, resuming=True, max_conversations=1)
    assert replica.conversations == 2


# ---- a replica that has too much to do


def strain(replica: Reception, late_s: float) -> None:
    for _ in range(SAMPLES):
        replica.strain.observe(late_s)


def test_a_strained_replica_takes_no_new_conversation_and_those_that_come_back(replica: Reception) -> None:
    enter(replica)
    strain(replica, 1.0)
    assert refusal(replica) == STRAINED
    enter(replica, resuming=True)
    strain(replica, 0.0)
    enter(replica)


def test_one_without_conversations_is_never_locked(replica: Reception) -> None:
    """What strains it are not they, and waiting for them to end would be for ever."""
    strain(replica, 1.0)
    enter(replica)
    assert refusal(replica) == STRAINED


@pytest.mark.parametrize("bad", [0, -1, 1 << 20])
def test_ceilings_are_numbers_that_can_be(bad: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"max_conversations_per_node": bad}, Ceilings)
    assert msgspec.convert({"max_conversations_per_node": None}, Ceilings) == Ceilings()
