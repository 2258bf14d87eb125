"""Who gets through: against what is known of lines and callers, and against arithmetic."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.serve._private.common import DeploymentID, ReplicaID

from serve_app.planning.arrivals import Call
from serve_app.planning.fleet import Replica
from serve_app.planning.nodes import Node, NodeType
from serve_app.planning.switchboard import Switchboard

KIND = NodeType("any", {}, 1, 0, 1, 1, 0, 0)
calls_of_any_kind = st.lists(st.builds(Call, st.floats(0, 1000), st.floats(0, 400), st.booleans()), max_size=60).map(
    sorted
)


def gateways(count: int, node: Node | None = None) -> list[Replica]:
    return [
        Replica(ReplicaID(str(number), DeploymentID("Gateway", "hello")), node or Node(number, KIND, 0, 0), 0, 0)
        for number in range(count)
    ]


def erlang_b(lines: int, erlangs: float) -> float:
    """The share that is refused (Erlang, "Solution of some problems in the theory of probabilities", 1917)."""
    share = 1.0
    for line in range(1, lines + 1):
        share = erlangs * share / (line + erlangs * share)
    return share


def refused(calls: Sequence[Call], count: int, places: int) -> int:
    switchboard = Switchboard(calls, places)
    switchboard.advance(math.inf, gateways(count))
    return switchboard.refused


@given(calls_of_any_kind, st.integers(0, 3), st.integers(1, 5))
def test_no_call_is_lost_or_counted_twice_and_no_gateway_overfull(calls: list[Call], count: int, places: int) -> None:
    there = gateways(count)
    switchboard = Switchboard(calls, places)
    for until in range(0, 1500, 50):
        switchboard.advance(until, there)
        assert switchboard.arrived == switchboard.refused + switchboard.open + switchboard.ended
        assert switchboard.open == sum(gateway.conversations for gateway in there)
        assert switchboard.spoken == sum(gateway.spoken for gateway in there)
        assert all(0 <= gateway.spoken <= gateway.conversations <= places for gateway in there)
    assert switchboard.arrived == len(calls)
    assert switchboard.open == 0


@given(calls_of_any_kind, st.integers(0, 3), st.integers(1, 5))
def test_more_places_never_refuse_more(calls: list[Call], count: int, places: int) -> None:
    # One more line is an overflow line: the calls at the others are the same with it and without it.
    assert refused(calls, count, places + 1) <= refused(calls, count, places)
    assert refused(calls, count + 1, places) <= refused(calls, count, places)


@pytest.mark.parametrize("spread", ["exponential", "log-normal"])
@pytest.mark.parametrize(("count", "places", "erlangs"), [(1, 10, 8.0), (3, 10, 27.0), (4, 5, 30.0)])
def test_refusals_are_what_erlang_says(spread: str, count: int, places: int, erlangs: float) -> None:
    """Whatever the durations' distribution, only their mean counts (Sevastyanov, 1957)."""
    number, mean_s = 40_000, 180.0
    generator = np.random.default_rng(5)
    starts = np.cumsum(generator.exponential(mean_s / erlangs, number))
    if spread == "exponential":
        durations = generator.exponential(mean_s, number)
    else:
        durations = generator.lognormal(
            math.log(mean_s) - math.log(1 + 0.9**2) / 2, math.sqrt(math.log(1 + 0.9**2)), number
        )
    calls = [Call(*call, spoken=False) for call in zip(starts.tolist(), durations.tolist(), strict=True)]
    assert refused(calls, count, places) / number == pytest.approx(erlang_b(count * places, erlangs), abs=0.008)


def test_gateways_take_calls_in_turn_however_many_they_have() -> None:
    there = gateways(3)
    long, short = [Call(second, 100, True) for second in (0, 2, 4)], Call(1, 1.5, True)
    switchboard = Switchboard(sorted([*long, short]), places=5)
    switchboard.advance(8, there)
    assert [gateway.conversations for gateway in there] == [2, 0, 1]


def test_a_full_gateway_is_passed_over() -> None:
    full, other = Node(1, KIND, 0, 0), Node(2, KIND, 0, 0)
    there = [*gateways(1, full), *gateways(1, other)]
    switchboard = Switchboard([Call(second, 100, True) for second in range(5)], places=5, node_places=3)
    full.conversations = 3
    switchboard.advance(5, there)
    assert [gateway.conversations for gateway in there] == [0, 3]
    assert switchboard.refused == 2


def test_without_a_gateway_everybody_is_refused() -> None:
    assert refused([Call(0, 1, True)], 0, 5) == 1


def test_a_node_may_be_full_before_its_gateways() -> None:
    there = gateways(2, Node(1, KIND, 0, 0))
    switchboard = Switchboard([Call(second, 100, True) for second in range(9)], places=5, node_places=6)
    switchboard.advance(9, there)
    assert (switchboard.open, switchboard.refused) == (6, 3)


def test_calls_whose_gateway_is_gone_are_cut_once() -> None:
    there = gateways(2)
    switchboard = Switchboard([Call(second, 100, True) for second in range(4)], places=5)
    switchboard.advance(10, there)
    there[0].gone = True
    switchboard.cut_off(there[:1])
    assert (switchboard.cut, switchboard.open, switchboard.spoken) == (2, 2, 2)
    switchboard.advance(200, there[1:])
    assert (switchboard.cut, switchboard.open, switchboard.ended) == (2, 0, 2)
