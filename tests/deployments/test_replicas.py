"""Counting replicas, and saying so when nobody is there. Serve's own counts: tests/scaling/sleep.py."""

import asyncio
import logging
from collections.abc import Mapping
from itertools import pairwise

import pytest
from ray import serve
from ray.serve.schema import ServeInstanceDetails

from deployments.replicas import LOOKS_AGAIN_S, LOOKS_EVERY_S, QUICK_LOOKS, Replicas
from tests import virtual_time


@serve.deployment
class Sleeper:
    pass


class EndOfTestError(Exception):
    pass


def replicas(kind: type[Replicas] = Replicas, *, needed: bool = False) -> Replicas:
    return kind(serve.run(Sleeper.bind(), name="hello", _local_testing_mode=True), needed=needed)


def test_until_serve_has_been_asked_nobody_is_there() -> None:
    sleepers = replicas()
    assert sleepers.running == 0
    sleepers.take({"RUNNING": 2, "STARTING": 1, "STOPPING": 4})
    assert (sleepers.running, sleepers.starting) == (2, 1)


def test_while_serve_does_not_tell_all_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no Ray here: Serve has no applications."""
    monkeypatch.setattr("ray.serve.context._connect", lambda raise_if_no_controller_running: None)
    sleepers = replicas()
    sleepers.take({"RUNNING": 1})
    asyncio.run(sleepers.look())
    assert sleepers.running == 1


def test_an_answer_that_its_client_does_not_know_is_passed_over() -> None:
    class Newer(Replicas):
        def _states(self) -> Mapping[str, int]:
            ServeInstanceDetails.model_validate({"applications": "of another kind"})
            return {}

    sleepers = replicas(Newer)
    sleepers.take({"RUNNING": 1})
    asyncio.run(sleepers.look())
    assert sleepers.running == 1


def test_one_that_cannot_be_placed_is_looked_at_less_often_in_the_end() -> None:
    looks: list[dict[str, int]] = [{"STARTING": 1}] * 200 + [{"RUNNING": 1}] * 2 + [{"STARTING": 1}] * 3
    looked_at: list[float] = []

    class Watched(Replicas):
        async def look(self) -> None:
            looked_at.append(asyncio.get_running_loop().time())
            if len(looked_at) > len(looks):
                raise EndOfTestError
            self.take(looks[len(looked_at) - 1])

    with pytest.raises(EndOfTestError):
        virtual_time.run(replicas(Watched).watch())
    pauses = [later - earlier for earlier, later in pairwise(looked_at)]
    quick, slow = [LOOKS_AGAIN_S], [LOOKS_EVERY_S]
    assert pauses == pytest.approx(quick * QUICK_LOOKS + slow * (202 - QUICK_LOOKS) + quick * 3)


@pytest.mark.parametrize(
    ("needed", "states", "warnings"), [(True, {"STOPPING": 1}, 1), (True, {"STARTING": 1}, 0), (False, {}, 0)]
)
def test_having_none_is_said_once_if_nobody_stands_in(
    needed: bool, states: dict[str, int], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    sleepers = replicas(needed=needed)
    with caplog.at_level(logging.WARNING, logger="deployments.replicas"):
        for _ in range(3):
            sleepers.take(states)
    told = [record.getMessage() for record in caplog.records if record.name == "deployments.replicas"]
    assert len(told) == warnings
    assert all(each.startswith("Sleeper has no replica") for each in told)
