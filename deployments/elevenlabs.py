"""ElevenLabs' voices, over the `stream-input` WebSocket of their text-to-speech API.

https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-stream-input
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.protocol import State

from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import Alignment, SpeechChunk, Voice

DEFAULT_BASE_URL = "https://api.elevenlabs.io"
DEFAULT_MODEL = "eleven_flash_v2_5"

FIRST_AUDIO_S = 3.0  # from the request to the first audio, the handshake included
AUDIO_GAP_S = 3.0  # between two pieces of audio
CLOSE_S = 1.0
MAX_MESSAGE_BYTES = 1 << 24

INACTIVITY_S = 20  # ElevenLabs closes a socket that has had no text for so long (its default),
SPARE_AGE_S = 15.0  # so a spare one is replaced before that,
SPARE_USE_S = 60.0  # and no longer once its voice has been silent for this long

# At DEBUG, websockets writes headers and frames: the key and what is said. Those never enter a log.
_socket_log = logging.getLogger(f"{__name__}.socket")
_socket_log.setLevel(logging.INFO)


class ElevenLabsVoice:
    """Speaks with ElevenLabs: one socket per clause, opened before it is needed, closed with the clause.

    The audio is asked for in the caller's format, so nothing is resampled here.
    """

    def __init__(self, api_key: str, base_url: str = DEFAULT_BASE_URL) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ConfigurationError(f"ELEVENLABS_BASE_URL must begin with http:// or https://, not {base_url!r}")
        self._socket_url = "ws" + base_url.removeprefix("http").rstrip("/")
        self._headers = {"xi-api-key": api_key}
        self._spares = _Spares(self._open)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises ConfigurationError without a key."""
        api_key = environ.get("ELEVENLABS_API_KEY")
        if not api_key:
            raise ConfigurationError("the voice of ElevenLabs needs ELEVENLABS_API_KEY")
        return cls(api_key, environ.get("ELEVENLABS_BASE_URL") or DEFAULT_BASE_URL)

    def describe(self) -> str:
        return f"ElevenLabs {DEFAULT_MODEL}"

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """See `serve_app.ports.Speaker`. The alignment includes the space that ends every clause on this wire."""
        if not any(map(str.isalnum, text)):
            return  # nothing to say, and no audio would count as a failure
        clock = asyncio.get_running_loop().time
        deadline = clock() + FIRST_AUDIO_S
        async with _answered_by(deadline):
            socket = await self._spares.take(_Opening(language, voice))
        try:
            async with _answered_by(deadline):
                await _send(socket, {"text": f"{text.rstrip()} ", "flush": True}, {"text": ""})
            heard = False
            while True:
                async with _answered_by(deadline):
                    reply = _decode_reply(await socket.recv())
                if reply.audio:
                    heard = True
                    yield SpeechChunk(reply.audio, reply.timing.as_alignment() if reply.timing else None)
                    deadline = clock() + AUDIO_GAP_S
                if reply.is_final:
                    break
            if not heard:
                raise SpeechError("ElevenLabs answered without audio")
        finally:
            self._spares.close(socket)

    async def aclose(self) -> None:
        await self._spares.aclose()

    def _url(self, language: str, voice: Voice) -> str:
        query = {
            "model_id": voice.model_id or DEFAULT_MODEL,
            "output_format": voice.agent_output_audio_format,
            "auto_mode": "true",
            "sync_alignment": "true",
            "inactivity_timeout": INACTIVITY_S,
        }
        if language:
            query["language_code"] = language.lower().partition("-")[0]
        path = f"/v1/text-to-speech/{quote(voice.voice_id, safe='')}/stream-input"
        return f"{self._socket_url}{path}?{urlencode(query)}"

    async def _open(self, opening: "_Opening") -> ClientConnection:
        """Connect, and send what every clause begins with, so that ElevenLabs gets the voice ready."""
        socket = await _Connect(
            self._url(*opening),
            additional_headers=self._headers,
            open_timeout=FIRST_AUDIO_S,
            close_timeout=CLOSE_S,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,  # base64 of audio gains nothing worth its time
            logger=_socket_log,
        )
        voice = opening.voice
        settings = {"stability": voice.stability, "similarity_boost": voice.similarity_boost, "speed": voice.speed}
        await _send(socket, {"text": " ", "voice_settings": settings})
        return socket


class _Opening(NamedTuple):
    """What a socket is opened for. Its address and its first message are made of this and of nothing else."""

    language: str
    voice: Voice


