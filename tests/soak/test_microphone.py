import asyncio
import base64
import json
from itertools import pairwise

import numpy as np

from tests.soak.microphone import BYTES_PER_MS, KEPT_MS, LONGEST_LUMP_MS, LUMP_MS, Microphone, chunk, spoken
from tests.virtual_time import run

LUMP_BYTES = LUMP_MS * BYTES_PER_MS


async def record(microphone: Microphone, seconds: float) -> list[tuple[float, bytes]]:
    """What it records meanwhile, and when."""
    loop = asyncio.get_running_loop()
    recorded = []
    async for lump in microphone.lumps():
        recorded.append((loop.time(), lump))
        if loop.time() >= seconds:
            break
    return recorded


def test_it_records_in_real_time() -> None:
    recorded = run(record(Microphone(), 10))
    assert {round(1000 * (later - at)) for (at, _), (later, _) in pairwise(recorded)} == {LUMP_MS}
    assert {len(lump) for _, lump in recorded} == {LUMP_BYTES}


def test_words_are_said_once_and_the_room_is_never_silent() -> None:
    async def scenario() -> tuple[float, list[tuple[float, bytes]]]:
        microphone = Microphone()
        recording = asyncio.create_task(record(microphone, 6))
        await asyncio.sleep(1)
        await microphone.say("bom dia")
        return asyncio.get_running_loop().time(), await recording

    said_at, recorded = run(scenario())
    words = b"".join(lump for at, lump in recorded if 1 < at <= said_at)
    assert words == b"".join(spoken("bom dia"))
    assert all(np.frombuffer(lump, np.int16).any() for _, lump in recorded)


def test_what_was_recorded_since_a_moment_is_kept() -> None:
    microphone = Microphone()
    audio = b"".join(lump for _, lump in run(record(microphone, 3)))
    lumps = microphone.kept_since(1000)
    assert b"".join(lumps) == audio[1000 * BYTES_PER_MS :]
    assert max(map(len, lumps)) == LONGEST_LUMP_MS * BYTES_PER_MS
    assert microphone.kept_since(len(audio) // BYTES_PER_MS) == []


def test_older_audio_than_that_is_forgotten() -> None:
    microphone = Microphone()
    audio = b"".join(lump for _, lump in run(record(microphone, 15)))
    kept = b"".join(microphone.kept_since(0))
    assert audio.endswith(kept)
    assert KEPT_MS - LUMP_MS < len(kept) / BYTES_PER_MS <= KEPT_MS


def test_a_lump_travels_as_the_protocol_has_it() -> None:
    lump = spoken("bom dia")[0]
    assert base64.b64decode(json.loads(chunk(lump))["user_audio_chunk"]) == lump
