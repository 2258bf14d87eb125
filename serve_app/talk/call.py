"""One conversation over the ElevenLabs Agents protocol, seen from the client."""

import asyncio
import base64
import contextlib
import itertools
import json
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from serve_app.audio.pcm import AudioFormat
from serve_app.talk import TalkError
from serve_app.talk.clip import Clip
from serve_app.talk.loudspeaker import Loudspeaker

MESSAGE_SECONDS = 0.02
METADATA_TIMEOUT = 10.0
QUIET_SECONDS = 1.2  # the agent has finished: longer than its pause between two sentences
MAX_MESSAGE_BYTES = 16 * 2**20  # as the official Python client allows

CLIENT_EVENTS = [
    "audio",
    "interruption",
    "agent_response",
    "agent_response_correction",
    "user_transcript",
    "agent_response_metadata",
]


async def dial(url: str) -> ClientConnection:
    """Open the socket. Raises TalkError."""
    try:
        # Without http_proxy: the server is on this machine, or near it.
        return await connect(url, subprotocols=[Subprotocol("convai")], max_size=MAX_MESSAGE_BYTES, proxy=None)
    except InvalidURI as e:
        raise TalkError(f"{url}: not a WebSocket address; it begins with ws:// or wss://") from e
    except InvalidHandshake as e:
        raise TalkError(f"{url}: something answered, but not an Agents server ({e})") from e
    except OSError as e:  # TimeoutError among them
        raise TalkError(f"{url}: no server there; start it with `make run`") from e


async def begin(socket: ClientConnection) -> "Call":
    """Introduce ourselves and wait for the conversation's metadata, which comes first. Raises TalkError."""
    override = {"conversation": {"client_events": CLIENT_EVENTS}}
    introduction = {"type": "conversation_initiation_client_data", "conversation_config_override": override}
    try:
        await socket.send(json.dumps(introduction))
        async with asyncio.timeout(METADATA_TIMEOUT):
            first = json.loads(await socket.recv())
        return Call(socket, first["conversation_initiation_metadata_event"])
    except ConnectionClosed as e:
        raise hung_up(socket) from e
    except TimeoutError as e:
        raise TalkError("the server took the call but never began the conversation") from e
    except (KeyError, ValueError) as e:
        raise TalkError(f"the server began the conversation in a way this client does not know: {e}") from e


def hung_up(socket: ClientConnection) -> TalkError:
    reason = f": {socket.close_reason}" if socket.close_reason else ""
    return TalkError(f"the server ended the conversation (code {socket.close_code}{reason})")


class Call:
    """The open microphone, the loudspeaker, and what both sides are said to have said. Times are seconds of the call.

    `stream_microphone` and `listen` run as tasks of their own for as long as the call lasts.
    """

    def __init__(self, socket: ClientConnection, metadata: Mapping[str, str]) -> None:
        """Raises KeyError or ValueError when `metadata` names no audio format that is known."""
        self._socket = socket
        self._input = AudioFormat.parse(metadata.get("user_input_audio_format", "pcm_16000"))
        self._output = AudioFormat.parse(metadata["agent_output_audio_format"])
        self.loudspeaker = Loudspeaker(self._output.rate)
        self.metrics: Mapping[str, Mapping[str, float]] = {}  # of the newest answer
        self._to_say: deque[bytes] = deque()
        self._messages_sent = 0
        self._interrupted_id = -1
        self._audio_came = asyncio.Event()
        self._started = asyncio.get_running_loop().time()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._started

    async def say(self, clip: Clip) -> float:
        """Say a clip from the next message on. Returns, before it is said, when its last word will have been."""
        messages = await asyncio.to_thread(clip.messages, self._input, MESSAGE_SECONDS)
        self._to_say.extend(messages)
        return (self._messages_sent - 1) * MESSAGE_SECONDS + clip.voiced_seconds  # a message leaves when it is full

    async def first_sound(self, since: float, within: float) -> float | None:
        """Wait for the first audible sound from `since` on; None when there is none `within` seconds of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(since + within - self.now):
                while (heard := self.loudspeaker.first_sound(since)) is None:
                    self._audio_came.clear()
                    await self._audio_came.wait()
                return heard
        return None

    async def agent_finished(self) -> None:
        """Wait until everything was played and nothing more came for QUIET_SECONDS."""
        while self.now < (quiet := self.loudspeaker.end + QUIET_SECONDS):
            wait = quiet - self.now
            await asyncio.sleep(wait)

    async def stream_microphone(self) -> None:
        """Send a message every MESSAGE_SECONDS by an absolute clock, silence when there is nothing to say."""
        silence = self._input.silence(self._input.bytes_for(MESSAGE_SECONDS))
        for self._messages_sent in itertools.count():
            await asyncio.sleep(self._messages_sent * MESSAGE_SECONDS - self.now)
            audio = self._to_say.popleft() if self._to_say else silence
            try:
                await self._send({"user_audio_chunk": base64.b64encode(audio).decode()})
            except ConnectionClosed:
                return  # `listen` says why

    async def listen(self) -> None:
        """Take what the server sends, and print what is said. Raises TalkError when the server hangs up."""
        try:
            while True:
                await self._receive(json.loads(await self._socket.recv()))
        except ConnectionClosed as e:
            raise hung_up(self._socket) from e

    async def _receive(self, message: dict[str, Any]) -> None:
        event: dict[str, Any] = next((value for key, value in message.items() if key.endswith("_event")), {})
        match message["type"]:
            case "ping":
                await self._send({"type": "pong", "event_id": event["event_id"]})
            case "audio" if event["event_id"] > self._interrupted_id:
                self.loudspeaker.play(self._output.decode(base64.b64decode(event["audio_base_64"])), self.now)
                self._audio_came.set()
            case "interruption":
                self._interrupted_id = event["event_id"]
                self.loudspeaker.cut(self.now)
                print("        -- interrupted --")
            case "user_transcript":
                print(f"you:    {event['user_transcript']}")
            case "agent_response":
                print(f"agent:  {event['agent_response']}")
            case "agent_response_correction":
                print(f"        heard of it: {event['corrected_agent_response']}")
            case "agent_response_metadata":
                self.metrics = event["metadata"].get("conversation_turn_metrics", {}).get("metrics", {})
            case "error":
                print(f"        the server reports: {event.get('message')}", file=sys.stderr)

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._socket.send(json.dumps(message))
