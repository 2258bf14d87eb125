"""`python -m tests.scaling.sleep`: a LocalWhisper that sleeps, behind a Groq that is late, fails and heals, for real.

It must not wake for late answers nor for probes, wake when Groq fails, and fall asleep again while calls go on. About
three minutes; prints when what happened, in seconds of its own.
"""

import asyncio
import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from serve_app.client import Conversation
from serve_app.conversation.server_messages import UserTranscript
from tests.acceptance.server import REPOSITORY, Server, running_server
from tests.beside import beside
from tests.chaos.parts import parts
from tests.espeak import render
from tests.fakes.groq_server import Behaviour, FakeGroq, Fault

FROM_GROQ, FROM_HERE = "bom dia", "good morning"
LATE_S = 1.2
"""Of an answer that is not waited for alone."""
SLEEPS_AFTER_S = 15
WAKES_WITHIN_TURNS = 2
STAYS_ASLEEP_S = 75
"""Beyond the time for which Serve counts what was asked before."""
FRAME = 3200
"""Bytes of 100 ms."""
SILENCE_S = 2.0


def config(folder: Path) -> Path:
    tree = yaml.safe_load((REPOSITORY / "configs" / "local.yaml").read_text(encoding="utf-8"))
    application = tree["applications"][0]
    for deployment in application["deployments"]:
        if deployment["name"] == "LocalWhisper":
            sleeps = {
                "min_replicas": 0,
                "downscale_delay_s": SLEEPS_AFTER_S,
                "downscale_to_zero_delay_s": SLEEPS_AFTER_S,
            }
            deployment["autoscaling_config"] |= sleeps
    path = folder / "sleeps.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


class Caller:
    """Says good morning, again and again."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._clip = render(FROM_HERE, "en").tobytes() + bytes(int(SILENCE_S * 10) * FRAME)
        self.understood: list[str] = []

    async def turn(self) -> list[str]:
        """As what it was understood, if at all."""
        before = len(self.understood)
        for start in range(0, len(self._clip), FRAME):
            await self._conversation.send_audio(self._clip[start : start + FRAME])
            await asyncio.sleep(0.1)
        return self.understood[before:]

    async def listen(self) -> None:
        async for event in self._conversation:
            if isinstance(event, UserTranscript):
                self.understood.append(event.user_transcript)


async def scenario(server: Server, groq: FakeGroq) -> None:
    initiation = {"conversation_config_override": {"agent": {"first_message": "", "language": "en"}}}
    async with Conversation.connect(server.url, "default", initiation=initiation) as conversation:
        caller = Caller(conversation)
        async with beside(caller.listen()):
            await sleeps_through(server, groq, caller)
            await wakes(server, groq, caller)
            await falls_asleep_again(server, groq, caller)


async def sleeps_through(server: Server, groq: FakeGroq, caller: Caller) -> None:
    groq.behaviours = {"stt": Behaviour(delay_s=LATE_S)}
    for _ in range(3):
        assert await caller.turn() == [FROM_GROQ]
        assert "asleep" in await asyncio.to_thread(hearing, server)
        assert replicas(server) == 0
    say("three turns whose answers were late, three probes: it sleeps")


async def wakes(server: Server, groq: FakeGroq, caller: Caller) -> None:
    groq.behaviours = {"stt": Behaviour(fault=Fault.SERVER_ERROR)}
    say("Groq fails")
    for turn in range(1, WAKES_WITHIN_TURNS + 2):
        understood = await caller.turn()
        say(f"turn {turn}: {understood or 'not understood'}, {replicas(server)} running or starting")
    assert understood == [FROM_HERE]


async def falls_asleep_again(server: Server, groq: FakeGroq, caller: Caller) -> None:
    groq.behaviours = {"stt": Behaviour(delay_s=LATE_S)}
    say("Groq answers again, late")
    healed = time.monotonic()
    while replicas(server):
        assert time.monotonic() - healed < 3 * SLEEPS_AFTER_S, "it is kept awake by calls that do not need it"
        await caller.turn()
        await asyncio.to_thread(hearing, server)
    asleep = time.monotonic()
    say(f"it fell asleep {asleep - healed:.0f} s later")
    while time.monotonic() - asleep < STAYS_ASLEEP_S:
        assert await caller.turn() == [FROM_GROQ]
        assert "asleep" in await asyncio.to_thread(hearing, server)
        assert replicas(server) == 0
    say(f"and stayed asleep for {STAYS_ASLEEP_S} s of late answers and probes")


def hearing(server: Server) -> str:
    """What /readyz says of it, with 200."""
    with urllib.request.urlopen(f"{server.url}/readyz", timeout=6) as response:
        return str(json.load(response)["stt"])


def replicas(server: Server) -> int:
    """Processes that are, or become, replicas of LocalWhisper."""
    return len(parts(server.mark).get("LocalWhisper", []))


def say(what: str) -> None:
    print(f"{time.monotonic() - BEGUN:6.1f} s  {what}", flush=True)


@contextmanager
def server_that_sleeps() -> Iterator[tuple[Server, FakeGroq]]:
    with tempfile.TemporaryDirectory(prefix="hello-") as folder, FakeGroq(hear=lambda pcm: FROM_GROQ) as groq:
        llm = {"LLM_BASE_URL": groq.chat_url, "LLM_MODEL": "fake", "LLM_API_KEY": "fake"}
        keys = {"GROQ_API_KEY": "fake", "GROQ_BASE_URL": groq.url, **llm}
        with running_server(Path(folder), config=config(Path(folder)), **keys) as server:
            yield server, groq


if __name__ == "__main__":
    with server_that_sleeps() as (server, groq):
        BEGUN = time.monotonic()
        asyncio.run(scenario(server, groq))
