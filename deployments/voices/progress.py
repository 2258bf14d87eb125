"""How far a clause has been spoken: where the next engine, or the next replica, takes over from one that failed."""

from bisect import bisect_right
from typing import NamedTuple

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.playback import CHARS_PER_SECOND
from serve_app.ports import Alignment, SpeechChunk

CHAR_MS = 1000 / CHARS_PER_SECOND
SLACK_MS = 50.0
"""So much of a character's sound may be missing: times are rounded, and a sound dies away."""


class _Timed(NamedTuple):
    char: str
    start_ms: float  # from the first sample of all
    duration_ms: float


class Progress:
    """Pass every chunk through `take`; when its speaker has failed, `fail` finds what is left for the next one.

    Over all speakers each character is timed once and in order, though a word that was begun is spoken again. Where
    one of them times nothing and another does, its characters are spread over its sound by the usual rate of speech:
    half a timing would be read as a whole one.
    """

    def __init__(self, text: str, audio_format: AudioFormat) -> None:
        self._text = text
        self._format = audio_format
        self._audio_ms = 0.0
        self._ends_ms: list[float] = []  # of the characters timed so far
        self._start = 0  # in the text: where the speaker of now began,
        self._began_ms = 0.0  # and when
        self._own = 0  # characters that it has timed

    @property
    def rest(self) -> str:
        """What the speaker of now is to say."""
        return self._text[self._start :]

    @property
    def over(self) -> bool:
        """No word is left to say."""
        return not any(map(str.isalnum, self.rest))

    def take(self, chunk: SpeechChunk) -> SpeechChunk:
        """The chunk, timing those of its characters that have not been timed before."""
        begins_ms = self._audio_ms
        self._audio_ms += self._format.seconds(len(chunk.audio)) * 1000
        timed: list[_Timed] = []
        if chunk.alignment:
            timed = self._passed_over() + self._new(chunk.alignment, begins_ms)
        elif self._ends_ms and not self._own:  # those before this speaker timed theirs
            timed = self._passed_over() + self._estimated()
        self._ends_ms += [start_ms + duration_ms for _, start_ms, duration_ms in timed]
        return SpeechChunk(chunk.audio, _alignment(timed, begins_ms))

    def fail(self) -> None:
        """The speaker of now says no more: the next one goes on with the word that is to be heard next."""
        spoken = bisect_right(self._ends_ms, self._audio_ms + SLACK_MS)
        if not self._own:
            spoken = max(spoken, self._guessed())
        self._start = max(self._start, _next_word(self._text, spoken))
        self._began_ms, self._own = self._audio_ms, 0

    def _new(self, alignment: Alignment, begins_ms: float) -> list[_Timed]:
        again = max(0, len(self._ends_ms) - self._start - self._own)  # of a word that had been begun
        self._own += len(alignment.chars)
        timed = zip(alignment.chars, alignment.starts_ms, alignment.durations_ms, strict=True)
        return [_Timed(char, begins_ms + start, duration) for char, start, duration in timed][again:]

    def _passed_over(self) -> list[_Timed]:
        """Characters before this speaker's, spoken (or silent) and never timed: spread over the time they had."""
        since_ms = self._ends_ms[-1] if self._ends_ms else 0.0
        chars = self._text[len(self._ends_ms) : self._start]
        each_ms = max(0.0, self._began_ms - since_ms) / max(1, len(chars))
        return [_Timed(char, self._began_ms - (len(chars) - i) * each_ms, each_ms) for i, char in enumerate(chars)]

    def _estimated(self) -> list[_Timed]:
        first = max(len(self._ends_ms), self._start)
        chars = enumerate(self._text[first : self._guessed()], start=first - self._start)
        return [_Timed(char, self._began_ms + i * CHAR_MS, CHAR_MS) for i, char in chars]

    def _guessed(self) -> int:
        """How far a speaker that times nothing has come."""
        return self._start + int((self._audio_ms - self._began_ms) / CHAR_MS)


def _alignment(timed: list[_Timed], begins_ms: float) -> Alignment | None:
    if not timed:
        return None
    starts = tuple(round(each.start_ms - begins_ms) for each in timed)
    return Alignment(tuple(each.char for each in timed), starts, tuple(round(each.duration_ms) for each in timed))


def _next_word(text: str, spoken: int) -> int:
    """Where to go on after the first `spoken` characters: at the word that they break off in, or else at the next."""
    end = spoken
    while end < len(text) and not text[end].isspace():
        end += 1
    if not any(map(str.isalnum, text[spoken:end])):
        return len(text) - len(text[end:].lstrip())
    while spoken > 0 and not text[spoken - 1].isspace():
        spoken -= 1
    return spoken
