"""Sounds for benchmarks/train_murmur.py: hums, pseudo-speech, coughs, laughs and noises made from nothing, and what
rooms and telephones do to a voice. Float samples at 16 kHz; `random` makes every choice.
"""

from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import FULL_SCALE, AudioFormat

Wave = NDArray[np.float64]
Random = np.random.Generator

MS = RATE // 1000
HARMONICS = 40
CONTROL = 5 * MS  # formants move in steps of 5 ms
# First three formants in Hz of an adult's vowels, roughly (Peterson and Barney 1952), and of a closed mouth's murmur.
VOWELS = {
    "a": (730, 1250, 2500),
    "ʌ": (620, 1200, 2500),
    "ə": (500, 1400, 2450),
    "ɛ": (550, 1800, 2500),
    "e": (420, 2100, 2650),
    "i": (290, 2250, 2950),
    "ɔ": (580, 880, 2450),
    "u": (320, 870, 2250),
    "m": (270, 1050, 2250),
}  # fmt: skip
OPEN = ("a", "ʌ", "ə", "ɛ", "ɔ")


class Segment(NamedTuple):
    """A stretch of voice. `breath` of it is noise: 0 voiced, 1 an "h"; `nasal`: how much the nose takes away."""

    ms: float
    formants: tuple[float, ...]
    level: float = 1.0
    breath: float = 0.02
    nasal: float = 0.0


class Throat(NamedTuple):
    """Who speaks: pitch in Hz, formants against an adult man's, how fast the harmonics fall."""

    pitch: float
    size: float
    tilt_db: float

    @staticmethod
    def someone(random: Random) -> "Throat":
        pitch = np.exp(random.uniform(np.log(80), np.log(270)))
        size = random.uniform(0.88, 1.05) + 0.18 * min(max((pitch - 110) / 120, 0), 1)
        return Throat(pitch, size, random.uniform(8, 15))


def sing(segments: list[Segment], throat: Throat, pitch: Wave, random: Random) -> Wave:
    """Harmonics and breath through moving formants. `pitch`: a contour about 1, stretched over the whole."""
    lengths = np.array([segment.ms * MS for segment in segments])
    count = int(lengths.sum())
    control = np.arange(0, count + CONTROL, CONTROL)
    # Each segment stands from a fifth to four fifths of its time, and glides between.
    starts = np.cumsum(lengths) - lengths
    knots = (starts[:, None] + lengths[:, None] * [0.2, 0.8]).ravel()

    def track(values: list[float]) -> Wave:
        return np.interp(control, knots, np.repeat(values, 2))

    centres = [throat.size * track([segment.formants[n] for segment in segments]) for n in range(3)]
    jitter = 1 + 0.008 * np.convolve(random.standard_normal(len(control) + 4), np.ones(5) / 5, "valid")
    melody = throat.pitch * np.interp(control, np.linspace(0, count, len(pitch)), pitch) * jitter
    level, breath, nasal = (track([getattr(s, name) for s in segments]) for name in ("level", "breath", "nasal"))
    level *= np.minimum(np.minimum(control, count - control).clip(0) / (random.uniform(15, 60) * MS), 1)
    at = np.arange(count)
    voice = _harmonics(at, control, melody, centres, nasal, throat) * np.interp(at, control, level * (1 - breath))
    noise = shaped(random.standard_normal(count), [centre.mean() for centre in centres])
    return unit(voice) + unit(noise * np.interp(at, control, level * breath)) * breath.mean() * random.uniform(0.3, 1.5)


def _harmonics(at: Wave, control: Wave, melody: Wave, centres: list[Wave], nasal: Wave, throat: Throat) -> Wave:
    phase = np.cumsum(np.interp(at, control, melody)) * 2 * np.pi / RATE
    total = np.zeros(len(at))
    for k in range(1, HARMONICS + 1):
        frequency = k * melody
        if frequency.min() > 6000:
            break
        gain = resonance(frequency, centres) * k ** (-throat.tilt_db / 6.02)
        gain *= 1 - nasal * np.exp(-(((frequency - 750 * throat.size) / 250) ** 2))  # the nose's zero
        gain *= np.where(frequency > 1200, 1 - 0.7 * nasal, 1) * (frequency < 7000)
        total += np.interp(at, control, gain) * np.sin(k * phase)
    return total


def resonance(frequency: Wave, centres: list[Wave] | list[float]) -> Wave:
    """The gain of resonances in a row, two of them fixed above those given."""
    gain = np.ones_like(frequency)
    for centre in (*centres, 3500.0, 4500.0):
        width = 50 + 0.06 * centre
        gain = gain * centre**2 / np.sqrt((centre**2 - frequency**2) ** 2 + (width * frequency) ** 2)
    return gain


def shaped(wave: Wave, centres: list[float]) -> Wave:
    """Through standing resonances."""
    spectrum = np.fft.rfft(wave)
    return np.fft.irfft(spectrum * resonance(np.fft.rfftfreq(len(wave), 1 / RATE), centres), len(wave))


