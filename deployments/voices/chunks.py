"""Audio on its way to the gateway: pieces large enough that their number costs little, and none waits for long.

A piece costs Serve and gRPC 0.2-0.8 ms, whatever its size.
"""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from serve_app.audio.pcm import AudioFormat
from serve_app.errors import SpeechError
from serve_app.ports import Alignment, Fallback, SpeechChunk

SHORTEST_S = 0.120
LONGEST_S = 0.200


class _Char(NamedTuple):
    char: str
    at_ms: float  # from the first sample of all
    duration_ms: int


class Chunks:
    """Joins and cuts chunks: the first leaves at once, later ones in SHORTEST_S to LONGEST_S.

    While little has left, as little is enough for the next: if audio comes twice as fast as it sounds, the caller
    never runs out of it while it is held here. A character leaves with the audio in which it begins, at the latest
    with the last there is.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._held = bytearray()
        self._chars: deque[_Char] = deque()
        self._came = self._left = 0  # bytes

    def add(self, chunk: SpeechChunk) -> list[SpeechChunk]:
        """What leaves now."""
        if alignment := chunk.alignment:
            came_ms = self._ms(self._came)
            timed = zip(alignment.chars, alignment.starts_ms, alignment.durations_ms, strict=True)
            self._chars += (_Char(char, came_ms + start_ms, duration_ms) for char, start_ms, duration_ms in timed)
        self._held += chunk.audio
        self._came += len(chunk.audio)
        pieces = []
        while (size := self._next_size()) > 0:
            pieces.append(self._cut(size))
        return pieces

    def end(self) -> list[SpeechChunk]:
        """No more comes, for now: all that is still held."""
        return [self._cut(len(self._held))] if self._held or self._chars else []

    def _next_size(self) -> int:
        """Bytes; 0 if there are too few yet."""
        size = min(len(self._held), self._format.bytes_for(LONGEST_S))
        size -= size % self._format.bytes_per_sample  # an engine may cut its chunks within a sample
        return size if size >= min(self._left, self._format.bytes_for(SHORTEST_S)) else 0

    def _cut(self, size: int) -> SpeechChunk:
        begins_ms = self._ms(self._left)
        audio = bytes(self._held[:size])
        del self._held[:size]
        self._left += size
        chars = self._begun_by(self._ms(self._left) if self._held else float("inf"))
        if not chars:
            return SpeechChunk(audio)
        starts = tuple(round(char.at_ms - begins_ms) for char in chars)
        return SpeechChunk(audio, Alignment(tuple(c.char for c in chars), starts, tuple(c.duration_ms for c in chars)))

    def _begun_by(self, end_ms: float) -> list[_Char]:
        begun = []
        while self._chars and self._chars[0].at_ms < end_ms:
            begun.append(self._chars.popleft())
        return begun

    def _ms(self, nbytes: int) -> float:
        return self._format.seconds(nbytes) * 1000


async def in_chunks(
    speech: AsyncGenerator[SpeechChunk | Fallback, None], audio_format: AudioFormat
) -> AsyncGenerator[SpeechChunk | Fallback, None]:
    """The same speech, by `Chunks`. What is held when it fails comes before the failure."""
    chunks = Chunks(audio_format)
    async with aclosing(speech):
        try:
            async for item in speech:
                for piece in chunks.add(item) if isinstance(item, SpeechChunk) else chunks.end():
                    yield piece
                if isinstance(item, Fallback):
                    yield item
        except SpeechError:
            for piece in chunks.end():
                yield piece
            raise
    for piece in chunks.end():
        yield piece


def parsed_format(name: str) -> AudioFormat:
    """A voice's `agent_output_audio_format`. Raises SpeechError."""
    try:
        return AudioFormat.parse(name)
    except ValueError as e:
        raise SpeechError(str(e)) from e
