"""What Prometheus is told. One endpoint a node, Ray's own, right for any number of replicas."""

import asyncio
from collections.abc import Callable

from ray.util.metrics import Counter, Gauge, Histogram

from serve_app.conversation.breaker import State
from serve_app.observability.tallies import TALLIES, Labels, tallies
from serve_app.ports import ConversationLog, LogEvent

BUCKETS_MS = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0, 500.0]
LAG_EVERY_S = 0.05
TELL_EVERY_S = 5.0
"""Ray passes on every 10 s what it was told meanwhile, and forgets a gauge that it has not been told of for 20 s."""


class FrameWaits:
    """How long the caller's audio waited in the gateway for its verdict: the target is 20 ms, the limit 30."""

    def __init__(self) -> None:
        self._histogram = Histogram(
            "hello_audio_wait_ms",
            description="Arrival of a message of audio at the gateway to the verdict on its last frame, in ms.",
            boundaries=BUCKETS_MS,
        )

    def observe(self, seconds: float) -> None:
        self._histogram.observe(seconds * 1000)


class LoopLag:
    """How late the gateway's event loop runs what is due: what audio waits before we even know that it has arrived.
    `observe` is told too, in seconds."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._histogram = Histogram(
            "hello_event_loop_lag_ms",
            description="How late the gateway's event loop woke a timer, in ms.",
            boundaries=BUCKETS_MS,
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


class OpenTasks:
    """How many tasks the gateway's event loop has. They come and go with calls: what stays after them is a leak."""

    def __init__(self) -> None:
        self._gauge = Gauge("hello_tasks", description="Tasks in the gateway's event loop, whoever made them.")

    async def watch(self) -> None:
        """Tell for ever."""
        while True:
            self._gauge.set(len(asyncio.all_tasks()))
            await asyncio.sleep(TELL_EVERY_S)


class BreakerStates:
    """Which providers are left alone: a Breaker's `on_change`. What does not change must be told again and again."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._gauge = Gauge(
            "hello_breaker_state",
            description="0: the provider is used; 1: it is being tried; 2: it failed, and is left alone.",
            tag_keys=("provider",),
        )

    def __call__(self, name: str, state: State) -> None:
        self._states[name] = state
        self._gauge.set(state.value, tags={"provider": name})

    @property
    def by_provider(self) -> dict[str, str]:
        return {name: state.name.lower() for name, state in self._states.items()}

    def tell(self) -> None:
        """Every state once more."""
        for name, state in self._states.items():
            self(name, state)

    async def watch(self) -> None:
        """Tell for ever."""
        while True:
            self.tell()
            await asyncio.sleep(TELL_EVERY_S)


class SocketPools:
    """How many sockets each voice keeps open: what a pool's size is told to."""

    def __init__(self) -> None:
        self._gauge = Gauge(
            "hello_voice_sockets",
            description="Open sockets to a provider of voices, in use or warm.",
            tag_keys=("provider",),
        )

    def __call__(self, provider: str, sockets: int) -> None:
        self._gauge.set(sockets, tags={"provider": provider})


class MeteredLog:
    """A ConversationLog that counts what happens in conversations, on its way to `log`."""

    def __init__(self, log: ConversationLog) -> None:
        self._log = log
        self._labels = Labels()
        counted = {tally.name: tally for of_kind in TALLIES.values() for tally in of_kind}
        self._counters = {
            name: Counter(name, description=tally.description, tag_keys=tally.labels) for name, tally in counted.items()
        }

    def append(self, event: LogEvent) -> None:
        self._log.append(event)
        for name, tags, amount in tallies(event):
            self._counters[name].inc(amount, tags={key: self._labels.bounded(key, tags[key]) for key in tags})

    async def flush(self) -> None:
        await self._log.flush()

    async def events(self, conversation_id: str) -> list[LogEvent]:
        return await self._log.events(conversation_id)

    async def take_over(self, conversation_id: str, epoch: int) -> bool:
        return await self._log.take_over(conversation_id, epoch)
