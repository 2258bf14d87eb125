"""The first words: how long they may take, over lines in memory and a real socket."""

import asyncio
import socket

import pytest

from serve_app.client.line import Line, LineLost, WebSocketLine
from serve_app.client.opening import begin
from tests.client.lines import MemoryLine
from tests.virtual_time import run

OPENING = '{"type": "conversation_initiation_client_data"}'


class SlowToSend(MemoryLine):
    async def send(self, text: str) -> None:
        await asyncio.sleep(120)


@pytest.mark.parametrize(("answers_after_s", "line"), [(1.5, MemoryLine()), (120, MemoryLine()), (0, SlowToSend())])
def test_dialling_sending_and_waiting_have_the_time_together(answers_after_s: float, line: MemoryLine) -> None:
    async def dial(url: str) -> Line:
        await asyncio.sleep(answers_after_s)
        return line

    async def perform() -> float:
        with pytest.raises(LineLost, match="no answer within 2 s"):
            await begin(dial, "ws://server", 2.0, OPENING)
        return asyncio.get_running_loop().time()

    assert run(perform()) == 2.0
    assert line.left or answers_after_s > 2


def test_takes_the_call_and_never_answers() -> None:
    async def perform() -> LineLost:
        with pytest.raises(LineLost) as lost:
            await begin(WebSocketLine.dial, f"ws://127.0.0.1:{listening.getsockname()[1]}", 0.05)
        return lost.value

    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert asyncio.run(perform()).code == 1006
