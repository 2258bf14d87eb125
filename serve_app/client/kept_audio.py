"""The caller's last seconds, in case the line breaks while they are on their way."""

from serve_app.audio.pcm import AudioFormat

KEPT_S = 20.0
"""Longer than it takes until another conversation begins, from the server's last sign on, and less than the 30 s that a
server takes at once."""
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
        self._closed = 0  # and of the first that had not when the caller's last turn was closed,
        self._answered = 0  # or the last one that was answered
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

    def turn_closed(self) -> None:
        """What has left by now is in the caller's turn, or before it."""
        self._closed = self._sent

    def turn_answered(self) -> None:
        """The turn that was closed last is, or has begun to be: nobody has to hear it again."""
        self._answered = self._closed

    def rewind(self, received_ms: int) -> float:
        """Go back to where the server wants it from. Returns the seconds that were lost since the last time: they had
        been kept for too long, and for the server they were never said."""
        return self._rewind(min(self._format.bytes_for(received_ms / 1000), self._start + len(self._audio)))

    def restart(self) -> float:
        """For another conversation, which has heard nothing: it gets what was said since the last turn that was
        answered. Returns the seconds of that which are not kept any more."""
        lost_s = self._rewind(self._answered)
        del self._audio[: self._answered - self._start]
        self._start = self._sent = self._closed = self._answered = 0
        return lost_s

    def _rewind(self, received: int) -> float:
        self._lost += max(0, self._start - received)
        self._start = min(self._start, received)
        self._sent = received
        self._closed, self._answered = min(self._closed, received), min(self._answered, received)
        lost, self._lost = self._lost, 0
        return self._format.seconds(lost)
