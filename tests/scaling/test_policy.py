"""The policy, asked as Serve asks it: with what replicas told, or did not tell."""

import time
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ray.serve._private.common import DeploymentID
from ray.serve.autoscaling_policy import _apply_app_level_autoscaling_config
from ray.serve.config import AutoscalingContext

from serve_app.scaling.demand import DOZES_S, SILENT_S
from serve_app.scaling.policy import scale
from tests.scaling.told import NOW, Reports, deployment

QUICK_S = 0.001
"""Serve's controller asks ten times a second, and does everything else in the same thread."""


def gateway(
    conversations: float = 0, *, spare: float = 0, lead_s: float = 0, strained: float = 0, **floors: float
) -> Reports:
    told = {"work": [conversations] * 3, "strained": [strained], "spare_places": [spare], "lead_s": [lead_s]}
    return told | {f"floor_{name}": [replicas] for name, replicas in floors.items()}


def wanted(*contexts: AutoscalingContext) -> dict[str, float]:
    decisions, state = scale({context.deployment_id: context for context in contexts})
    assert state == {}
    return {key.name: replicas for key, replicas in decisions.items()}


def test_gateways_are_for_conversations_and_spare_places() -> None:
    assert wanted(deployment("Gateway", [gateway(14), gateway(6)])) == {"Gateway": 2}
    assert wanted(deployment("Gateway", [gateway(14, spare=1), gateway(6, spare=1)])) == {"Gateway": 3}


def test_a_full_gateway_gets_company_before_it_refuses_anybody() -> None:
    full = {"target_ongoing_requests": 64, "max_replicas": 8}
    assert wanted(deployment("Gateway", [gateway(63, spare=8)], **full)) == {"Gateway": 2}
    growing = gateway(0, lead_s=20) | {"work": [float(second) for second in range(40)]}
    assert wanted(deployment("Gateway", [growing], **full)) == {"Gateway": 2}, "26 s before it would be full"
    assert wanted(deployment("Gateway", [gateway(20, strained=1), gateway(1)], **full)) == {"Gateway": 2}


def test_the_others_are_for_the_work_they_have_in_hand() -> None:
    others = [deployment("Vad", [{"work": [30, 12]}, {"work": [0, 0]}]), deployment("TtsProxy", [{"work": [0]}])]
    assert wanted(deployment("Gateway", [gateway()]), *others) == {"Gateway": 0, "Vad": 3, "TtsProxy": 0}


def test_the_highest_floor_of_any_gateway_counts() -> None:
    gateways = deployment("Gateway", [gateway(Gateway=2), gateway(Gateway=1, LocalWhisper=1)])
    asleep = deployment("LocalWhisper")
    assert wanted(gateways, asleep) == {"Gateway": 2, "LocalWhisper": 1}


def test_a_breaker_wakes_what_is_asleep_at_once() -> None:
    """Serve's delays and bounds are not in the way: its wrapper is asked here."""
    told = [deployment("Gateway", [gateway(1, LocalWhisper=1)]), deployment("LocalWhisper", upscale_delay_s=300)]
    decisions, _ = _apply_app_level_autoscaling_config(scale)({each.deployment_id: each for each in told})
    assert decisions[told[1].deployment_id] == 1


# ---- who is unknown stays


def test_while_a_replica_tells_nothing_its_deployment_gets_no_smaller() -> None:
    told, silent = gateway(5), {}
    assert wanted(deployment("Gateway", [told, silent, silent])) == {"Gateway": 3}
    assert wanted(deployment("Gateway", [told, told, told])) == {"Gateway": 2}
    assert wanted(deployment("Gateway", [told] * 3, age_s=SILENT_S + 1)) == {"Gateway": 3}
    assert wanted(deployment("Gateway", [gateway(45), silent])) == {"Gateway": 5}, "but larger"


def test_when_all_gateways_are_gone_all_stays() -> None:
    others = [deployment("Vad", [{"work": [0]}] * 2), deployment("LocalWhisper", [{"work": [0]}])]
    gone = deployment("Gateway", target=3)
    assert wanted(gone, *others) == {"Gateway": 3, "Vad": 2, "LocalWhisper": 1}
    starting = deployment("Gateway", [{"running_requests": [0]}], target=3)
    assert wanted(starting, *others) == {"Gateway": 3, "Vad": 2, "LocalWhisper": 1}


