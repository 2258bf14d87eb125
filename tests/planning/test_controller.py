"""What the controller hears of its replicas, it keeps for as long as Serve looks back."""

from dataclasses import replace

import pytest

from serve_app.planning.controller import Controller
from serve_app.planning.nodes import NodePool
from serve_app.planning.region import GATEWAY
from tests.planning.small_region import CLUSTER, MIDNIGHT, TRAFFIC, autoscaling, region


@pytest.mark.filterwarnings("ignore:.*metrics_interval_s")  # which has to be shorter
@pytest.mark.parametrize(("look_back_s", "kept"), [(0.5, 1), (1, 1), (10, 10)])
def test_reports_are_kept_as_long_as_serve_looks_back(look_back_s: float, kept: int) -> None:
    shipped = region()
    gateways = replace(shipped.deployments[GATEWAY], autoscaling=autoscaling(1, 8, 8, look_back_period_s=look_back_s))
    of = replace(shipped, deployments={**shipped.deployments, GATEWAY: gateways})
    pool = NodePool(CLUSTER.kinds, CLUSTER.at_most, CLUSTER.idle_s, now=0)
    controller = Controller(of, pool, TRAFFIC.times, MIDNIGHT.timestamp())
    controller.begin(0)
    for second in range(1, 31):
        controller.hear({}, stt_fails=False, now=second, every_s=1)
    [gateway] = controller.fleets[GATEWAY].running
    assert len(gateway.work) == kept
