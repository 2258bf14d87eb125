"""How much a client may send: what comes faster than anybody speaks or types is a fault, or an attack."""

from serve_app.errors import ClientError

AUDIO_AHEAD_S = 30.0
"""Audio may run ahead of real time by this much: a short recording sent in one go is fine."""
MESSAGES_PER_S = 400.0
MESSAGES_AT_ONCE = 2000.0
"""Microphones send 4 to 100 messages a second; after a stall all of them come at once."""
EVENTS_PER_S = 50.0
EVENTS_AT_ONCE = 250.0
"""Messages other than audio: each may cost an answer."""
TURNS_PER_S = 3.0
TURNS_AT_ONCE = 30.0
"""Typed messages: the language model is asked for each."""
CHARACTERS_PER_S = 10_000.0
CHARACTERS_AT_ONCE = 400_000.0
"""In messages other than audio: all of it is kept, and told to the language model."""


class TooMuch(ClientError):
    """Of what the client sends. `what`, in a word or two, is for who counts."""

    def __init__(self, message: str, what: str = "") -> None:
        super().__init__(message)
        self.what = what


class Bucket:
    """A token bucket: `at_once` at first, `per_s` from then on."""

    def __init__(self, per_s: float, at_once: float, now: float) -> None:
        self._per_s = per_s
        self._at_once = self._left = at_once
        self._at = now

    def take(self, now: float, count: float = 1.0) -> bool:
        """So many; False when there are fewer, and then they stay."""
        if not self.holds(now, count):
            return False
        self._left -= count
        return True

    def holds(self, now: float, count: float = 1.0) -> bool:
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_s)
        self._at = now
        return self._left >= count


class Allowance:
    """Of one client, from when its socket opened. Both methods raise TooMuch, which says what to do."""

    def __init__(self, now: float) -> None:
        self._audio_s = Bucket(1.0, AUDIO_AHEAD_S, now)
        self._messages = Bucket(MESSAGES_PER_S, MESSAGES_AT_ONCE, now)
        self._events = Bucket(EVENTS_PER_S, EVENTS_AT_ONCE, now)
        self._turns = Bucket(TURNS_PER_S, TURNS_AT_ONCE, now)
        self._characters = Bucket(CHARACTERS_PER_S, CHARACTERS_AT_ONCE, now)

    def message(self, length: int, now: float, *, is_audio: bool = False, is_turn: bool = False) -> None:
        """One of so many characters came."""
        if not self._messages.take(now):
            message = f"too many messages: {MESSAGES_PER_S:.0f} a second are heard; send longer audio chunks"
            raise TooMuch(message, "connection_messages")
        if not is_audio and not self._events.take(now):
            message = f"too many messages: besides audio, {EVENTS_PER_S:.0f} a second are heard"
            raise TooMuch(message, "connection_messages")
        if is_turn and not self._turns.take(now):
            raise TooMuch(f"too many messages: {TURNS_PER_S:.0f} a second are answered", "connection_turns")
        if not is_audio and not self._characters.take(now, length):
            message = f"too much text: besides audio, {CHARACTERS_PER_S:.0f} characters a second are read"
            raise TooMuch(message, "connection_text")

    def audio(self, seconds: float, now: float) -> None:
        """So much was in it."""
        if not self._audio_s.take(now, seconds):
            message = "audio comes faster than it can have been spoken: send it in real time"
            raise TooMuch(message, "connection_audio")
