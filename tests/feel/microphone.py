"""The caller's end of the line: the microphone, what it picks up, and the loudspeaker whose echo it hears."""

from functools import cache

import numpy as np

from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import FULL_SCALE, AudioFormat
from serve_app.audio.resample import Resampler
from tests.feel.clips import Clip, Word, clip, room_tone
from tests.feel.noises import Wave, room
from tests.feel.score import Cut, Echo, Line, Score

LOW_HZ, HIGH_HZ = 300.0, 3_400.0
"""The telephone's band (ITU-T G.712)."""
ROOM_NOISE_DB = -76.0
"""Of a microphone in a quiet room."""
RECOGNISABLE = round(0.080 * RATE)
"""A recogniser knows a word whose last 80 ms are missing."""
PCM, TELEPHONE = AudioFormat("pcm", RATE), AudioFormat("ulaw", 8_000)
LOUDEST = FULL_SCALE - 1


def audio_format(line: Line) -> AudioFormat:
    return TELEPHONE if line.telephone else PCM


class Loudspeaker:
    """Plays the agent's audio in real time, at 16 kHz: what is late leaves a gap."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._resampler = Resampler(audio_format.rate, RATE)
        self._played = _Tape()
        self._end = 0

    def play(self, audio: bytes, at: float) -> None:
        """At `at` seconds of the call, or after what plays then."""
        samples = self._resampler.process(self._format.decode(audio))
        self._end = self._played.add(samples / FULL_SCALE, max(self._end, round(at * RATE)))

    def stop(self, at: float) -> None:
        """Drop what has not sounded yet."""
        self._end = min(self._end, round(at * RATE))
        self._played.cut(self._end)

    def between(self, start: int, end: int) -> Wave:
        return self._played.between(start, end)


class Microphone:
    """Samples of the whole call, counted from its beginning. `speak` puts a clip into them; `frame` encodes the next 20
    ms as they travel."""

    def __init__(self, score: Score, loudspeaker: Loudspeaker) -> None:
        self.end = 0  # of the frame encoded last
        self.words: list[Word] = []  # said so far, and those whose clip has begun
        self._line = score.line
        self._said = _Tape()
        self._tone = _tone(score)
        self._loudspeaker = loudspeaker
        self._echo = _echo_kernel(score.line.echo) if score.line.echo else None

    @property
    def format(self) -> AudioFormat:
        return audio_format(self._line)

    def speak(self, spoken: Clip, at: int) -> int:
        """From the sample `at` on, which is not yet encoded; where it ends."""
        self.words += [Word(word.text, at + word.end) for word in spoken.words]
        wave = _telephone_band(spoken.wave) if self._line.telephone else spoken.wave
        return self._said.add(wave, at)

    def frame(self) -> bytes:
        start, self.end = self.end, self.end + FRAME_SAMPLES
        wave = self._said.between(start, self.end) + np.take(self._tone, range(start, self.end), mode="wrap")
        if self._line.echo and self._echo is not None:
            wave = wave + self._echoed(self._line.echo, self._echo, start)
        samples = np.rint((wave * 10 ** (self._line.gain_db / 20) + self._line.dc) * FULL_SCALE)
        heard = np.clip(samples, -LOUDEST, LOUDEST).astype(np.int16)
        return self.format.encode(heard[::2] if self._line.telephone else heard)

    def transcript(self, start: int, end: int) -> str:
        """What a recogniser makes of these samples, in Whisper's spelling: the words said, not those to come."""
        words = [word.text for word in self.words if start < word.end and word.end - RECOGNISABLE <= end]
        text = " ".join(words).rstrip(",")
        if not text:
            return ""
        return text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")

    def _echoed(self, echo: Echo, kernel: Wave, start: int) -> Wave:
        delay = round(echo.delay_s * RATE)
        played = self._loudspeaker.between(start - delay - len(kernel) + 1, start - delay + FRAME_SAMPLES)
        return np.convolve(played, kernel, "valid") if played.any() else np.zeros(FRAME_SAMPLES)


class _Tape:
    """Sound by the sample, silent where nothing was put."""

    def __init__(self) -> None:
        self._wave = np.zeros(RATE)

    def add(self, wave: Wave, at: int) -> int:
        end = at + len(wave)
        if end > len(self._wave):
            self._wave = np.concatenate((self._wave, np.zeros(max(end, 2 * len(self._wave)) - len(self._wave))))
        self._wave[at:end] += wave
        return end

    def cut(self, at: int) -> None:
        self._wave[at:] = 0.0

    def between(self, start: int, end: int) -> Wave:
        inside = self._wave[max(start, 0) : max(end, 0)]
        before = np.zeros(min(max(-start, 0), end - start))
        return np.concatenate((before, inside, np.zeros(end - start - len(before) - len(inside))))


def _tone(score: Score) -> Wave:
    """What sounds all through the call, and comes round again."""
    recorded = [sound for sound in score.sounds if isinstance(sound, Cut)]
    if recorded:
        tone = room_tone(recorded[0].file)
    else:
        tone = np.random.default_rng(2).standard_normal(4 * RATE) * 10 ** (ROOM_NOISE_DB / 20)
    if background := score.line.background:
        tone = tone + np.resize(clip(background).wave, len(tone))
    return _telephone_band(tone) if score.line.telephone else tone


@cache
def _echo_kernel(echo: Echo) -> Wave:
    return room(np.random.default_rng(echo.seed)) * 10 ** (echo.level_db / 20)


def _telephone_band(wave: Wave) -> Wave:
    spectrum = np.fft.rfft(wave)
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    return np.fft.irfft(spectrum * ((hz >= LOW_HZ) & (hz <= HIGH_HZ)), len(wave))
