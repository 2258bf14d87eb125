"""One conversation of a caller's, typed or spoken, over one connection after another."""

import asyncio
import json
import socket
import struct
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.soak.microphone import Microphone, chunk

ANSWERED_WITHIN_S = 15.0
UNTIL_CUT_S = 0.3
BACK_WITHIN_S = 30.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
"""Between attempts to come back."""
SOCKET: dict[str, Any] = {
    "subprotocols": ["convai"],
    "compression": None,
    "max_queue": None,
    "ping_interval": None,
    "open_timeout": 30.0,
}
"""The library adds nothing that the official clients do not do, and reads whatever comes."""
EVENTS = ["user_transcript", "agent_response", "agent_response_complete", "audio", "ping"]
TRY_AGAIN = 1013
GIVE_UP = {1000, 1002, 1008, 4001}
RESTED = "agent_response_complete"


class CallError(Exception):
    """It did not go as it should. The message says how, and is the same for all that went so."""


class TurnedAwayError(CallError):
    """There is no room now: try again in a moment."""


class Call:
    """`typed`: without sound. `resumes`: the client asks for a token to come back with."""

    def __init__(self, ws_url: str, *, typed: bool, resumes: bool = False) -> None:
        self.id = ""
        self._url = f"{ws_url}/v1/convai/conversation"
        self._resumes = resumes
        self._microphone = None if typed else Microphone()
        self._owed_ms: int | None = None  # the audio from there on is sent again
        self._token = ""
        self._last_event_id = 0
        self._line: ClientConnection | None = None
        self._heard: asyncio.Queue[str | CallError] = asyncio.Queue()  # types of events, and how it ended
        self._tasks: list[asyncio.Task[None]] = []

    # ---- from the first moment to the last

    async def __aenter__(self) -> Self:
        """The agent has greeted us. Raises CallError."""
        try:
            await self._dial({"agent_id": "default", **({"resume": "1"} if self._resumes else {})})
            if self._microphone:
                self._tasks.append(asyncio.create_task(self._speak(self._microphone)))
            await self._next_of("agent_response")
            await self._rest()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Hangs up, if nobody has yet."""
        line, self._line = self._line, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if line:
            await line.close()

    async def turn(self, words: str, *, cut: bool = False) -> float:
        """Seconds from the end of its words, or from their sending, until the answer is there: text, or the first sound
        of it. With `cut` the line breaks meanwhile, and the caller comes back. Returns when the agent has finished.
        Raises CallError."""
        loop = asyncio.get_running_loop()
        if self._microphone:
            saying = self._microphone.say(words)
            await (asyncio.gather(saying, self._cut_off()) if cut else saying)
        else:
            await self._send(json.dumps({"type": "user_message", "text": words}))
        begun = loop.time()
        await self._next_of("user_transcript")
        if cut and not self._microphone:  # what was typed, and not acknowledged, is not sent again
            await self._cut_off()
        await self._next_of("agent_response")
        if self._microphone:
            await self._next_of("audio")
        waited = loop.time() - begun
        await self._rest()
        return waited

    # ---- what lines do

    def reset(self) -> None:
        """The connection is torn: the other end gets a TCP reset."""
        line, self._line = self._line, None
        if line:
            reset(line)

    def vanish(self) -> ClientConnection | None:
        """From now on nothing is read, answered or closed. The caller is given the connection, to be torn later."""
        line, self._line = self._line, None
        if line:
            line.transport.pause_reading()
        return line

    @property
    def can_come_back(self) -> bool:
        """The server offers it."""
        return bool(self._token)

    async def _cut_off(self) -> None:
        """The line breaks in a moment, and the caller dials this conversation until they are in it again."""
        await asyncio.sleep(UNTIL_CUT_S)
        self.reset()
        query = {"conversation_id": self.id, "resume_token": self._token, "last_event_id": str(self._last_event_id)}
        wait_s = FIRST_WAIT_S
        try:
            async with asyncio.timeout(BACK_WITHIN_S):
                while not await self._dialled(query):
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        except TimeoutError as e:
            raise CallError("not back in time") from e

    # ---- the wire

    async def _dialled(self, query: dict[str, str]) -> bool:
        try:
            await self._dial(query)
        except (OSError, WebSocketException, EOFError, TurnedAwayError):
            return False
        return True

    async def _dial(self, query: dict[str, str]) -> None:
        """The metadata are there. Raises CallError if the server does not want us, and what the library raises."""
        line = await connect(f"{self._url}?{urlencode(query)}", **SOCKET)
        try:
            if "agent_id" in query:
                await line.send(json.dumps(self._opening()))
            metadata = json.loads(await line.recv())["conversation_initiation_metadata_event"]
        except ConnectionClosed as e:
            if e.rcvd and e.rcvd.code == TRY_AGAIN:
                raise TurnedAwayError(f"turned away: {e.rcvd.reason}") from e
            if e.rcvd and e.rcvd.code in GIVE_UP:
                raise CallError(f"refused: {e.rcvd.code} {e.rcvd.reason}") from e
            raise
        resume = metadata.get("resume", {})
        self.id, self._token = metadata["conversation_id"], resume.get("token", "")
        self._owed_ms = resume["received_audio_ms"] if resume.get("resumed") else None
        self._line = line
        self._tasks.append(asyncio.create_task(self._hear(line)))

    def _opening(self) -> dict[str, Any]:
        override = {"conversation": {"text_only": self._microphone is None, "client_events": EVENTS}}
        return {"type": "conversation_initiation_client_data", "conversation_config_override": override}

    async def _hear(self, line: ClientConnection) -> None:
        try:
            async for data in line:
                event = json.loads(data)
                fields: dict[str, Any] = next((value for name, value in event.items() if name != "type"), {})
                self._last_event_id = max(self._last_event_id, fields.get("event_id", 0))
                self._heard.put_nowait(event["type"])
                if event["type"] == "ping":
                    await line.send(json.dumps({"type": "pong", "event_id": fields["event_id"]}))
            ended = f"closed: {line.close_code} {line.close_reason}"
        except ConnectionClosed as e:
            ended = f"closed: {e.rcvd.code} {e.rcvd.reason}" if e.rcvd else f"closed without a frame: {e.__cause__!r}"
        if line is self._line:  # not our doing
            self._heard.put_nowait(CallError(ended))

    async def _speak(self, microphone: Microphone) -> None:
        async for lump in microphone.lumps():
            lumps = [lump] if self._owed_ms is None else microphone.kept_since(self._owed_ms)
            self._owed_ms = None
            for each in lumps:
                await self._send(chunk(each))

    async def _send(self, message: str) -> None:
        """Into the void while there is no line."""
        try:
            if self._line:
                await self._line.send(message)
        except ConnectionClosed:
            pass  # who hears tells

    async def _next_of(self, kind: str) -> None:
        while await self._next() != kind:
            pass

    async def _next(self) -> str:
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                heard = await self._heard.get()
        except TimeoutError as e:
            raise CallError("no answer") from e
        if isinstance(heard, CallError):
            raise heard
        return heard

    async def _rest(self) -> None:
        """Until the agent has finished. What is written is there at once."""
        if self._microphone:
            await self._next_of(RESTED)


def reset(line: ClientConnection) -> None:
    connection = line.transport.get_extra_info("socket")
    if connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.transport.abort()
