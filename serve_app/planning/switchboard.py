"""Calls at the gateways: who takes one, who is refused, who hangs up, whose gateway goes."""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush

from serve_app.planning.arrivals import Call
from serve_app.planning.fleet import Replica


class Switchboard:
    """`calls` in order of their beginnings. Of those that `arrived` each is `refused`, `open`, `ended` or `cut`: its
    gateway went before it was over."""

    def __init__(self, calls: Sequence[Call], places: int, node_places: int | None = None) -> None:
        """`places`: conversations that a gateway takes; `node_places`: all gateways of a node together."""
        self._calls = calls
        self._places = places
        self._node_places = node_places
        self._turn = 0
        self._ends: list[tuple[float, int, Replica]] = []
        self.arrived = self.refused = self.ended = self.cut = 0
        self.open = self.spoken = 0

    def advance(self, until: float, gateways: Sequence[Replica]) -> None:
        """All that happens before `until`, while the same gateways take calls."""
        while self.arrived < len(self._calls) and self._calls[self.arrived].start_s < until:
            call = self._calls[self.arrived]
            self._hang_up(call.start_s)
            self._take(call, gateways)
            self.arrived += 1
        self._hang_up(until)

    def cut_off(self, gone: Iterable[Replica]) -> None:
        """The calls of gateways that are no more. (Callers who can resume go on elsewhere: that is not counted.)"""
        for gateway in gone:
            self.cut += gateway.conversations
            self.open -= gateway.conversations
            self.spoken -= gateway.spoken
            gateway.node.conversations -= gateway.conversations
            gateway.conversations = gateway.spoken = 0

    def _take(self, call: Call, gateways: Sequence[Replica]) -> None:
        """HAProxy leads to the gateways in turn ("roundrobin"), and from one that is full to the next."""
        for _ in gateways:
            gateway = gateways[self._turn % len(gateways)]
            self._turn += 1
            if not self._is_full(gateway):
                self._count(gateway, 1, call.spoken)
                heappush(self._ends, (call.start_s + call.duration_s, self.arrived, gateway))
                return
        self.refused += 1

    def _is_full(self, gateway: Replica) -> bool:
        full = self._node_places is not None and gateway.node.conversations >= self._node_places
        return full or gateway.conversations >= self._places

    def _hang_up(self, until: float) -> None:
        while self._ends and self._ends[0][0] <= until:
            _, number, gateway = heappop(self._ends)
            if not gateway.gone:
                self.ended += 1
                self._count(gateway, -1, self._calls[number].spoken)

    def _count(self, gateway: Replica, by: int, spoken: bool) -> None:
        gateway.conversations += by
        gateway.node.conversations += by
        self.open += by
        if spoken:
            gateway.spoken += by
            self.spoken += by
