"""What waits in a gateway: the caller's audio for its verdict, and timers for an event loop that is busy."""

import asyncio
from collections.abc import Callable

from serve_app.observability.metrics import histogram

BUCKETS_MS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0, 500.0)
LAG_EVERY_S = 0.05


class AudioWaits:
    """How long the caller's audio waited for its verdict: the target is 20 ms, the limit 30."""

    def __init__(self) -> None:
        self._histogram = histogram(
            "hello_audio_wait_ms",
            "Arrival of a message of audio at the gateway to the verdict on its last frame, in ms.",
            BUCKETS_MS,
        )

    def observe(self, seconds: float) -> None:
        self._histogram.observe(seconds * 1000)


class LoopLag:
    """How late the gateway's event loop runs what is due: what audio waits before we even know that it has arrived.
    `observe` is told too, in seconds."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._histogram = histogram(
            "hello_event_loop_lag_ms", "How late the gateway's event loop woke a timer, in ms.", BUCKETS_MS
        )

    async def watch(self) -> None:
        """Sample for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            late = max(0.0, clock() - due)
            self._histogram.observe(late * 1000)
            self._observe(late)
