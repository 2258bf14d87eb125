"""The chunk schedule of one answer: when which audio leaves, how loud, and what the caller has heard so far.

Audio comes in as fast as the voice makes it and leaves in CHUNK_S pieces, LEAD_S ahead of real time: little enough that
an interruption is heard at once, enough to bridge the jitter of a good line. Nothing leaves before `release`: an
answer to a turn that is not yet decided waits here.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.phrasing import Clause

CHUNK_S = 0.040
"""20 ms would double the messages, and gain 20 ms at an interruption."""
LEAD_S = 0.060
"""Ahead of real time: what bridges the jitter of a good line, and is heard that much longer after an interruption."""
LONG_LEAD_S = 0.250
"""On a bad line: what bridges its jitter is heard that much longer after an interruption, unless the client drops it.
"""
FADE_S = 0.060
"""A cut-off voice fades over this long: shorter clicks, longer is talking over the caller."""
PLAYED_WITHIN_S = 0.2
"""What left this long ago has been heard: the lead, and what clients lag behind."""
REWOUND_AT_MOST_S = 10.0
"""Of what has left, this much can be told to sound once more: a connection that is lost is noticed before."""
DUCK_GAIN = 0.25
"""-12 dB: plainly lower, still understood if it was a false alarm."""
SWELL_STEP = 0.25
"""Gain regained in each chunk: back to full in 120 ms."""
CHARS_PER_SECOND = 14
"""Rate of speech assumed for audio without alignment until its length is known (espeak-ng at 165 words/min, pt-BR)."""


class Alignment(msgspec.Struct, frozen=True):
    """When each character of a chunk's text sounds, in ms from the chunk's first sample. Three equally long tuples."""

    chars: tuple[str, ...]
    starts_ms: tuple[int, ...]
    durations_ms: tuple[int, ...]


class SpeechChunk(msgspec.Struct, frozen=True):
    """A piece of a clause's audio, in the format asked for. Without `alignment`, its text is spread evenly over it."""

    audio: bytes
    alignment: Alignment | None = None


class Piece(msgspec.Struct, frozen=True):
    """Audio that leaves now, which characters of the answer it carries, and when those that begin in it sound.

    `start` and `end` know of the answer's text and go by estimates where they must; `alignment` is the voice's own: of
    all pieces of a clause it has every character that the voice timed once, in order, in ms from the piece's first
    sample. None: the voice gives none, or no character begins here.
    """

    audio: bytes
    start: int
    end: int
    alignment: Alignment | None = None


class _Track:
    """One clause's audio: what has come, what has left, and where in its text each moment lies."""

    def __init__(self, clause: Clause, audio_format: AudioFormat) -> None:
        self.clause = clause
        self.whole = False
        self._format = audio_format
        self._pending = bytearray()
        self.left = 0.0  # seconds
        self._came = 0.0
        self._chars: list[str] = []  # as the voice timed them
        self._times: list[float] = []  # when each begins, seconds into the clause
        self._durations_ms: list[int] = []
        self._told = 0  # how many of them have left

    @property
    def ready(self) -> bool:
        return len(self._pending) >= self._format.bytes_per_sample

    @property
    def spent(self) -> bool:
        return self.whole and not self.ready

    def add(self, chunk: SpeechChunk) -> None:
        if chunk.alignment:
            self._chars += chunk.alignment.chars
            self._times += [self._came + ms / 1000 for ms in chunk.alignment.starts_ms]
            self._durations_ms += chunk.alignment.durations_ms
        self._pending += chunk.audio
        self._came += self._format.seconds(len(chunk.audio))

    def take(self, seconds: float) -> Piece:
        """The next audio, at the voice's own level."""
        size = min(self._format.bytes_for(seconds), len(self._pending))
        size -= size % self._format.bytes_per_sample  # a voice may cut its chunks within a sample
        audio = bytes(self._pending[:size])
        del self._pending[:size]
        begins, self.left = self.left, self.left + self._format.seconds(size)
        return Piece(audio, self.position(begins), self.position(self.left), self._alignment(begins))

    def position(self, seconds: float) -> int:
        """How far into the answer's text this much of the clause's audio reaches, as far as is known by now."""
        length = len(self.clause.text)
        if self.whole and seconds >= self._came - 1e-6:
            return self.clause.end
        if self._times:
            return self.clause.start + min(length, bisect_right(self._times, seconds - 1e-9))
        spoken = length * seconds / self._came if self.whole else CHARS_PER_SECOND * seconds
        return self.clause.start + min(length, int(spoken))

    def _alignment(self, begins: float) -> Alignment | None:
        """Of the characters that begin in what has just left. Those timed beyond all there is go with its end."""
        first, self._told = self._told, len(self._times)
        if self.ready:
            self._told = bisect_left(self._times, self.left - 1e-9, lo=first)
        if first == self._told:
            return None
        told = slice(first, self._told)
        length_ms = int((self.left - begins) * 1000)
        starts = (min(max(0, round((time - begins) * 1000)), length_ms) for time in self._times[told])
        return Alignment(tuple(self._chars[told]), tuple(starts), tuple(self._durations_ms[told]))


class _Sounding(NamedTuple):
    """Seconds [start, end) of a clause's audio, which begin to sound at `begins`, on the loop clock."""

    begins: float
    track: _Track
    start: float
    end: float