def band(wave: Wave, low: float, high: float) -> Wave:
    """Between two frequencies in Hz, with slopes like a telephone's."""
    frequency = np.fft.rfftfreq(len(wave), 1 / RATE) + 1e-3
    gain = 1 / np.sqrt((1 + (low / frequency) ** 8) * (1 + (frequency / high) ** 8))
    return np.fft.irfft(np.fft.rfft(wave) * gain, len(wave))


def unit(wave: Wave) -> Wave:
    """The same with its loudest sample at 1."""
    return wave / max(float(np.abs(wave).max(initial=0)), 1e-9)


def hum(random: Random) -> Wave:
    """ "Mm-hm", "uh-huh", "ãhã", "mmm", "ah": one to four syllables of one vowel or of a closed mouth."""
    throat = Throat.someone(random)
    closed = random.random() < 0.5
    name = "m" if closed else random.choice(OPEN)
    second = name if random.random() < 0.75 else "m" if random.random() < 0.7 else random.choice(OPEN)
    nasal = random.uniform(0.5, 1) if closed else random.uniform(0, 0.9)
    syllables = random.choice([1, 2, 2, 2, 3, 4])
    segments: list[Segment] = []
    for place in range(syllables):
        formants = vary(VOWELS[name if place % 2 == 0 else second], random)
        length = random.uniform(90, 260) if syllables > 1 else random.uniform(140, 500)
        segments.append(Segment(length, formants, random.uniform(0.5, 1), random.uniform(0, 0.1), nasal))
        if place < syllables - 1:
            breath = random.choice([0.05, 0.5, 0.9])
            segments.append(Segment(random.uniform(25, 90), formants, random.uniform(0.02, 0.5), breath, nasal))
    return sing(segments, throat, contour(random, syllables), random)


def contour(random: Random, bends: int) -> Wave:
    """A melody about 1: a slope and some bends."""
    points = 1 + random.uniform(0, 0.16) * random.standard_normal(bends + 2)
    return points * np.linspace(1, random.uniform(0.75, 1.35), bends + 2)


def vary(formants: tuple[float, ...], random: Random) -> tuple[float, ...]:
    return tuple(formant * random.uniform(0.9, 1.1) for formant in formants)


def gibberish(random: Random) -> Wave:
    """Syllables of no language, 0.8 s: what speech sounds like to the throat that hums, so that the hum gives it away
    and not the throat."""
    throat = Throat.someone(random)
    segments: list[Segment] = []
    hisses: list[tuple[float, float, float]] = []
    ms = 0.0
    while ms < 800:
        for segment, hiss in _syllable(random):
            if hiss:
                hisses.append((ms, segment.ms, hiss))
            segments.append(segment)
            ms += segment.ms
    wave = sing(segments, throat, contour(random, 4), random)
    for start, length, loud in hisses:
        noise = unit(band(random.standard_normal(int(length * MS)), random.uniform(1500, 4000), 7500))
        wave[int(start) * MS :][: len(noise)] += loud * noise[: len(wave) - int(start) * MS]
    return wave


def _syllable(random: Random) -> list[tuple[Segment, float]]:
    """A consonant, mostly, and a vowel; with each, how loudly it hisses."""
    vowel = vary(VOWELS[random.choice([name for name in VOWELS if name != "m"])], random)
    spoken = [(Segment(random.uniform(45, 130), vowel, random.uniform(0.6, 1), 0.02, random.uniform(0, 0.4)), 0.0)]
    match random.integers(5):
        case 0:  # a stop
            spoken.insert(0, (Segment(random.uniform(30, 80), vowel, 0.02, 0.3), 0.0))
            spoken.insert(1, (Segment(random.uniform(8, 25), vowel, 0.1, 0.5), random.uniform(0.1, 0.6)))
        case 1:  # a fricative
            spoken.insert(0, (Segment(random.uniform(50, 120), vowel, 0.03, 0.5), random.uniform(0.1, 0.6)))
        case 2:  # a nasal
            spoken.insert(0, (Segment(random.uniform(40, 90), vary(VOWELS["m"], random), 0.5, 0.02, 0.9), 0.0))
        case 3:  # a glide
            glide = vary(VOWELS[random.choice(["i", "u"])], random)
            spoken.insert(0, (Segment(random.uniform(30, 70), glide, 0.6), 0.0))
    return spoken


def laugh(random: Random) -> Wave:
    """ "Ha ha ha": breathy bursts, four to seven a second, ever softer."""
    throat = Throat.someone(random)
    throat = throat._replace(pitch=throat.pitch * random.uniform(1, 1.8))
    vowel = vary(VOWELS[random.choice(OPEN)], random)
    period, level = random.uniform(140, 260), 1.0
    segments: list[Segment] = []
    for _ in range(random.integers(2, 6)):
        voiced = random.uniform(0.3, 0.6)
        segments.append(Segment(period * (1 - voiced), vowel, 0.25 * level, random.uniform(0.7, 1)))
        segments.append(Segment(period * voiced, vowel, level, random.uniform(0.1, 0.6)))
        level *= random.uniform(0.6, 1)
    return sing(segments, throat, contour(random, 3), random)


