"""Serve's controller: hears what replicas report, asks the policy, starts and stops replicas."""

from collections import Counter
from collections.abc import Mapping

from ray.serve._private.common import DeploymentID, TimeStampedValue
from ray.serve.config import AutoscalingContext

from serve_app.planning.autoscaler import Autoscaler, Contexts, policy_named
from serve_app.planning.fleet import Fleet, Replica
from serve_app.planning.nodes import NodePool
from serve_app.planning.region import GATEWAY, Deployment, Region
from serve_app.planning.traffic import Times

APPLICATION = "hello"


class Controller:
    """Of the application in a region. Times are seconds from midnight."""

    def __init__(self, region: Region, pool: NodePool, times: Times, midnight: float) -> None:
        """`midnight`: in seconds since the epoch. Raises ConfigurationError for a policy that does not exist."""
        self._region = region
        self._pool = pool
        self._midnight = midnight
        self.fleets = {name: _fleet(name, of, pool, times) for name, of in region.deployments.items()}
        self._autoscaler = Autoscaler(policy_named(region.policy))
        self._totals: dict[str, list[float]] = {name: [] for name in region.deployments}
        self._wishes: dict[str, float] = {}
        self._wished_at = (-1.0, False)

    def begin(self, now: float) -> None:
        """As many replicas run at once as each deployment has in the beginning."""
        for name, deployment in self._region.deployments.items():
            config = deployment.autoscaling
            self.fleets[name].begin(config.initial_replicas or config.min_replicas, now)

    def update(self) -> None:
        """New code is deployed: every replica is replaced."""
        for fleet in self.fleets.values():
            fleet.update()

    def hear(self, work: Mapping[str, float], stt_fails: bool, now: float, every_s: float) -> None:
        """The reports of all replicas, made `every_s`: of `work` each has its share, and gateways know their own."""
        for name, fleet in self.fleets.items():
            kept = max(1, round(self._region.deployments[name].autoscaling.look_back_period_s / every_s))
            total = 0.0
            for replica in fleet.running:
                value = replica.conversations if name == GATEWAY else work.get(name, 0.0) / len(fleet.running)
                total += value
                replica.work.append(TimeStampedValue(self._midnight + now, float(value)))
                del replica.work[:-kept]
            self._totals[name].append(total if fleet.running else work.get(name, 0.0))
            del self._totals[name][:-kept]
        self._hear_wishes(now, stt_fails)

    def act(self, now: float) -> list[Replica]:
        """Decides, and does it. Returns the gateways that are gone by now."""
        gone = {name: fleet.settle(now) for name, fleet in self.fleets.items()}
        contexts: Contexts = {fleet.deployment: self._context(name, fleet, now) for name, fleet in self.fleets.items()}
        for deployment, target in self._autoscaler.decide(contexts, self._midnight + now).items():
            self.fleets[deployment.name].aim(target, now)
        crowd = Counter(replica.node for fleet in self.fleets.values() for replica in fleet.running)
        for fleet in self.fleets.values():
            fleet.reconcile(now, crowd)
        self._pool.give_back_idle(now)
        return gone[GATEWAY]

    def _hear_wishes(self, now: float, stt_fails: bool) -> None:
        """They change with the minute at most."""
        moment = self._midnight + now
        at = (moment // 60, stt_fails)
        if at != self._wished_at:
            self._wishes = self._region.wishes.reported(moment, stt_fails=stt_fails)
            self._wished_at = at

    def _context(self, name: str, fleet: Fleet, now: float) -> AutoscalingContext:
        config = self._region.deployments[name].autoscaling
        work = {replica.id: replica.work for replica in fleet.running if replica.work}
        told = {"work": work}
        if name == GATEWAY and work:  # all of them wish the same: one is enough to tell it
            wishing, at = next(iter(work)), self._midnight + now
            told |= {wish: {wishing: [TimeStampedValue(at, value)]} for wish, value in self._wishes.items()}
        totals = self._totals[name]
        return AutoscalingContext(
            deployment_id=fleet.deployment,
            deployment_name=name,
            app_name=APPLICATION,
            current_num_replicas=len(fleet.running),
            target_num_replicas=fleet.target,
            running_replicas=[replica.id for replica in fleet.running],
            total_num_requests=lambda: sum(totals) / max(1, len(totals)),
            total_queued_requests=0.0 if fleet.running else (totals[-1] if totals else 0.0),
            aggregated_metrics=lambda: {
                metric: {key: sum(point.value for point in series) / len(series) for key, series in of.items()}
                for metric, of in told.items()
            },
            raw_metrics=told,
            capacity_adjusted_min_replicas=config.min_replicas,
            capacity_adjusted_max_replicas=config.max_replicas,
            policy_state=dict(self._autoscaler.states.get(fleet.deployment, {})),
            last_scale_up_time=self._moment(fleet.scaled_up_at),
            last_scale_down_time=self._moment(fleet.scaled_down_at),
            current_time=self._moment(now),
            config=config,
        )

    def _moment(self, at: float | None) -> float | None:
        """In seconds since the epoch."""
        return None if at is None else self._midnight + at


def _fleet(name: str, deployment: Deployment, pool: NodePool, times: Times) -> Fleet:
    # Only gateways stay until their calls are over: what engines have in hand takes seconds.
    return Fleet(
        DeploymentID(name, APPLICATION),
        deployment.needs,
        pool,
        start_s=getattr(times.start_s, name),
        drain_s=times.drain_s if name == GATEWAY else 0.0,
        surge=deployment.surge,
    )
