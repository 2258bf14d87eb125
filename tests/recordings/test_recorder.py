import asyncio
from pathlib import Path

import numpy as np
import pytest

from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.recordings import recorder as module
from serve_app.recordings.recorder import LONGEST_BACKLOG, CallTake, DiskRecorder
from serve_app.recordings.segments import Side
from tests.recordings.sounds import (
    WIRE,
    heard,
    library_in,
    live_in,
    one_side,
    speech,
)

CALLER, AGENT = speech(3.0, 1), speech(3.0, 2)


def give(take: CallTake, start: int = 0, end: int = len(CALLER)) -> None:
    for at in range(start, end, FRAME_SAMPLES):
        take.caller(at, CALLER[at : at + FRAME_SAMPLES])
        take.agent(at, AGENT[at : at + FRAME_SAMPLES].tobytes())


def test_a_call_is_recorded_while_it_runs(tmp_path: Path) -> None:
    library = library_in(tmp_path)

    async def call() -> int:
        recorder = DiskRecorder(live_in(tmp_path))
        writing = asyncio.create_task(recorder.run())
        take = recorder.begin("conv_1", WIRE)
        give(take, 0, 2 * RATE)
        while not len(heard(library)):  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.02)
        midway = len(heard(library))
        give(take, 2 * RATE)
        await take.close()
        await take.close()
        take.caller(len(CALLER), CALLER)  # too late
        writing.cancel()
        await recorder.aclose()
        return midway

    assert asyncio.run(call()) <= 2 * RATE
    np.testing.assert_array_equal(heard(library), CALLER + AGENT)


def test_a_cut_takes_back_what_was_not_heard(tmp_path: Path) -> None:
    async def call() -> None:
        recorder = DiskRecorder(live_in(tmp_path))
        take = recorder.begin("conv_1", WIRE)
        give(take)
        take.cut(len(AGENT) - 4000)
        await take.close()
        await recorder.aclose()

    asyncio.run(call())
    np.testing.assert_array_equal(one_side(library_in(tmp_path), Side.AGENT), AGENT[:-4000])


def test_a_replica_that_stops_writes_down_what_it_has(tmp_path: Path) -> None:
    async def call() -> None:
        recorder = DiskRecorder(live_in(tmp_path))
        give(recorder.begin("conv_1", WIRE))
        give(recorder.begin("conv_2", WIRE))
        await recorder.aclose()

    asyncio.run(call())
    for conversation_id in ("conv_1", "conv_2"):
        np.testing.assert_array_equal(heard(library_in(tmp_path), conversation_id), CALLER + AGENT)


def test_what_a_slow_disk_does_not_take_is_left_out_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    second = speech(1.0)
    fits = LONGEST_BACKLOG // second.nbytes

    async def call() -> None:
        recorder = DiskRecorder(live_in(tmp_path))
        take = recorder.begin("conv_1", WIRE)
        for count in range(fits + 5):
            take.caller(count * RATE, second)
        recorder_writes = asyncio.create_task(recorder.run())
        await asyncio.sleep(2 * module.WRITE_EVERY_S)
        take.caller((fits + 5) * RATE, second)
        await take.close()
        recorder_writes.cancel()
        await recorder.aclose()

    asyncio.run(call())
    (said,) = caplog.messages
    assert said == "the recording of conversation conv_1 has gaps: the disk does not keep up"
    kept = heard(library_in(tmp_path))
    loud = [kept[start : start + RATE].any() for start in range(0, len(kept), RATE)]
    assert loud == [True] * fits + [False] * 5 + [True]