async def _send(socket: ClientConnection, *messages: dict[str, Any]) -> None:
    try:
        for message in messages:
            await socket.send(msgspec.json.encode(message), text=True)
    except ConnectionClosed:
        pass  # what was received last says why, and is read next


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow none: the key must not go to another host."""
        return exc


class _Spares:
    """Keeps one open, unused socket per opening, so that a clause does not wait for a handshake."""

    def __init__(self, open_socket: Callable[[_Opening], Coroutine[Any, Any, ClientConnection]]) -> None:
        self._open = open_socket
        self._spares: dict[_Opening, asyncio.Task[ClientConnection | None]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def take(self, opening: _Opening) -> ClientConnection:
        """The spare socket, or a new one. Another is opened for the next clause. Raises what opening raises."""
        socket = await self._take_spare(opening) or await self._open(opening)
        self._prepare(opening, until=asyncio.get_running_loop().time() + SPARE_USE_S)
        return socket

    def close(self, socket: ClientConnection) -> None:
        """Close in the background: who was interrupted must not wait for a closing handshake."""
        self._in_background(socket.close())

    async def aclose(self) -> None:
        for opening in list(self._spares):
            self._discard(self._spares.pop(opening))
        await asyncio.gather(*self._closing)

    async def _take_spare(self, opening: _Opening) -> ClientConnection | None:
        if (spare := self._spares.pop(opening, None)) is None:
            return None
        try:
            socket = await asyncio.shield(spare)
        except asyncio.CancelledError:
            self._discard(spare)
            raise
        return socket if socket and socket.state is State.OPEN else None

    def _prepare(self, opening: _Opening, until: float) -> None:
        loop = asyncio.get_running_loop()
        if opening not in self._spares and loop.time() < until:
            spare = self._spares[opening] = asyncio.create_task(self._open_spare(opening))
            loop.call_later(SPARE_AGE_S, self._replace, opening, spare, until)

    def _replace(self, opening: _Opening, spare: asyncio.Task[ClientConnection | None], until: float) -> None:
        if self._spares.get(opening) is spare:
            self._discard(self._spares.pop(opening))
            self._prepare(opening, until)

    async def _open_spare(self, opening: _Opening) -> ClientConnection | None:
        try:
            return await self._open(opening)
        except (OSError, WebSocketException):
            return None  # the next clause tries for itself, and tells

    def _discard(self, spare: asyncio.Task[ClientConnection | None]) -> None:
        async def close() -> None:
            spare.cancel()
            await asyncio.wait([spare])
            if not spare.cancelled() and (socket := spare.result()):
                await socket.close()

        self._in_background(close())

    def _in_background(self, closing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


@asynccontextmanager
async def _answered_by(deadline: float) -> AsyncIterator[None]:
    """Wait until `deadline` (loop time) at most, and translate what goes wrong on the wire into SpeechError."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as e:
        raise SpeechError("ElevenLabs sent no audio in time") from e
    except InvalidStatus as e:
        raise SpeechError(f"ElevenLabs refused the connection: HTTP {e.response.status_code}") from e
    except ConnectionClosed as e:
        code = e.rcvd.code if e.rcvd else "no close frame"  # the reason may quote what was said
        raise SpeechError(f"ElevenLabs closed the connection before the end: {code}") from e
    except (OSError, WebSocketException) as e:
        raise SpeechError(f"ElevenLabs cannot be reached: {type(e).__name__}") from e
    except msgspec.MsgspecError as e:
        raise SpeechError("ElevenLabs sent what is not a message of its protocol") from e


class _Timing(msgspec.Struct, frozen=True, rename="camel"):
    """An alignment as it travels. Both spellings of its keys are in use."""

    chars: tuple[str, ...] | None = None
    char_start_times_ms: tuple[float, ...] | None = None
    chars_start_times_ms: tuple[float, ...] | None = None
    char_durations_ms: tuple[float, ...] | None = None
    chars_durations_ms: tuple[float, ...] | None = None

    def as_alignment(self) -> Alignment | None:
        chars = self.chars or ()
        starts = self.char_start_times_ms or self.chars_start_times_ms or ()
        durations = self.char_durations_ms or self.chars_durations_ms or ()
        if not len(chars) == len(starts) == len(durations):
            return None
        return Alignment(chars, tuple(map(round, starts)), tuple(map(round, durations)))


class _Reply(msgspec.Struct, frozen=True, rename="camel"):
    """Any message of the server: audio (base64 on the wire), the end, or an error."""

    audio: bytes | None = None
    is_final: bool | None = None
    timing: _Timing | None = msgspec.field(default=None, name="alignment")
    error: Any = None
    code: Any = None
    message: Any = None


_reply_decoder = msgspec.json.Decoder(_Reply)


def _decode_reply(message: str | bytes) -> _Reply:
    """Raises SpeechError for an error message, with its name and code; its prose may quote what was said."""
    reply = _reply_decoder.decode(message)
    if reply.error or reply.code or reply.message:
        raise SpeechError(f"ElevenLabs failed: {reply.error or 'unnamed error'} ({reply.code or 'no code'})")
    return reply
