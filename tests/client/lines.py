"""Lines in memory, for conversations in virtual time."""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from serve_app.client.line import Line, LineLost


class MemoryLine:
    """What the server says is `put`, what the client has sent is in `sent`."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = False  # the client has closed or aborted it
        self._frames: asyncio.Queue[str | LineLost] = asyncio.Queue()
        self._lost: LineLost | None = None

    def put(self, kind: str, envelope: str = "", **event: Any) -> None:
        self._frames.put_nowait(json.dumps({"type": kind, envelope or f"{kind}_event": event}))

    def put_text(self, frame: str) -> None:
        self._frames.put_nowait(frame)

    def begin(
        self,
        *,
        received_ms: int = 0,
        resumed: bool = False,
        audio_format: str = "pcm_16000",
        conversation_id: str = "conv_1",
    ) -> "MemoryLine":
        resume = {"token": "t", "expires_in_secs": 3600, "received_audio_ms": received_ms, "resumed": resumed}
        formats = {"agent_output_audio_format": audio_format, "user_input_audio_format": audio_format}
        self.put("conversation_initiation_metadata", conversation_id=conversation_id, resume=resume, **formats)
        return self

    def lose(self, code: int = 1006, reason: str = "") -> None:
        """After what was put."""
        self._frames.put_nowait(LineLost(code, reason))

    def audio(self) -> list[bytes]:
        return [base64.b64decode(sent["user_audio_chunk"]) for sent in self.sent if "user_audio_chunk" in sent]

    async def send(self, text: str) -> None:
        if self._lost:
            raise self._lost
        self.sent.append(json.loads(text))

    async def recv(self) -> str:
        if self._lost:
            raise self._lost
        frame = await self._frames.get()
        if isinstance(frame, LineLost):
            self._lost = frame
            raise frame
        return frame

    async def close(self) -> None:
        self.left = True

    def abort(self) -> None:
        self.left = True


class Dialling:
    """Gives out its lines, one an attempt; then nobody answers. `urls` and `at`: what was dialled, and when."""

    def __init__(self, lines: Sequence[Line | LineLost]) -> None:
        self.urls: list[str] = []
        self.at: list[float] = []
        self._lines = iter(lines)

    async def __call__(self, url: str) -> Line:
        self.urls.append(url)
        self.at.append(asyncio.get_running_loop().time())
        line = next(self._lines, LineLost(1006, "nobody there"))
        if isinstance(line, LineLost):
            raise line
        return line


class Servers:
    """Gives out lines by host, one an attempt; then that host does not answer. `dialled`: (host, when, query)."""

    def __init__(self, **lines: Sequence[Line | LineLost]) -> None:
        self.dialled: list[tuple[str, float, dict[str, str]]] = []
        self._diallings = {host: Dialling(each) for host, each in lines.items()}

    async def __call__(self, url: str) -> Line:
        host, query = urlsplit(url).hostname or "", dict(parse_qsl(urlsplit(url).query))
        self.dialled.append((host, asyncio.get_running_loop().time(), query))
        return await self._diallings[host](url)

    @property
    def hosts(self) -> list[str]:
        return [host for host, _, _ in self.dialled]
