"""Which providers are left alone: a Breaker's `on_change`."""

import asyncio

from serve_app.conversation.breaker import State
from serve_app.observability.metrics import TELL_EVERY_S, gauge


class BreakerStates:
    """What does not change must be told again and again."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._gauge = gauge(
            "hello_breaker_state",
            "0: the provider is used; 1: it is being tried; 2: it failed, and is left alone.",
            "provider",
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
