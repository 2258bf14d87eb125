"""Measurements as they might have come out, for tests of what is made of them."""

from collections.abc import Sequence

from tests.chaos.accounting import Break, Call, Turn
from tests.chaos.caller import Way
from tests.regions.serve_state import Replica, Scale
from tests.regions.visits import Plan, Visit
from tests.regions.watch import Sample

GPU, OTHER_REGION = "gpu", "other region"
NODES = {
    GPU: {"ray.io/node-group": "gpu", "ray.io/availability-region": "sa-east-1", "ray.io/market-type": "spot"},
    OTHER_REGION: {"ray.io/node-group": "gpu", "ray.io/availability-region": "us-east-1"},
}


def samples(name: str, running: Sequence[int], node: str = GPU) -> list[Sample]:
    """One a second, of one deployment, whose replicas run as soon as they are wanted; ten calls open per replica."""
    replicas = [Replica(f"replica {number}", "RUNNING", node) for number in range(max(running))]
    return [
        Sample(100.0 + second, 10 * count, {name: Scale(count, tuple(replicas[:count]))})
        for second, count in enumerate(running)
    ]


def starting(name: str, number: int, sample: Sample) -> Sample:
    """The same, with one more replica that does not run yet."""
    scale = sample.scales[name]
    more = Replica(f"replica {number}", "STARTING", "")
    return sample._replace(scales={name: Scale(scale.target + 1, (*scale.replicas, more))})


def visit(*, broken: bool = False, back: bool = True, given_up: bool = False) -> Visit:
    call = Call("conv_1", turns=[Turn("turno 1", False, 101.0, given_up=given_up)])
    if broken:
        call.breaks.append(Break(105.0, "1012", 106.0 if back else None))
        call.over = None if back else "1012: gone"
    return Visit(Plan(0.0, 60.0, Way.WRITING), call, began=100.5, ended=161.0)