class Playback:
    """`gain`: at which it begins, and stays unless it is ducked."""

    def __init__(self, audio_format: AudioFormat, gain: float = 1.0) -> None:
        self.lead_s = LEAD_S
        self._format = audio_format
        self._tracks: deque[_Track] = deque()
        self._released = False
        self._closed = False
        self._gain = self._target_gain = gain
        self._plays_until = 0.0
        self._sent: deque[_Sounding] = deque()  # not yet begun at the caller's
        self._sounding: _Sounding | None = None  # the latest that has
        self._newest: deque[_Sounding] = deque(maxlen=round(REWOUND_AT_MOST_S / CHUNK_S))  # of all that left
        self._heard = self._skipped = 0
        self._left: deque[tuple[float, float]] = deque(maxlen=round(PLAYED_WITHIN_S / CHUNK_S) + 1)  # when, gain

    # ---- what the voice brings

    def expect(self, clause: Clause) -> None:
        """This clause's audio will follow those expected before it."""
        self._tracks.append(_Track(clause, self._format))

    def add(self, clause: Clause, chunk: SpeechChunk) -> None:
        if track := self._track(clause):
            track.add(chunk)

    def whole(self, clause: Clause) -> None:
        """All of this clause's audio has come (or none will)."""
        if track := self._track(clause):
            track.whole = True

    def close(self) -> None:
        """No further clause will be expected."""
        self._closed = True

    def release(self) -> None:
        """The turn is ours: audio may leave."""
        self._released = True

    # ---- what leaves

    def take(self, now: float) -> list[Piece]:
        """All that is due by `now`."""
        pieces = []
        while self._released and self._plays_until - now <= self.lead_s + 1e-6:
            track = self._next_track()
            if track is None:
                break
            pieces.append(self._leave(track, now))
        return pieces

    def duck(self) -> None:
        self._target_gain = DUCK_GAIN

    def swell(self) -> None:
        self._target_gain = 1.0

    def rewind(self, seconds: float, now: float) -> None:
        """The last so many seconds of what has left were lost on the way: they leave again now, from elsewhere."""
        again: deque[_Sounding] = deque()
        while self._newest and seconds > 1e-6:
            lost = self._newest.pop()
            again.appendleft(lost)
            seconds -= lost.end - lost.start
        if not again:
            return
        self._sent.clear()
        self._sounding = self._newest[-1] if self._newest else None
        self._heard = self._sounding.track.position(self._sounding.end) if self._sounding else self._skipped
        self._plays_until = now
        for lost in again:
            self._sound(lost.track, lost.start, lost.end, self._plays_until)

    def skip(self, characters: int) -> None:
        """So much of the answer was heard before this began."""
        self._heard = self._skipped = characters

    def yield_floor(self) -> None:
        """End with the clause that is being said, or is about to be."""
        sounding = next((track for track in self._tracks if not track.spent), None)
        self._tracks = deque([sounding] if sounding else [])
        self._closed = True

    def fade(self, now: float) -> Piece | None:
        """End now: at most FADE_S of what would have followed, dying away. None if nothing was left to play.

        Clients drop what they have not played yet: it begins no louder than what may have been heard last.
        """
        self._gain = min([self._gain, *(gain for at, gain in self._left if at > now - PLAYED_WITHIN_S)])
        track = self._next_track() if self._released else None
        self._tracks.clear()
        self._closed = True
        if track is None:
            return None
        return self._levelled(track.take(FADE_S), 0.0)

    def deadline(self) -> float | None:
        """When `take` has something next, or the caller will have heard the end. None: it waits for more audio."""
        if not self._released:
            return None
        if self._next_track():
            return self._plays_until - self.lead_s
        return self._plays_until if self.drained else None

    # ---- what has been heard

    @property
    def plays_until(self) -> float:
        """When the caller will have heard all that has left."""
        return self._plays_until

    @property
    def started(self) -> bool:
        """Anything of it has left, or had left elsewhere."""
        return self._plays_until > 0 or self._skipped > 0

    @property
    def drained(self) -> bool:
        """Everything has left (it may still be playing at the caller's)."""
        return self._closed and all(track.spent for track in self._tracks)

    def finished(self, now: float) -> bool:
        return self.drained and now >= self._plays_until - 1e-6

    @property
    def unfinished(self) -> int:
        """How many clauses have not wholly left."""
        return sum(not track.spent for track in self._tracks)

    def heard(self, now: float) -> int:
        """How many characters of the answer the caller has heard by `now`: its client plays in real time."""
        while self._sent and self._sent[0].begins <= now:
            self._sounding = self._sent.popleft()
        if self._sounding:
            begins, track, start, end = self._sounding
            self._heard = max(self._heard, track.position(min(start + now - begins, end)))
        return self._heard

    # ---- within

    def _track(self, clause: Clause) -> _Track | None:
        return next((t for t in self._tracks if t.clause == clause), None)

    def _next_track(self) -> _Track | None:
        """Whose audio leaves next, if it is there."""
        while self._tracks and self._tracks[0].spent:
            self._tracks.popleft()
        return self._tracks[0] if self._tracks and self._tracks[0].ready else None

    def _leave(self, track: _Track, now: float) -> Piece:
        begins, start = max(now, self._plays_until), track.left
        gain = min(self._target_gain, self._gain + SWELL_STEP)  # down within a chunk, up in steps
        piece = self._levelled(track.take(CHUNK_S), gain)
        self._left.append((now, gain))
        self._sound(track, start, track.left, begins)
        self.heard(now)
        return piece

    def _sound(self, track: _Track, start: float, end: float, begins: float) -> None:
        self._plays_until = begins + end - start
        sounding = _Sounding(begins, track, start, end)
        self._sent.append(sounding)
        self._newest.append(sounding)

    def _levelled(self, piece: Piece, gain: float) -> Piece:
        before, self._gain = self._gain, gain
        return replace(piece, audio=self._format.scaled(piece.audio, before, gain))
