"""ElevenLabs' text to speech on the wire: addresses, messages, and what goes wrong there as SpeechError.

https://elevenlabs.io/docs/api-reference/text-to-speech
"""

import asyncio
import logging
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import Alignment, SpeechChunk, Voice

DEFAULT_MODEL = "eleven_flash_v2_5"

INACTIVITY_S = 180
"""ElevenLabs closes a socket that has had no text for so long; its maximum (the default is 20)."""

OPEN_S = 1.0
"""A handshake that takes longer comes too late for any clause, and keeps those waiting that share it."""
CLOSE_S = 1.0
PING_S = 3.0
"""A socket whose other end is gone without a word is found out after at most twice this."""
MAX_MESSAGE_BYTES = 1 << 24

KEY_REFUSALS = frozenset({401, 403, 429})

# At DEBUG, websockets writes headers and frames: the key and what is said. Those never enter a log.
_socket_log = logging.getLogger(f"{__name__}.socket")
_socket_log.setLevel(logging.INFO)


class KeyRefused(SpeechError):
    """The key is not good, or not good for more at present: no other way to ElevenLabs would help."""


class Opening(NamedTuple):
    """Who shall speak."""

    language: str
    voice: Voice

    def path(self, way: str) -> str:
        return f"/v1/text-to-speech/{quote(self.voice.voice_id, safe='')}/{way}"

    @property
    def model(self) -> dict[str, str]:
        """ElevenLabs knows languages, and no variants of them."""
        language = {"language_code": self.language.lower().partition("-")[0]} if self.language else {}
        return {"model_id": self.voice.model_id or DEFAULT_MODEL} | language

    @property
    def output_format(self) -> dict[str, str]:
        """The caller's own: nothing is resampled here."""
        return {"output_format": self.voice.agent_output_audio_format}

    @property
    def settings(self) -> dict[str, float]:
        voice = self.voice
        return {"stability": voice.stability, "similarity_boost": voice.similarity_boost, "speed": voice.speed}


class Account:
    """Where ElevenLabs is, and the key. Raises ConfigurationError for what would fail in each request."""

    def __init__(self, api_key: str, base_url: str) -> None:
        if not re.fullmatch("[!-~]+", api_key):
            raise ConfigurationError("ELEVENLABS_API_KEY has a space, a line break, or something beyond ASCII")
        if not _is_address(base_url):
            raise ConfigurationError(f"ELEVENLABS_BASE_URL must be like https://api.elevenlabs.io, not {base_url!r}")
        self.base_url = base_url.rstrip("/")
        self.headers = {"xi-api-key": api_key}

    def socket_url(self, way: str, opening: Opening) -> str:
        behaviour = {"auto_mode": "true", "sync_alignment": "true", "inactivity_timeout": INACTIVITY_S}
        query = urlencode(opening.model | opening.output_format | behaviour)
        return f"ws{self.base_url.removeprefix('http')}{opening.path(way)}?{query}"

    async def connect(self, url: str) -> ClientConnection:
        """Raises what `translated` knows."""
        return await _Connect(
            url,
            additional_headers=self.headers,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,  # base64 of audio gains nothing worth its time
            logger=_socket_log,
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port, or of an IPv6 address
        return False


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow none: the key must not go to another host."""
        return exc


class Closings:
    """What ends in the background: who was interrupted must not wait for a closing handshake."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, closing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(closing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ended(self) -> None:
        await asyncio.gather(*self._tasks)


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


class Reply(msgspec.Struct, frozen=True, rename="camel"):
    """Any message of a socket: audio (base64 on the wire), the end, or an error. `context_id`: of which context."""

    audio: bytes | None = None
    is_final: bool | None = None
    context_id: str | None = None
    timing: _Timing | None = msgspec.field(default=None, name="alignment")
    error: Any = None
    code: Any = None
    message: Any = None

    @property
    def failure(self) -> SpeechError | None:
        """With the error's name and code; its prose may quote what was said."""
        if not (self.error or self.code or self.message):
            return None
        return SpeechError(f"ElevenLabs failed: {self.error or 'unnamed error'} ({self.code or 'no code'})")

    @property
    def chunk(self) -> SpeechChunk | None:
        return SpeechChunk(self.audio, self.timing.as_alignment() if self.timing else None) if self.audio else None


_replies = msgspec.json.Decoder(Reply)


def decode_reply(message: str | bytes) -> Reply:
    """Raises what `translated` knows."""
    return _replies.decode(message)


def refusal(status: int) -> SpeechError:
    kind = KeyRefused if status in KEY_REFUSALS else SpeechError
    return kind(f"ElevenLabs refused the connection: HTTP {status}")


@contextmanager
def translated() -> Iterator[None]:
    """Around what touches the wire: each way that it fails becomes a SpeechError."""
    try:
        yield
    except TimeoutError as e:
        raise SpeechError(f"ElevenLabs did not accept a connection within {OPEN_S:g} s") from e
    except InvalidStatus as e:
        raise refusal(e.response.status_code) from e
    except ConnectionClosed as e:
        code = e.rcvd.code if e.rcvd else "no close frame"  # the reason may quote what was said
        raise SpeechError(f"ElevenLabs closed the connection before the end: {code}") from e
    except (httpx.ReadError, httpx.RemoteProtocolError) as e:
        raise SpeechError("ElevenLabs closed the connection before the end") from e
    except (OSError, WebSocketException, httpx.TransportError) as e:
        raise SpeechError(f"ElevenLabs cannot be reached: {type(e).__name__}") from e
    except (msgspec.MsgspecError, RecursionError) as e:  # what is nested too deep is the latter
        raise SpeechError("ElevenLabs sent what is not a message of its protocol") from e
