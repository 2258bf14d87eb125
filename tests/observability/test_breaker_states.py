import asyncio
from itertools import pairwise

import pytest

from serve_app.conversation.breaker import State
from serve_app.observability import breaker_states
from serve_app.observability.breaker_states import BreakerStates
from tests.observability.instruments import Instruments
from tests.virtual_time import run

RAY_PASSES_ON_EVERY_S = 10.0  # and what was not told meanwhile is not passed on


def test_the_state_of_a_breaker_is_told_for_as_long_as_ray_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    instruments = Instruments(monkeypatch, breaker_states)

    async def scenario() -> None:
        states = BreakerStates()
        states("groq", State.CLOSED)
        states("espeak", State.CLOSED)
        states("groq", State.OPEN)
        watching = asyncio.create_task(states.watch())
        await asyncio.sleep(60)
        watching.cancel()

    run(scenario())
    for name, state in (("groq", State.OPEN), ("espeak", State.CLOSED)):
        told = [(at, value) for at, value, labels in instruments["hello_breaker_state"].told if labels[0][1] == name]
        assert told[-1][1] == state.value
        times = [*(at for at, _ in told), 60.0]
        assert max(later - earlier for earlier, later in pairwise(times)) < RAY_PASSES_ON_EVERY_S


def test_breakers_are_named() -> None:
    states = BreakerStates()
    states("groq", State.OPEN)
    assert states.by_provider == {"groq": "open"}
