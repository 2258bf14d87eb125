"""A clause, and the sound of it, for tests of playback."""

from collections.abc import Iterator

import numpy as np

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.phrasing import Clause
from serve_app.conversation.playback import (
    Piece,
    Playback,
    SpeechChunk,
)

PCM = AudioFormat.parse("pcm_16000")
CLAUSE = Clause(0, 12, "quero um chá")
LEVEL = 10_000


def sound(seconds: float, audio_format: AudioFormat = PCM) -> SpeechChunk:
    """A constant: what is done to its level can be read off any sample."""
    return SpeechChunk(audio_format.encode(np.full(round(seconds * audio_format.rate), LEVEL, np.int16)))


def playing(seconds: float = 5.0, now: float = 100.0) -> Playback:
    """One clause, all there, its first chunks just left."""
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    playback.add(CLAUSE, sound(seconds))
    playback.whole(CLAUSE)
    playback.close()
    playback.release()
    assert playback.take(now)
    return playback


def pieces(playback: Playback) -> Iterator[tuple[float, Piece]]:
    """What leaves, with the moment it leaves, when `take` is called at each deadline."""
    while (deadline := playback.deadline()) is not None and not playback.drained:
        for piece in playback.take(deadline):
            yield deadline, piece
