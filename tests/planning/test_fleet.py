"""Replicas start, run and go as Serve's controller lets them."""

from collections import Counter

import pytest
from ray.serve._private.common import DeploymentID

from serve_app.planning.fleet import Fleet, Replica
from serve_app.planning.nodes import Needs, NodePool, NodeType

HEAD = NodeType("head", {}, 2, 0, at_least=1, at_most=1, start_s=0, price_an_hour=0, head=True)
WORKER = NodeType("worker", {"group": "gateway"}, 2, 0, at_least=2, at_most=4, start_s=100, price_an_hour=0)
NEEDS = Needs(1, 0)


@pytest.fixture
def pool() -> NodePool:
    return NodePool([HEAD, WORKER], at_most=9, idle_s=1000, now=0)


def fleet(pool: NodePool, running: int = 0, needs: Needs = NEEDS) -> Fleet:
    made = Fleet(DeploymentID("Gateway", "hello"), needs, pool, start_s=10, drain_s=660, surge=100)
    made.begin(running, 0)
    return made


def act(of: Fleet, now: float, target: int | None = None) -> list[Replica]:
    gone = of.settle(now)
    of.aim(of.target if target is None else target, now)
    of.reconcile(now, Counter(replica.node for replica in of.running))
    return gone


def numbers(replicas: list[Replica]) -> list[int]:
    return [int(replica.id.unique_id) for replica in replicas]


def test_a_replica_runs_when_it_has_started(pool: NodePool) -> None:
    gateways = fleet(pool, running=1)
    act(gateways, 5, target=3)
    assert (len(gateways.running), len(gateways.starting)) == (1, 2)
    act(gateways, 14.9)
    assert len(gateways.running) == 1
    act(gateways, 15)
    assert (len(gateways.running), len(gateways.starting)) == (3, 0)


def test_one_for_which_a_node_is_rented_starts_when_that_is_up(pool: NodePool) -> None:
    gateways = fleet(pool, running=6)
    act(gateways, 5, target=7)
    act(gateways, 114.9)
    assert len(gateways.running) == 6
    act(gateways, 115)
    assert len(gateways.running) == 7


def test_when_it_was_scaled_last_is_known(pool: NodePool) -> None:
    gateways = fleet(pool, running=2)
    for now, target in [(5, 3), (8, 3), (9, 1), (12, 1)]:
        gateways.aim(target, now)
    assert (gateways.scaled_up_at, gateways.scaled_down_at) == (5, 9)


def test_one_without_a_node_is_wanted_on(pool: NodePool) -> None:
    gateways = fleet(pool, running=1)
    act(gateways, 0, target=12)
    assert (len(gateways.starting), gateways.unplaced) == (9, 2)
    act(gateways, 1, target=10)
    assert gateways.unplaced == 0


def test_one_that_goes_keeps_its_place_for_the_drain(pool: NodePool) -> None:
    gateways = fleet(pool, running=3)
    act(gateways, 100, target=2)
    assert len(gateways.draining) == 1
    node = gateways.draining[0].node
    held = node.cpus_left
    assert act(gateways, 759.9) == []
    gone = act(gateways, 760)
    assert [replica.gone for replica in gone] == [True]
    assert node.cpus_left == held + 1


def test_those_that_start_go_first_then_the_youngest_of_the_emptiest_node_and_the_heads_last(pool: NodePool) -> None:
    gateways = fleet(pool, running=4)  # 1 and 4 on the head, 2 and 3 each alone on a worker
    act(gateways, 0, target=5)  # 5 starts on a worker
    act(gateways, 1, target=4)
    assert gateways.starting == []
    assert numbers(gateways.running) == [1, 2, 3, 4]
    for left, gone in [(3, 2), (2, 3), (1, 4)]:
        act(gateways, 2, target=left)
        assert numbers(gateways.draining)[-1] == gone
    assert numbers(gateways.running) == [1]


def test_one_on_a_fallback_node_goes_before_those_with_the_right_labels() -> None:
    kinds = [
        NodeType("wanted", {"group": "gateway"}, 2, 0, at_least=1, at_most=1, start_s=0, price_an_hour=0),
        NodeType("fallback", {}, 2, 0, at_least=1, at_most=1, start_s=0, price_an_hour=0),
    ]
    gateways = fleet(
        NodePool(kinds, at_most=9, idle_s=1000, now=0), running=4, needs=Needs(1, 0, [{"group": "gateway"}, {}])
    )
    act(gateways, 0, target=2)
    assert {replica.node.kind.name for replica in gateways.draining} == {"fallback"}


def test_an_update_starts_the_new_ones_before_the_old_ones_go(pool: NodePool) -> None:
    gateways = fleet(pool, running=3)
    old = list(gateways.running)
    gateways.update()
    act(gateways, 0)
    assert (len(gateways.running), len(gateways.starting)) == (3, 3)
    for now in range(1, 12):
        act(gateways, now)
        assert len(gateways.running) >= 3
    assert set(gateways.draining) == set(old)
    assert numbers(gateways.running) == [4, 5, 6]
