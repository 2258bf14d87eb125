"""How a gateway replica is: what it has in hand, and what its journal still has to store."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from serve_app.observability.metrics import TELL_EVERY_S, counter, gauge


class Backlog(Protocol):
    """A log's. `behind`: events and bytes that PostgreSQL has not got, and seconds since the first of them came;
    `dropped`: events that found no room, `refused`: those of conversations that somebody else had taken over."""

    def behind(self) -> tuple[int, int, float]: ...

    @property
    def dropped(self) -> int: ...

    @property
    def refused(self) -> int: ...


class Vitals:
    """`conversations`: how many of this replica's go on."""

    def __init__(self, conversations: Callable[[], int], backlog: Backlog) -> None:
        self._count = conversations
        self._backlog = backlog
        self._lost = {"dropped": 0, "refused": 0}  # as far as it has been told
        self._tasks = gauge("hello_tasks", "Tasks in the gateway's event loop, whoever made them.")
        self._conversations = gauge("hello_conversations", "Conversations that go on.")
        self._events = gauge("hello_spool_events", "Events of conversations that PostgreSQL has not got yet.")
        self._bytes = gauge("hello_spool_bytes", "Bytes of them, in the node's journal.")
        self._age = gauge("hello_spool_age_seconds", "For how long the oldest of them has waited.")
        self._unstored = counter(
            "hello_unstored_events_total",
            "Events that will not be stored: dropped for want of room, or refused since another replica has the call.",
            "why",
        )

    async def watch(self) -> None:
        """Tell for ever."""
        while True:
            self.tell()
            await asyncio.sleep(TELL_EVERY_S)

    def tell(self) -> None:
        events, size, age = self._backlog.behind()
        self._tasks.set(len(asyncio.all_tasks()))
        self._conversations.set(self._count())
        self._events.set(events)
        self._bytes.set(size)
        self._age.set(age)
        self._tell_lost("dropped", self._backlog.dropped)
        self._tell_lost("refused", self._backlog.refused)

    def _tell_lost(self, why: str, events: int) -> None:
        if events > self._lost[why]:
            self._unstored.inc(events - self._lost[why], tags={"why": why})
            self._lost[why] = events
