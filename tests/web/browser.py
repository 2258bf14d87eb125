"""Headless Chromium over the DevTools protocol: as much of it as the tests of the page need."""

import asyncio
import itertools
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

CHROMIUM = Path("/usr/bin/chromium")

FLAGS = [
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    "--remote-debugging-port=0",
]


@contextmanager
def chromium(microphone: Path, profile: Path) -> Iterator[str]:
    """Run Chromium with a WAV file, over and over, for a microphone; yields its DevTools address."""
    command = [str(CHROMIUM), *FLAGS, f"--use-file-for-fake-audio-capture={microphone}", f"--user-data-dir={profile}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"DevTools listening on (ws://\S+)", line):
                yield found[1]
                break
        else:
            raise RuntimeError("Chromium did not start:\n" + "".join(lines))
    finally:
        process.terminate()
        process.stderr.close()
        process.wait(timeout=10)


class Page:
    """A tab. `complaints` are its uncaught exceptions and console errors, `told` what it passed, as JSON, to tell()."""

    def __init__(self, socket: ClientConnection) -> None:
        self.complaints: list[str] = []
        self.told: list[Any] = []
        self._socket = socket
        self._session: str | None = None
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def open(self, url: str, language: str, microphone: str) -> None:
        """Show `url` in a context of its own, where the microphone was "granted" or "denied" by the user."""
        context = await self.command("Target.createBrowserContext")
        permission = {"name": "microphone"}
        await self.command("Browser.setPermission", permission=permission, setting=microphone, **context)
        target = await self.command("Target.createTarget", url="about:blank", **context)
        attached = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        await self.command("Runtime.enable")
        await self.command("Runtime.addBinding", name="tell")
        await self.command("Page.enable")
        agent = await self.evaluate("navigator.userAgent")
        await self.command("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)
        await self.command("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = await self.command("Runtime.evaluate", expression=expression, **options)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, condition: str, seconds: float = 8.0) -> None:
        """Wait in the page until a JavaScript condition holds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await self.evaluate(f"Boolean({condition})"):
            if asyncio.get_running_loop().time() > deadline:
                text = await self.evaluate("document.body.innerText")
                raise AssertionError(f"not within {seconds} s: {condition}\ncomplaints: {self.complaints}\n{text}")
            await asyncio.sleep(0.02)

    async def click(self, selector: str) -> None:
        await self.evaluate(f"document.querySelector('{selector}').click()")

    async def text(self, selector: str) -> str:
        return str(await self.evaluate(f"document.querySelector('{selector}').innerText"))

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        answered = self._replies[number] = asyncio.get_running_loop().create_future()
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send(json.dumps(message))
        reply = await answered
        if "error" in reply:
            raise AssertionError(f"{method}: {reply['error']}")
        result: dict[str, Any] = reply["result"]
        return result

    async def listen(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame)
            if "id" in message:
                self._replies.pop(message["id"]).set_result(message)
            elif message["method"] == "Runtime.bindingCalled":
                self.told.append(json.loads(message["params"]["payload"]))
            elif message["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))
            elif message["method"] == "Runtime.consoleAPICalled" and message["params"]["type"] == "error":
                self.complaints.append(str(message["params"]["args"]))


@asynccontextmanager
async def new_page(
    devtools: str, url: str, language: str = "pt-BR", microphone: str = "granted"
) -> AsyncIterator[Page]:
    async with connect(devtools, max_size=None) as socket, asyncio.TaskGroup() as tasks:
        page = Page(socket)
        listening = tasks.create_task(page.listen())
        await page.open(url, language, microphone)
        yield page
        await page.command("Page.close")
        listening.cancel()
