"""A server on a loopback port with one conversation that clients may come back to. The test conducts it.

What it says gets an id and is kept: a client that comes back is sent what it has not had. It closes as the protocol
has it: 1008 to who may not go on, 4001 to the connection that another has taken over, 4004 to who comes back to a
conversation that it does not know.
"""

import asyncio
import base64
import itertools
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from serve_app.audio.pcm import AudioFormat
from tests.fakes.static_files import serve_file

CONVERSATION_ID = "conv_1"
CHUNK_S = 0.04
LEAD_S = 0.06


class Said(NamedTuple):
    event_id: int
    frame: str


class ResumingServer:
    """`async with ResumingServer() as server`: serves at `server.url` until the block ends.

    `said`: all of ours that has an id. `heard`: the caller's audio, joined. `received`: every other message of the
    client's. `queries` and `keys`: of each connection. `refuses`: the HTTP status for the next ones.
    """

    def __init__(
        self,
        audio_format: str = "pcm_16000",
        *,
        conversation_id: str = CONVERSATION_ID,
        resumable: bool = True,
        web: Path | None = None,
    ) -> None:
        self.conversation_id = conversation_id
        self.audio = AudioFormat.parse(audio_format)
        self.resumable = resumable
        self.web = web
        self.said: list[Said] = []
        self.heard = bytearray()
        self.received: list[dict[str, Any]] = []
        self.queries: list[dict[str, str]] = []
        self.keys: list[str | None] = []
        self.refuses: HTTPStatus | None = None
        self.token = ""
        self._ids = itertools.count(1)
        self._came = asyncio.Event()
        self._socket: ServerConnection | None = None
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._converse, "127.0.0.1", 0, process_request=self._answer, subprotocols=[Subprotocol("convai")]
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    async def say(self, kind: str, envelope: str = "", **event: Any) -> int:
        """Send a message, now or when the client is back. Returns its id."""
        event_id = next(self._ids)
        message = {"type": kind, envelope or f"{kind}_event": {**event, "event_id": event_id}}
        self.said.append(Said(event_id, json.dumps(message)))
        await self._send(self.said[-1].frame)
        return event_id

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message as it is; it is not kept."""
        await self._send(json.dumps(message))

    async def play(self, audio: bytes) -> int:
        """Send a message of audio."""
        return await self.say("audio", audio_base_64=base64.b64encode(audio).decode())

    async def speak(self, audio: bytes) -> None:
        """Send so much audio in real time, whether anybody is there or not."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        size = self.audio.bytes_for(CHUNK_S)
        for number in range(len(audio) // size):
            await asyncio.sleep(number * CHUNK_S - LEAD_S - (loop.time() - started))
            await self.play(audio[number * size : (number + 1) * size])

    def cut(self) -> None:
        """The line breaks, without a close."""
        assert self._socket
        self._socket.transport.abort()

    async def close(self, code: int, reason: str = "") -> None:
        assert self._socket
        await self._socket.close(code, reason)

    def forget(self, seconds: float) -> None:
        """Another replica has taken over, and of the caller's audio has only so much."""
        del self.heard[self.audio.bytes_for(seconds) :]

    async def until(self, what: Callable[[], object], seconds: float = 5.0) -> None:
        """Wait until it holds; it is looked at when something has come from a client."""
        async with asyncio.timeout(seconds):
            while not what():
                self._came.clear()
                await self._came.wait()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.refuses and request.path.startswith("/v1/"):
            return connection.respond(self.refuses, "")
        return serve_file(self.web, connection, request)

    async def _converse(self, socket: ServerConnection) -> None:
        assert socket.request
        query = dict(parse_qsl(urlsplit(socket.request.path).query))
        self.queries.append(query)
        self.keys.append(socket.request.headers.get("xi-api-key"))
        self._came.set()
        if refusal := self._refusal(query):
            await socket.close(*refusal)
            return
        before, self._socket = self._socket, socket
        if before:
            await before.close(4001, "the conversation goes on over another connection")
        try:
            await self._greet(socket, query)
            async for frame in socket:
                self._receive(json.loads(frame))
        except ConnectionClosed:
            pass

    def _refusal(self, query: Mapping[str, str]) -> tuple[int, str] | None:
        if "conversation_id" not in query:
            return None
        if query["conversation_id"] != self.conversation_id:
            return 4004, "no such conversation"
        return None if query["resume_token"] == self.token else (1008, "wrong token")

    async def _greet(self, socket: ServerConnection, query: Mapping[str, str]) -> None:
        metadata: dict[str, Any] = {
            "conversation_id": self.conversation_id,
            "agent_output_audio_format": self.audio.name,
            "user_input_audio_format": self.audio.name,
        }
        if self.resumable and (query.get("resume") or "resume_token" in query):
            self.token = f"token-{len(self.queries)}"
            metadata["resume"] = {
                "token": self.token,
                "expires_in_secs": 3600,
                "received_audio_ms": int(1000 * self.audio.seconds(len(self.heard))),
                "resumed": "resume_token" in query,
            }
        envelope = "conversation_initiation_metadata_event"
        await socket.send(json.dumps({"type": "conversation_initiation_metadata", envelope: metadata}))
        for said in self.said:
            if said.event_id > int(query.get("last_event_id", 0)):
                await socket.send(said.frame)

    def _receive(self, message: dict[str, Any]) -> None:
        if "user_audio_chunk" in message:
            self.heard += base64.b64decode(message["user_audio_chunk"])
        else:
            self.received.append(message)
        self._came.set()

    async def _send(self, frame: str) -> None:
        try:
            if self._socket:
                await self._socket.send(frame)
        except ConnectionClosed:
            pass  # it is kept
