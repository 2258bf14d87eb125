"""The simulator against reality: waves of calls that real gateways took, measured by `make scaling`."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from serve_app.errors import ConfigurationError
from serve_app.planning.replay import Sample, Trace, read_trace, replayed

WAVES = Path(__file__).parents[1] / "scaling" / "waves"
GATEWAY: dict[str, Any] = {
    "name": "Gateway",
    "max_surge_percent": 100,
    "autoscaling_config": {
        "min_replicas": 1,
        "max_replicas": 3,
        "target_ongoing_requests": 10,
        "upscale_delay_s": 2,
        "downscale_delay_s": 20,
        "metrics_interval_s": 1,
        "look_back_period_s": 30,
    },
    "user_config": {"max_conversations": 20, "scaling": {"lead_s": 0, "spare_places": 0}},
}


def test_the_replica_curve_is_within_one_of_the_measured_one() -> None:
    traces = sorted(WAVES.glob("*.json"))
    assert traces, f"no measured wave in {WAVES}: `make scaling` measures one"
    for path in traces:
        trace = read_trace(path)
        measured, curve = [sample.running for sample in trace.samples], replayed(trace)
        apart = [abs(mine - its) for mine, its in zip(curve, measured, strict=True)]
        assert max(apart) <= 1, f"{path.name}: {apart}"
        assert sum(map(bool, apart)) <= 0.2 * len(apart), f"{path.name}: {apart}"
        assert (curve[0], max(curve), curve[-1]) == (measured[0], max(measured), measured[-1]), path.name
        assert max(measured) - min(measured) > 1, "a curve without a wave proves nothing"


def test_a_step_of_calls_brings_gateways_after_the_delay_and_the_start() -> None:
    """25 calls from 10 s to 60 s, 10 to a gateway: two from 10 + 2 + 5 s on, three from 19 + 2 + 5 on,
    and one again 20 s after the end."""
    samples = [Sample(float(second), 0, 1, 1) for second in range(100)]
    trace = Trace(GATEWAY, 5.0, [(10.05, 49.9)] * 20 + [(19.5, 40.5)] * 5, samples)
    curve = replayed(trace)
    assert curve[:17] == [1] * 17
    assert curve[19:26] == [2] * 7
    assert curve[28:79] == [3] * 51
    assert curve[82:] == [1] * 18


def test_a_trace_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wave.json"
    path.write_bytes(msgspec.json.encode({"config": {}, "startup_s": 3}))
    with pytest.raises(ConfigurationError, match=r"wave\.json is no trace"):
        read_trace(path)
