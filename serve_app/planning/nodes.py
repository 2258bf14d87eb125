"""The machines of a region: which replica stands where, when another is rented and when one is given back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ray._raylet import node_labels_match_selector  # type: ignore[attr-defined]  # selectors as Ray itself reads them


class Needs(NamedTuple):
    """Of one replica. `selectors`: labels that its node must have, best first; one without labels takes any node.
    `most_a_node`: replicas of its `deployment` (`max_replicas_per_node`)."""

    cpus: float
    gpus: float
    selectors: Sequence[Mapping[str, str]] = ({},)
    deployment: str = ""
    most_a_node: int | None = None


class NodeType(NamedTuple):
    """A kind of machine: its labels and resources as Ray knows them, how many there may be, seconds until Ray runs on a
    new one, and what it costs. Of several that will do, that with the highest `priority` is rented."""

    name: str
    labels: Mapping[str, str]
    cpus: float
    gpus: float
    at_least: int
    at_most: int
    start_s: float
    price_an_hour: float
    head: bool = False
    priority: int = 0


@dataclass(eq=False, slots=True)
class Node:
    """`number`: of all that were ever rented. `replicas`: by deployment. `conversations`: at its gateways, those
    that go too."""

    number: int
    kind: NodeType
    ready_at: float
    idle_since: float
    replicas: Counter[str] = field(default_factory=Counter)
    conversations: int = 0
    cpus_left: float = field(init=False)
    gpus_left: float = field(init=False)

    def __post_init__(self) -> None:
        self.cpus_left, self.gpus_left = self.kind.cpus, self.kind.gpus

    @property
    def is_empty(self) -> bool:
        return not self.replicas.total()

    def fits(self, needs: Needs) -> bool:
        if needs.most_a_node is not None and self.replicas[needs.deployment] >= needs.most_a_node:
            return False
        # Resources are counted in ten-thousandths, as in Ray: 0.2 five times is 1.
        return round(self.cpus_left - needs.cpus, 4) >= 0 and round(self.gpus_left - needs.gpus, 4) >= 0

    def take(self, needs: Needs) -> None:
        self.replicas[needs.deployment] += 1
        self.cpus_left -= needs.cpus
        self.gpus_left -= needs.gpus

    def free(self, needs: Needs, now: float) -> None:
        self.replicas[needs.deployment] -= 1
        self.cpus_left += needs.cpus
        self.gpus_left += needs.gpus
        if self.is_empty:
            self.idle_since = now


class NodePool:
    """All nodes. Starts with the fewest that each kind may have, all of them up at `now`."""

    def __init__(self, kinds: Sequence[NodeType], at_most: int, idle_s: float, now: float) -> None:
        """`at_most`: nodes of all kinds together. `idle_s`: how long one without replicas is kept."""
        self._kinds = kinds
        self._at_most = at_most
        self._idle_s = idle_s
        self.nodes: list[Node] = []
        self._rented = 0
        for kind in kinds:
            for _ in range(kind.at_least):
                self._rent(kind, now)

    def place(self, needs: Needs, now: float) -> Node | None:
        """A node for one more replica, perhaps one that is still starting. None: no room, and no more nodes allowed.

        Serve spreads replicas: the node with the fewest is taken.
        """
        node = self._with_room(needs, now) or self._another(needs, now)
        if node:
            node.take(needs)
        return node

    def give_back_idle(self, now: float) -> None:
        for kind in self._kinds:
            idle = [n for n in self.nodes if n.kind is kind and n.is_empty and now - n.idle_since >= self._idle_s]
            for node in idle[: max(0, self.count(kind) - kind.at_least)]:
                self.nodes.remove(node)

    def count(self, kind: NodeType) -> int:
        """Rented, those that are starting too."""
        return sum(node.kind is kind for node in self.nodes)

    def an_hour(self) -> float:
        """What all of them cost."""
        return sum(node.kind.price_an_hour for node in self.nodes)

    def _with_room(self, needs: Needs, now: float) -> Node | None:
        """One that runs before one that starts, one with the preferred labels before one with a fallback's."""
        fitting = [
            (node.ready_at > now, choice, node.replicas.total(), node.number, node)
            for choice, selector in enumerate(needs.selectors)
            for node in self.nodes
            if matches(node.kind, selector) and node.fits(needs)
        ]
        return min(fitting)[-1] if fitting else None

    def _another(self, needs: Needs, now: float) -> Node | None:
        """As Ray's autoscaler chooses (`_sched_best_node`): the first selector's labels whatever else there is, then
        none with a GPU for those who need none, then the priority, then the order in cluster.yaml. That the cloud has
        none of a kind is not known to it."""
        if len(self.nodes) >= self._at_most:
            return None
        preferred = sorted(self._kinds, key=lambda kind: (kind.gpus > 0 and not needs.gpus, -kind.priority))
        for selector in needs.selectors:
            for kind in preferred:
                enough = kind.cpus >= needs.cpus and kind.gpus >= needs.gpus
                if enough and matches(kind, selector) and self.count(kind) < kind.at_most:
                    return self._rent(kind, now + kind.start_s)
        return None

    def _rent(self, kind: NodeType, ready_at: float) -> Node:
        self._rented += 1
        self.nodes.append(Node(self._rented, kind, ready_at, ready_at))
        return self.nodes[-1]


def matches(kind: NodeType, selector: Mapping[str, str]) -> bool:
    """Whether nodes of this kind have the labels that a replica asks for."""
    return bool(node_labels_match_selector(kind.labels, dict(selector)))
