"""Replicas stand where there is room for them, and machines come and go with them."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.autoscaler.v2.instance_manager.config import NodeTypeConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated.common_pb2 import LabelSelectorOperator

from serve_app.planning.nodes import Needs, Node, NodePool, NodeType

GATEWAY_NODE = NodeType("gateway", {"group": "gateway"}, 4, 0, at_least=2, at_most=3, start_s=100, price_an_hour=1)
SPOT = NodeType("spot", {"group": "gpu", "market": "spot"}, 4, 1, at_least=0, at_most=1, start_s=300, price_an_hour=2)
ON_DEMAND = NodeType("on-demand", {"group": "gpu"}, 4, 1, at_least=0, at_most=2, start_s=300, price_an_hour=3)
KINDS = (GATEWAY_NODE, SPOT, ON_DEMAND)
GATEWAY = Needs(1, 0, [{"group": "gateway"}])
ANY_GPU = Needs(1, 0.5, [{"group": "gpu"}])
WHISPER = Needs(1, 0.5, [{"group": "gpu", "market": "spot"}, {"group": "gpu"}])


def pool(kinds: Sequence[NodeType] = KINDS, at_most: int = 9) -> NodePool:
    return NodePool(kinds, at_most, idle_s=600, now=0)


def launched(kinds: Sequence[NodeType], at_most: int, needs: Needs, replicas: int) -> Counter[str]:
    """What Ray's own scheduler would rent."""
    demand = ResourceRequestUtil.make(
        {"CPU": needs.cpus, "GPU": needs.gpus},
        label_selectors=[
            [(key, LabelSelectorOperator.LABEL_OPERATOR_IN, [value]) for key, value in selector.items()]
            for selector in needs.selectors
        ],
    )
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs={
            kind.name: NodeTypeConfig(
                name=kind.name,
                min_worker_nodes=kind.at_least,
                max_worker_nodes=kind.at_most,
                priority=kind.priority,
                resources={"CPU": kind.cpus, "GPU": kind.gpus},
                labels=dict(kind.labels),
            )
            for kind in kinds
        },
        max_num_nodes=at_most,
        resource_requests=ResourceRequestUtil.group_by_count([demand] * replicas),
    )
    reply = ResourceDemandScheduler().schedule(request)
    return Counter({each.instance_type: each.count for each in reply.to_launch})


def kinds_of(nodes: Sequence[Node | None]) -> list[str | None]:
    return [node.kind.name if node else None for node in nodes]


def test_replicas_are_spread() -> None:
    nodes = pool()
    placed = [nodes.place(GATEWAY, 0) for _ in range(4)]
    assert [node.replicas.total() for node in nodes.nodes] == [2, 2]
    assert placed[0] is not placed[1]


def test_another_node_is_rented_when_there_is_no_room_and_no_more_than_allowed() -> None:
    nodes = pool()
    placed = [nodes.place(GATEWAY, 50) for _ in range(13)]
    assert [node.ready_at for node in placed[:12] if node] == [0] * 8 + [150] * 4
    assert placed[12] is None
    assert nodes.count(GATEWAY_NODE) == 3


def test_the_preferred_labels_come_first_while_there_may_be_more_of_them() -> None:
    nodes = pool()
    assert kinds_of([nodes.place(WHISPER, 0) for _ in range(7)]) == ["spot"] * 2 + ["on-demand"] * 4 + [None]


def test_a_fallback_with_room_is_taken_before_a_node_is_rented() -> None:
    nodes = pool([SPOT, ON_DEMAND._replace(at_least=1)])
    assert kinds_of([nodes.place(WHISPER, 0) for _ in range(4)]) == ["on-demand"] * 2 + ["spot"] * 2


@pytest.mark.parametrize(
    ("kinds", "at_most", "needs"),
    [
        ((SPOT, ON_DEMAND), 9, WHISPER),
        ((ON_DEMAND, SPOT), 9, WHISPER),
        ((ON_DEMAND._replace(priority=10), SPOT), 9, WHISPER),
        ((SPOT, ON_DEMAND._replace(priority=10)), 9, ANY_GPU),
        ((SPOT._replace(at_most=3, priority=1), ON_DEMAND), 9, ANY_GPU),
        ((SPOT, ON_DEMAND._replace(at_most=0, priority=10)), 9, ANY_GPU),
        ((SPOT, ON_DEMAND), 9, ANY_GPU),
        ((SPOT, ON_DEMAND), 2, ANY_GPU),
        ((GATEWAY_NODE, SPOT, ON_DEMAND), 3, ANY_GPU),
        ((ON_DEMAND._replace(priority=10), GATEWAY_NODE._replace(at_least=0)), 9, Needs(2, 0)),
    ],
)
def test_rented_are_those_that_rays_own_scheduler_launches(
    kinds: Sequence[NodeType], at_most: int, needs: Needs
) -> None:
    for replicas in range(1, 8):
        nodes = pool(kinds, at_most)
        for _ in range(replicas):
            nodes.place(needs, 0)
        assert Counter(node.kind.name for node in nodes.nodes) == launched(kinds, at_most, needs, replicas)


def test_a_node_takes_as_many_replicas_of_a_deployment_as_it_may() -> None:
    nodes = pool()
    alone = GATEWAY._replace(deployment="Gateway", most_a_node=1)
    assert [node and node.number for node in (nodes.place(alone, 0) for _ in range(4))] == [1, 2, 3, None]
    assert nodes.place(GATEWAY._replace(deployment="Vad"), 0) is not None
    nodes.nodes[0].free(alone, 10)
    assert nodes.place(alone, 10) is nodes.nodes[0]


def test_resources_are_counted_as_ray_counts_them() -> None:
    nodes = pool([NodeType("small", {}, 1, 0, at_least=1, at_most=1, start_s=0, price_an_hour=0)])
    assert kinds_of([nodes.place(Needs(0.2, 0), 0) for _ in range(6)]) == ["small"] * 5 + [None]


def test_an_idle_node_is_given_back_but_never_the_last_ones() -> None:
    nodes = pool()
    placed = [node for node in (nodes.place(GATEWAY, 0) for _ in range(12)) if node]
    for node in placed:
        node.free(GATEWAY, 1000)
    nodes.give_back_idle(1599)
    assert nodes.count(GATEWAY_NODE) == 3
    nodes.give_back_idle(1600)
    assert nodes.count(GATEWAY_NODE) == 2
    nodes.give_back_idle(9999)
    assert nodes.count(GATEWAY_NODE) == 2


def test_they_cost_what_is_rented() -> None:
    nodes = pool()
    nodes.place(WHISPER, 0)
    assert nodes.an_hour() == 4


@given(st.lists(st.tuples(st.sampled_from([GATEWAY, WHISPER, Needs(0.5, 0)]), st.booleans()), max_size=60))
def test_no_node_ever_holds_more_than_it_has(steps: list[tuple[Needs, bool]]) -> None:
    nodes, placed = pool(), list[tuple[Node, Needs]]()
    for now, (needs, goes) in enumerate(steps):
        if goes and placed:
            node, its = placed.pop()
            node.free(its, now * 100)
        elif node_of := nodes.place(needs, now * 100):
            placed.append((node_of, needs))
        nodes.give_back_idle(now * 100)
        for node in nodes.nodes:
            assert node.cpus_left >= -1e-6
            assert node.gpus_left >= -1e-6
            assert node.replicas.total() == sum(there is node for there, _ in placed)
        assert all(kind.at_least <= nodes.count(kind) <= kind.at_most for kind in KINDS)