def test_what_was_wished_last_counts_and_nothing_gets_smaller_when_that_is_long_ago() -> None:
    others = [deployment("Vad", [{"work": [0]}] * 2), deployment("LocalWhisper")]
    old = gateway(LocalWhisper=1)
    assert wanted(deployment("Gateway", [old]), *others) == {"Gateway": 0, "Vad": 0, "LocalWhisper": 1}
    silent = deployment("Gateway", [old], age_s=SILENT_S + 1)
    assert wanted(silent, *others) == {"Gateway": 1, "Vad": 2, "LocalWhisper": 1}


def test_a_replica_that_cannot_be_placed_keeps_nobody() -> None:
    assert wanted(deployment("Gateway", [gateway(5)] * 4, target=5)) == {"Gateway": 2}


def test_while_a_clock_is_wrong_its_deployment_gets_no_smaller() -> None:
    assert wanted(deployment("Gateway", [gateway(5)] * 3, age_s=-SILENT_S - 1)) == {"Gateway": 3}


def test_a_start_goes_on_when_its_reason_is_gone() -> None:
    assert wanted(deployment("Gateway", [gateway()]), deployment("LocalWhisper", target=1))["LocalWhisper"] == 1


# ---- asleep


def asked(after_s: float | None, **floors: float) -> Mapping[str, int]:
    """Serve's decisions when a call to LocalWhisper is counted so long after it fell asleep; None: always asleep."""
    gone_at = None if after_s is None else NOW - after_s
    whisper = deployment("LocalWhisper", last_scale_down_time=gone_at)
    whisper.__dict__["total_num_requests"] = 0.1  # where it is cached
    told = [deployment("Gateway", [gateway(1, **floors)]), whisper]
    decisions, _ = _apply_app_level_autoscaling_config(scale)({each.deployment_id: each for each in told})
    return {key.name: replicas for key, replicas in decisions.items()}


def test_a_call_wakes_it() -> None:
    assert asked(None)["LocalWhisper"] == 1
    assert asked(30 + DOZES_S)["LocalWhisper"] == 1


def test_calls_from_before_it_fell_asleep_do_not_but_a_wish_does() -> None:
    assert "LocalWhisper" not in asked(29 + DOZES_S)
    assert asked(1, LocalWhisper=1)["LocalWhisper"] == 1


def test_when_the_clock_was_set_back_since_it_does_not_sleep_until_then() -> None:
    assert asked(-3600)["LocalWhisper"] == 1


# ---- whatever is told

numbers = st.lists(st.floats(0, 1e4), max_size=8)
names = st.sampled_from(
    ["work", "strained", "lead_s", "spare_places", "floor_Gateway", "floor_Vad", "running_requests"]
)
reports = st.lists(st.dictionaries(names, numbers), max_size=3)


@st.composite
def deployments(draw: st.DrawFn, name: str) -> AutoscalingContext:
    target, age_s, gone_at = (
        draw(st.none() | st.integers(0, 9)),
        draw(st.floats(-5, 60)),
        draw(st.none() | st.just(NOW)),
    )
    return deployment(name, draw(reports), target=target, age_s=age_s, last_scale_down_time=gone_at)


@given(deployments("Gateway"), deployments("Vad"))
@settings(max_examples=50)
def test_it_never_fails_and_keeps_the_floors(gateways: AutoscalingContext, vads: AutoscalingContext) -> None:
    for contexts in ([gateways, vads], [vads], []):
        decisions = wanted(*contexts)
        for context in contexts:
            replicas = decisions.get(context.deployment_name, 0)
            assert replicas >= 0
            assert replicas == int(replicas)
            floors = (gateways.raw_metrics or {}).get(f"floor_{context.deployment_name}", {})
            if gateways in contexts:
                assert replicas >= max((int(each[-1].value) for each in floors.values() if each), default=0)


def fleet(gateways: int) -> dict[DeploymentID, AutoscalingContext]:
    """As in the largest region: each number told once a second for 30 s."""

    def told(**numbers: Any) -> Reports:
        return {name: [value] * 30 for name, value in numbers.items()}

    floors = {f"floor_{name}": 1.0 for name in ("Gateway", "Vad", "LocalWhisper", "TtsProxy")}
    gateway = told(work=40.0, strained=0.0, lead_s=60.0, spare_places=64.0, running_requests=44.0, **floors)
    others = [deployment(name, [told(work=0.5)] * gateways) for name in ("Vad", "LocalWhisper", "TtsProxy")]
    return {each.deployment_id: each for each in [deployment("Gateway", [gateway] * gateways), *others]}


def test_it_is_quick() -> None:
    """The best of twenty: others may have the processor."""
    best_s = 1.0
    for _ in range(20):
        contexts = fleet(8)
        begun = time.perf_counter()
        scale(contexts)
        best_s = min(best_s, time.perf_counter() - begun)
    assert best_s < QUICK_S
