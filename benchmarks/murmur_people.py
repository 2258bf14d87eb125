"""People for benchmarks/train_murmur.py: beginnings of what they say, cut out of recordings, and murmurs made of their
vowels, so that a human voice is no sign of either.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.murmur_sounds import MS, Random, Wave, band
from deployments.murmur import power
from serve_app.audio.pcm import FULL_SCALE
from tests.audio.human_speech import HUMAN_CLIPS, human_clip

# Who speaks in which clip.
SPEAKERS = {
    "jfk.flac": "jfk",
    "en_goforward.wav": "goforward",
    "en_librivox_0880.wav": "librivox",
    "en_librivox_0890.wav": "librivox",
    "pt_lapsbm_0240.wav": "lapsbm 0240",
    "pt_lapsbm_0385.wav": "lapsbm 0385",
    "pt_lapsbm_0415.wav": "lapsbm 0415",
    "pt_pico_quetal607.wav": "pico quetal",
    "pt_pico_rio.wav": "pico rio",
    "tel_webrtcvad_leak.wav": "telephone",
}
HOP = 10 * MS
SPEECH_DB = 14  # below the loud parts of a recording: still speech
RISE_DB = 4  # in 40 ms: something begins
DIP_DB = 8  # below the loud parts: where it may begin
STEADY = 0.65  # mean change of a band over 60 ms, in nepers of power
PIECE = 80 * MS


class Person(NamedTuple):
    """A recording, where in it something begins that goes on, and where a vowel stands still."""

    name: str
    wave: Wave
    beginnings: list[int]
    vowels: list[int]


def people() -> Iterator[Person]:
    """Those whose recordings are here."""
    for file, name in SPEAKERS.items():
        if (HUMAN_CLIPS / file).is_file():
            samples = human_clip(file)
            wave = samples / FULL_SCALE - samples.mean() / FULL_SCALE
            starts = beginnings(wave)
            # A beginning's own vowel as a murmur would be called both.
            free = [at for at in vowels(wave) if not any(start - PIECE < at < start + 150 * MS for start in starts)]
            yield Person(name, wave, starts, free)


def levels_db(wave: Wave) -> Wave:
    frames = wave[: len(wave) // HOP * HOP].reshape(-1, HOP)
    return 10 * np.log10(np.square(frames).mean(axis=1) + 1e-9)


def beginnings(wave: Wave) -> list[int]:
    """Samples at which a phrase, a word or a syllable begins, with half a second of recording and mostly speech to
    follow."""
    levels = np.convolve(levels_db(wave), np.ones(3) / 3, "same")
    top = np.percentile(levels, 95)
    loud = levels > top - SPEECH_DB
    found = [-1]
    for frame in range(4, len(levels) - 60):
        before = levels[frame - 4 : frame].min()
        begins = loud[frame] and levels[frame] - before > RISE_DB and before < top - DIP_DB
        if begins and loud[frame + 15 : frame + 60].mean() > 0.3 and (frame - 2) * HOP > found[-1] + 8 * HOP:
            found.append((frame - 2) * HOP)
    return found[1:]


def vowels(wave: Wave) -> list[int]:
    """Samples at which 60 ms of loud, steady sound begin, strongest below 1.5 kHz."""
    bands = np.log(power((wave * FULL_SCALE).astype(np.int16)) + 1e3)
    levels = levels_db(wave)
    top = np.percentile(levels, 95)

    def steady(frame: int) -> bool:
        some = bands[frame : frame + 6]
        dark = some[:, :10].mean() > some[:, 18:].mean() + 2
        return dark and levels[frame : frame + 8].min() > top - 12 and np.abs(some - some.mean(axis=0)).mean() < STEADY

    return [frame * HOP for frame in range(3, len(bands) - 12, 3) if steady(frame)]


def murmur(person: Person, random: Random) -> Wave:
    """One to three syllables of one of their vowels, now and then through closed lips."""
    start = int(random.choice(person.vowels))
    syllables = random.integers(1, 4)
    parts: list[NDArray[np.float64]] = []
    for _ in range(syllables):
        length = int(random.uniform(90, 260 if syllables > 1 else 420) * MS)
        parts.append(sustained(person.wave, start, length, random) * swell(length, random))
        parts.append(
            sustained(person.wave, start, int(random.uniform(25, 90) * MS), random) * random.choice([0, 0.1, 0.3])
        )
    wave = glide(np.concatenate(parts[:-1]), random)
    return band(wave, 60, random.uniform(350, 900)) + 0.1 * wave if random.random() < 0.35 else wave


def sustained(wave: Wave, start: int, length: int, random: Random) -> Wave:
    """Pieces from about `start`, one fading into the next."""
    out, taper = np.zeros(length + 2 * PIECE), np.hanning(PIECE)
    for at in range(0, length + PIECE // 2, PIECE // 2):
        piece = wave[start + random.integers(HOP) :][:PIECE]
        out[at : at + len(piece)] += taper[: len(piece)] * piece
    return out[PIECE // 2 :][:length]


def swell(length: int, random: Random) -> Wave:
    ramp = min(int(random.uniform(10, 50) * MS), length // 2)
    rise = np.linspace(0, 1, ramp)
    envelope = np.concatenate([rise, np.ones(length - 2 * ramp), rise[::-1]]) * random.uniform(0.5, 1)
    return envelope * np.linspace(1, random.uniform(0.2, 1), length)


def glide(wave: Wave, random: Random) -> Wave:
    """Up and down by some semitones."""
    speed = np.interp(np.arange(len(wave)), np.linspace(0, len(wave), 4), 1 + 0.12 * random.standard_normal(4))
    at = np.cumsum(speed.clip(0.7, 1.4))
    return np.interp(at[at < len(wave) - 1], np.arange(len(wave)), wave)
