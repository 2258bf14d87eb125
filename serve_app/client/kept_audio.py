"""The caller's last seconds, in case the line breaks while they are on their way."""

from serve_app.audio.pcm import AudioFormat

KEPT_S = 10.0
MESSAGE_S = 0.25
"""The longest message of audio that a server expects."""


class KeptAudio:
    """A queue of audio that does not forget what has left it, KEPT_S in all.

    Positions are bytes since the conversation began, as the server counts them: what it was never sent has none.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._audio = bytearray()
        self._start = 0  # position of its first byte
        self._sent = 0  # position of the first byte that has not left
        self._lost = 0  # bytes that nobody has any more

    def push(self, audio: bytes) -> None:
        """Whole samples."""
        self._audio += audio
        excess = max(0, len(self._audio) - self._format.bytes_for(KEPT_S))
        del self._audio[:excess]
        left = min(excess, self._sent - self._start)
        self._start += left
        self._lost += excess - left

    def take(self) -> bytes:
        """The next message, which leaves now; nothing when all has left."""
        start = self._sent - self._start
        message = bytes(self._audio[start : start + self._format.bytes_for(MESSAGE_S)])
        self._sent += len(message)
        return message

    def rewind(self, received_ms: int) -> float:
        """Go back to where the server wants it from. Returns the seconds that were lost since the last time: they had
        been kept for too long, and for the server they were never said."""
        received = min(self._format.bytes_for(received_ms / 1000), self._start + len(self._audio))
        self._lost += max(0, self._start - received)
        self._start = min(self._start, received)
        self._sent = received
        lost, self._lost = self._lost, 0
        return self._format.seconds(lost)