def cough(random: Random) -> Wave:
    """One to three explosions of noise through a throat, each with a dying tail."""
    formants = [formant * random.uniform(0.9, 1.2) for formant in VOWELS[random.choice(OPEN)]]
    bursts = []
    for _ in range(random.integers(1, 4)):
        length = int(random.uniform(120, 350) * MS)
        decay = np.exp(-np.arange(length) / (random.uniform(25, 110) * MS))
        decay[: 5 * MS] *= np.linspace(0, 1, 5 * MS)
        burst = unit(shaped(random.standard_normal(length), formants)) + random.uniform(0.05, 0.5) * unit(
            random.standard_normal(length)
        )
        bursts += [unit(burst * decay), np.zeros(int(random.uniform(20, 200) * MS))]
    return np.concatenate(bursts)


def clearing(random: Random) -> Wave:
    """A throat is cleared: rough, low, with much breath."""
    throat = Throat(random.uniform(55, 110), random.uniform(0.9, 1.1), random.uniform(6, 12))
    vowel = vary(VOWELS[random.choice(["ə", "m", "ʌ"])], random)
    segments = [Segment(random.uniform(80, 300), vowel, random.uniform(0.5, 1), random.uniform(0.2, 0.7)) for _ in "ab"]
    return sing(segments, throat, 1 + 0.2 * random.standard_normal(60), random)


def breath(random: Random) -> Wave:
    """In or out, or a sniff: soft noise that swells and goes."""
    length = int(random.uniform(150, 700) * MS)
    low = random.uniform(200, 1500)
    swell = np.sin(np.linspace(0, np.pi, length)) ** random.uniform(0.5, 2)
    return unit(band(random.standard_normal(length), low, low * random.uniform(2, 8)) * swell)


def noise(random: Random, count: int) -> Wave:
    """Of any colour, from brown to blue."""
    frequency = np.fft.rfftfreq(count, 1 / RATE) + 20
    return unit(
        np.fft.irfft(np.fft.rfft(random.standard_normal(count)) * frequency ** random.uniform(-1.2, 0.5), count)
    )


def machine(random: Random) -> Wave:
    """A line's hum, a dialled key, a tone, knocks, or noise that comes and stays."""
    count = 800 * MS
    at = np.arange(count) / RATE
    match random.integers(5):
        case 0:
            base = random.choice([50, 60, 100, 120])
            return unit(sum(random.random() * np.sin(2 * np.pi * k * base * at) for k in range(1, 20)))
        case 1:
            keys = random.choice([697, 770, 852, 941]), random.choice([1209, 1336, 1477])
            return unit(sum(np.sin(2 * np.pi * key * at) for key in keys) * (at < random.uniform(0.06, 0.5)))
        case 2:
            return unit(np.sin(2 * np.pi * random.uniform(200, 3000) * at) * (at < random.uniform(0.1, 0.8)))
        case 3:
            knocks = np.zeros(count)
            for start in random.integers(count, size=5) // random.integers(1, 6):
                tail = np.exp(-np.arange(count - start) / (random.uniform(2, 40) * MS))
                tail *= random.standard_normal(len(tail))
                knocks[start:] += band(tail, 80, random.uniform(500, 6000))
            return unit(knocks)
    return noise(random, count)


def level(wave: Wave) -> float:
    """Root mean square of what is not silent."""
    loud = np.abs(wave) > 0.05 * np.abs(wave).max(initial=1e-9)
    return float(np.sqrt(np.mean(np.square(wave[loud])))) if loud.any() else 1e-9


def room(wave: Wave, random: Random) -> Wave:
    """Late sound of a room, 0.1-0.5 s long, 6-20 dB below."""
    length = int(random.uniform(0.1, 0.5) * RATE)
    tail = random.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    tail[: int(random.uniform(2, 12) * MS)] = 0
    tail *= 10 ** (-random.uniform(6, 20) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    size = len(wave) + length
    return np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(tail, size), size)[: len(wave)]


def telephone(wave: Wave, random: Random) -> Wave:
    """8 kHz, a telephone's band, mu-law."""
    ulaw = AudioFormat.parse("ulaw_8000")
    narrow = soxr.resample(band(wave, random.uniform(100, 320), random.uniform(3200, 3900)), RATE, 8000)
    samples = np.clip(narrow * FULL_SCALE * 0.5, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return soxr.resample(ulaw.decode(ulaw.encode(samples)) / FULL_SCALE / 0.5, 8000, RATE)[: len(wave)]


def microphone(wave: Wave, random: Random) -> Wave:
    """Some colour: broad bumps of up to 8 dB and a slope."""
    frequency = np.fft.rfftfreq(len(wave), 1 / RATE)
    knots = np.array([0, 200, 600, 1500, 3000, 8000])
    gain_db = np.interp(
        frequency, knots, random.uniform(-5, 5, len(knots)) + random.uniform(-6, 6) * np.linspace(-1, 1, 6)
    )
    return np.fft.irfft(np.fft.rfft(wave) * 10 ** (gain_db / 20), len(wave))
