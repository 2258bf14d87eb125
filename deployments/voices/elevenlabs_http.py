"""ElevenLabs' streaming over HTTP: a request for each clause, over connections kept warm.

https://elevenlabs.io/docs/api-reference/text-to-speech/stream-with-timestamps
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import httpx
import msgspec

from deployments.voices.elevenlabs_wire import Account, Opening, refusal, translated
from serve_app.audio.pcm import AudioFormat
from serve_app.observability.correlation import note
from serve_app.ports import Alignment, SpeechChunk

# Most servers keep an idle connection for 60 s and more.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=10, keepalive_expiry=55)


class HttpStream:
    """It works on the transport, as a client would write every URL to the log and follow redirects with the key."""

    name = "stream/with-timestamps"

    def __init__(self, account: Account) -> None:
        self._account = account
        self._transport = httpx.AsyncHTTPTransport(limits=LIMITS)

    async def speak(self, text: str, opening: Opening) -> AsyncGenerator[SpeechChunk, None]:
        """Raises SpeechError."""
        with translated():
            response = await self._transport.handle_async_request(self._request(text, opening))
        note(way=self.name, request_id=response.headers.get("request-id", ""))
        async with aclosing(response):
            if response.status_code != httpx.codes.OK:
                raise refusal(response.status_code)
            audio_format = AudioFormat.parse(opening.voice.agent_output_audio_format)
            lines = cast(AsyncGenerator[str, None], response.aiter_lines())
            heard_s = 0.0
            async with aclosing(lines):
                while True:
                    with translated():
                        line = await anext(lines, None)
                        if line is None:
                            break
                        piece = _pieces.decode(line) if line else _NOTHING
                    if piece.audio:
                        yield SpeechChunk(piece.audio, piece.timing.as_alignment(heard_s) if piece.timing else None)
                        heard_s += audio_format.seconds(len(piece.audio))

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _request(self, text: str, opening: Opening) -> httpx.Request:
        url = f"{self._account.base_url}{opening.path(self.name)}"
        body = {"text": text.strip(), "voice_settings": opening.settings} | opening.model
        return httpx.Request("POST", url, params=opening.output_format, headers=self._account.headers, json=body)


class _Timing(msgspec.Struct, frozen=True):
    """In seconds from the first sample of the whole answer."""

    characters: tuple[str, ...]
    character_start_times_seconds: tuple[float, ...]
    character_end_times_seconds: tuple[float, ...]

    def as_alignment(self, heard_s: float) -> Alignment | None:
        """Of a piece that follows `heard_s` of audio."""
        starts, ends = self.character_start_times_seconds, self.character_end_times_seconds
        if not len(self.characters) == len(starts) == len(ends):
            return None
        return Alignment(
            self.characters,
            tuple(max(0, round((start - heard_s) * 1000)) for start in starts),
            tuple(max(0, round((end - start) * 1000)) for start, end in zip(starts, ends, strict=True)),
        )


class _Piece(msgspec.Struct, frozen=True):
    """One line of the answer."""

    audio: bytes = msgspec.field(default=b"", name="audio_base64")
    timing: _Timing | None = msgspec.field(default=None, name="alignment")


_NOTHING = _Piece()
_pieces = msgspec.json.Decoder(_Piece)
