"""What Prometheus sees of a conversation, on the node's own endpoint."""

import asyncio
import base64
import json
import re
import time
import urllib.request

from websockets.asyncio.client import connect

from tests.acceptance.server import Server

EXPORTED_WITHIN_S = 30.0  # Ray's processes report every few seconds


def test_the_wait_of_audio_is_exported(server: Server) -> None:
    async def call() -> None:
        async with connect(f"{server.ws_url}/v1/convai/conversation?agent_id=default") as ws:
            await ws.send(json.dumps({"user_audio_chunk": base64.b64encode(bytes(640)).decode()}))
            await ws.recv()

    asyncio.run(call())
    until_exported(server, r"^ray_hello_audio_wait_ms_count\{.*\} [1-9]")


def test_the_state_of_a_breaker_is_exported_however_long_ago_it_changed(server: Server) -> None:
    until_exported(server, r'^ray_hello_breaker_state\{.*provider="espeak".*\} 0')


def test_the_number_of_tasks_is_exported(server: Server) -> None:
    until_exported(server, r"^ray_hello_tasks\{.*\} [1-9]")


def test_each_replica_tells_its_own_part_of_its_region(server: Server) -> None:
    part = r'(?=.*deployment="Gateway")(?=.*region="local")(?=.*replica="\w+")'
    until_exported(server, rf"^ray_hello_conversations\{{{part}.*\}} \d")


def until_exported(server: Server, pattern: str) -> None:
    deadline = time.monotonic() + EXPORTED_WITHIN_S
    while not re.search(pattern, exposition(server), re.MULTILINE):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def exposition(server: Server) -> str:
    [port] = (server.data_dir / "run" / "session_latest").glob("metrics_export_port_*")
    with urllib.request.urlopen(f"http://127.0.0.1:{port.read_text()}/metrics") as response:
        text: str = response.read().decode()
    return text
