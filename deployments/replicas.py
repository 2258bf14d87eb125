"""Whether anybody is there to answer: a call to a deployment without replicas would start one, and wait for it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import cast

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

logger = logging.getLogger(__name__)

LOOKS_EVERY_S = 5.0
"""A look takes 7 ms of a core."""
LOOKS_AGAIN_S = 0.5
"""While some start; one that cannot be placed does so for hours."""
QUICK_LOOKS = 60
ENDING = {"STOPPING", "STOPPED"}


class Replicas:
    """Of the deployment that `handle` leads to, as Serve counts them. `needed`: nobody stands in for it, so that having
    none is worth a warning."""

    def __init__(self, handle: DeploymentHandle[object], *, needed: bool) -> None:
        self._name, self._application = handle.deployment_name, handle.app_name
        self._warns = needed
        self.running = self.starting = 0
        """When it was looked last; 0 until then."""

    async def watch(self) -> None:
        """Look for ever."""
        quick = 0
        while True:
            await self.look()
            quick = quick + 1 if self.starting else 0
            await asyncio.sleep(LOOKS_AGAIN_S if 0 < quick <= QUICK_LOOKS else LOOKS_EVERY_S)

    async def look(self) -> None:
        """Ask Serve, in a thread. While its controller is away all stays as it was, and this may take as long. All
        stays, too, when the answer is not as Serve's client expects it: a ValueError, pydantic's among them."""
        try:
            self.take(await asyncio.to_thread(self._states))
        except (RayError, RayServeException, KeyError, ValueError):
            pass

    def take(self, states: Mapping[str, int]) -> None:
        """How many there are in each state."""
        self.running = states.get("RUNNING", 0)
        self.starting = sum(count for state, count in states.items() if state not in ENDING) - self.running
        if self._warns and not self.running + self.starting:
            self._warns = False
            logger.warning(
                "%s has no replica, and nobody stands in for it: who calls first waits until one has started. "
                "Set min_replicas in its autoscaling_config to 1 or more.",
                self._name,
            )

    def _states(self) -> Mapping[str, int]:
        deployment = serve.status().applications[self._application].deployments[self._name]
        return cast(Mapping[str, int], deployment.replica_states)  # whose keys are strings, or enums that equal them
