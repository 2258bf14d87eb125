"""What a session's record tells of its own delays."""

import asyncio
import base64
import json

import pytest

from serve_app.audio.framing import RATE
from tests.caller import INITIATION, Call, a_turn, play, speech
from tests.virtual_time import VirtualTimeLoop

STALL_S = 0.045


def vad_latencies(call: Call) -> list[float]:
    return [event.data["metrics"]["hello_vad_latency"] for event in call.log.entries if event.kind == "user_turn"]


async def a_turn_on_a_busy_machine(call: Call) -> None:
    """The event loop hangs when one message of what is said has come, and is not looked at yet."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    await call.sends(INITIATION)
    await call.is_silent(0.5)
    words, half = speech(), len(speech()) // 2
    await call.sounds(words[:half])
    lump = words[half : half + RATE // 10]
    call.session.receive(json.dumps({"user_audio_chunk": base64.b64encode(lump.tobytes()).decode()}))
    loop.stall(STALL_S)
    await call.sounds(words[half + RATE // 10 :])
    await call.is_silent(3)


def test_audio_that_had_to_wait_is_in_its_turn_s_record() -> None:
    call = play(a_turn_on_a_busy_machine)
    assert vad_latencies(call) == [STALL_S]
    assert max(call.waits) == pytest.approx(STALL_S)


def test_nothing_waits_where_nothing_else_goes_on() -> None:
    assert vad_latencies(play(a_turn)) == [0.0]
