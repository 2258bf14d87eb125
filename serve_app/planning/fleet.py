"""The replicas of one deployment: starting, running, going. As Serve's controller starts and stops them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ray.serve._private.common import DeploymentID, ReplicaID, TimeSeries

from serve_app.planning.nodes import Needs, Node, NodePool, matches


@dataclass(eq=False, slots=True)
class Replica:
    """`conversations`: open, of a gateway, and how many of them are `spoken`. `work`: what it told the autoscaler that
    it had in hand."""

    id: ReplicaID
    node: Node
    ready_at: float
    generation: int
    gone_at: float = float("inf")
    gone: bool = False
    conversations: int = 0
    spoken: int = 0
    work: TimeSeries = field(default_factory=list)


class Fleet:
    """`start_s`: from its placing on a node that is up until a replica runs. `drain_s`: one that goes stays so long."""

    def __init__(
        self, deployment: DeploymentID, needs: Needs, pool: NodePool, *, start_s: float, drain_s: float, surge: int
    ) -> None:
        """`surge`: the percentage of replicas that an update may add before the old ones go."""
        self.deployment = deployment
        self.target = 0
        self.scaled_up_at: float | None = None
        self.scaled_down_at: float | None = None
        self.running: list[Replica] = []
        self.starting: list[Replica] = []
        self.draining: list[Replica] = []
        self.unplaced = 0
        self._needs = needs
        self._pool = pool
        self.start_s = start_s
        self._drain_s = drain_s
        self._surge = surge
        self._generation = 0
        self._made = 0

    def begin(self, replicas: int, now: float) -> None:
        """So many run at once: the state in which a plan starts."""
        self.target = replicas
        self._start(replicas, now)
        for replica in self.starting:
            replica.ready_at = replica.node.ready_at = now
        self.settle(now)

    def aim(self, target: int, now: float) -> None:
        """What `reconcile` works towards from now on."""
        if target > self.target:
            self.scaled_up_at = now
        elif target < self.target:
            self.scaled_down_at = now
        self.target = target

    def update(self) -> None:
        """New code: every replica that there is has to be replaced."""
        self._generation += 1

    def settle(self, now: float) -> list[Replica]:
        """Replicas that have started run, those that were going are gone: the latter are returned."""
        if ready := [replica for replica in self.starting if replica.ready_at <= now]:
            self.running += ready
            self.starting = [replica for replica in self.starting if replica.ready_at > now]
        if gone := [replica for replica in self.draining if replica.gone_at <= now]:
            self.draining = [replica for replica in self.draining if replica.gone_at > now]
            for replica in gone:
                self._end(replica, now)
        return gone

    def reconcile(self, now: float, crowd: Mapping[Node, int]) -> None:
        """Towards the target. `crowd`: how many replicas of all deployments run on each node."""
        self.unplaced = 0
        if any(replica.generation != self._generation for replica in (*self.running, *self.starting)):
            self._roll(now)
            return
        missing = self.target - len(self.running) - len(self.starting)
        if missing > 0:
            self._start(missing, now)
        elif missing < 0:
            self._stop(self._next_to_go(crowd)[:-missing], now)

    def _roll(self, now: float) -> None:
        """One step of an update with surge (Serve's `_surge_replicas_to_start` and `_surge_replicas_to_stop`)."""
        there = [*self.running, *self.starting]
        new = sum(replica.generation == self._generation for replica in there)
        room = -(-self._surge * self.target // 100) + self.target - len(there)
        self._start(max(0, min(self.target - new, room)), now)
        old = [replica for replica in there if replica.generation != self._generation]
        old.sort(key=lambda replica: replica.ready_at <= now)
        surplus = max(0, len(self.running) - self.target)
        waiting = sum(replica.ready_at > now for replica in old)
        self._stop(old[: waiting + surplus], now)

    def _start(self, count: int, now: float) -> None:
        for started in range(count):
            node = self._pool.place(self._needs, now)
            if node is None:
                self.unplaced = count - started
                return
            self._made += 1
            name = ReplicaID(str(self._made), self.deployment)
            self.starting.append(Replica(name, node, max(now, node.ready_at) + self.start_s, self._generation))

    def _next_to_go(self, crowd: Mapping[Node, int]) -> list[Replica]:
        """In Serve's order (`_get_replicas_to_stop`): those that do not run yet, then away from the head, from
        fallback nodes, from nodes with few replicas; the youngest of a node first. How many calls one has is no
        matter."""
        wanted = self._needs.selectors[0]

        def keep(replica: Replica) -> tuple[bool, bool, int, int]:
            node = replica.node
            return node.kind.head, matches(node.kind, wanted), crowd.get(node, 0), node.number

        youngest_first = [*reversed(self.running)]
        return [*reversed(self.starting), *sorted(youngest_first, key=keep)]

    def _stop(self, replicas: list[Replica], now: float) -> None:
        for replica in replicas:
            if replica in self.starting:
                self.starting.remove(replica)
                self._end(replica, now)
            else:
                self.running.remove(replica)
                replica.gone_at = now + self._drain_s
                self.draining.append(replica)

    def _end(self, replica: Replica, now: float) -> None:
        replica.gone = True
        replica.node.free(self._needs, now)
