"""Callers whom a full gateway leaves to another one: HAProxy asks the next server when the first one says so."""

import os
from collections import OrderedDict
from collections.abc import Mapping

TOO_EARLY = 425
"""The HTTP status that says so: of those after which HAProxy can ask again (`retry-on`), the one that nothing else here
answers with. RAY_SERVE_HAPROXY_RETRY_ON in configs/ray.env has it, too."""
TIMES = 7
"""Round robin is shared by all who call at once, so one caller is led to a full gateway several times before a free
one. With 7, fewer than 1 % are refused where one of eight still has room, and 20 call within a second."""
REMEMBERED_S = 10.0
"""HAProxy asks again within milliseconds."""
MOST = 10_000
"""Remembered at once. Beyond it nobody is left to others: each handshake would be one at every gateway, and more."""


class Handshakes:
    """`Sec-WebSocket-Key` names one: 16 random bytes (RFC 6455, 4.1), the same each time that HAProxy asks."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """How often, and when last: the oldest first."""

    def may_leave(self, key: str, now: float) -> bool:
        """Whether to leave it to others, which counts. False: it was, TIMES times, and nobody had room."""
        self._forget(now - REMEMBERED_S)
        times, _ = self._left.pop(key, (0, now))
        if times == TIMES or len(self._left) == MOST:
            return False
        self._left[key] = times + 1, now
        return True

    def _forget(self, before: float) -> None:
        while self._left and next(iter(self._left.values()))[1] < before:
            self._left.popitem(last=False)


def are_asked_again(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether HAProxy is there to ask another gateway."""
    statuses = environ.get("RAY_SERVE_HAPROXY_RETRY_ON", "").split()
    return environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1" and str(TOO_EARLY) in statuses
