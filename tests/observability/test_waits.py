import asyncio

import pytest

from serve_app.observability import waits
from serve_app.observability.waits import LAG_EVERY_S, AudioWaits, LoopLag
from tests.observability.instruments import Instruments
from tests.virtual_time import VirtualTimeLoop, run


def test_how_late_the_loop_is_is_told() -> None:
    late: list[float] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        watching = asyncio.create_task(LoopLag(late.append).watch())
        await asyncio.sleep(2.5 * LAG_EVERY_S)
        loop.stall(0.3)
        await asyncio.sleep(2 * LAG_EVERY_S)
        watching.cancel()

    run(scenario())
    assert late[:2] == pytest.approx([0.0, 0.0])
    assert max(late) == pytest.approx(0.3 - LAG_EVERY_S / 2, abs=0.001)


def test_waits_are_told_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    instruments = Instruments(monkeypatch, waits)
    AudioWaits().observe(0.0125)
    assert instruments["hello_audio_wait_ms"].newest == {(): 12.5}
    assert {20.0, 30.0} <= set(instruments["hello_audio_wait_ms"].boundaries), "target and limit are ends of buckets"
