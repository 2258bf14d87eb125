"""What benchmarks/train_murmur.py learns from and is measured on: the first half second of murmurs and of sentences."""

import shutil
import subprocess
import tempfile
import wave as wave_file
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import espeakng_loader
import numpy as np
import soxr
from numpy.typing import NDArray

from benchmarks import murmur_people, murmur_sounds
from benchmarks.murmur_sounds import MS, RATE, Random, Wave
from deployments.murmur import overlap, power
from serve_app.audio.pcm import FULL_SCALE
from tests.espeak import render

PHRASES = Path(__file__).parent / "murmur_phrases.txt"
BASES = {"pt": ("pt-br", "pt-br", "pt-br", "pt"), "en": ("en-us", "en-us", "en", "en-029", "en-gb-scotland")}
HELD_VOICES = ("m5", "f3", "klatt3", "Andrea", "edward", "linda", "paul", "Hugo")
COMMON_VOICES = ("", "m1", "m3", "f1", "f2")
NOBODYS_VOICES = {
    *("AnxiousAndy", "Demonic", "Storm", "Tweaky", "UniRobot", "anikaRobot", "croak", "fast", "grandma", "grandpa"),
    *("iven3", "kaukovalta", "klatt5", "klatt6", "whisper", "whisperf", "robosoft"),
    *(f"robosoft{number}" for number in range(2, 9)),
}
FLITE_VOICES = ("slt", "rms", "kal16")
HELD_FLITE_VOICES = ("awb",)

BEFORE = 300 * MS  # of the line, before the caller sounds
LENGTH = 1300 * MS
SHORTEST = 80 * MS
JOB = 50  # clips

# Clips of each family: to learn from, and to measure.
SOUNDS: dict[str, Callable[[Random], Wave]] = {
    "hum": murmur_sounds.hum,
    "laugh": murmur_sounds.laugh,
    "cough": murmur_sounds.cough,
    "clearing": murmur_sounds.clearing,
    "breath": murmur_sounds.breath,
    "machine": murmur_sounds.machine,
}
LEARNED = {
    "floor": 7000,
    "scramble": 6000,
    "murmur": 7500,
    "hum": 3500,
    "gibberish": 2500,
    "laugh": 700,
    "cough": 700,
    "clearing": 500,
    "breath": 400,
    "machine": 500,
    "babble": 400,
}  # fmt: skip
MEASURED = {
    "floor": 2500,
    "murmur": 2500,
    "hum": 800,
    "gibberish": 300,
    "laugh": 300,
    "cough": 300,
    "clearing": 200,
    "breath": 200,
    "machine": 200,
    "babble": 200,
}  # fmt: skip
FLITE = {"flite floor": 1000, "flite murmur": 1000}  # where it is installed
TAKES_OF_A_PERSON = 20  # of each beginning, cut a little sooner or later


class Phrase(NamedTuple):
    language: str
    kind: str
    text: str


class Clip(NamedTuple):
    """A sound from its onset on. `floor`: of somebody who goes on speaking. `group`: the language, or the person."""

    floor: bool
    family: str
    group: str
    wave: Wave


class Example(NamedTuple):
    """A clip as the engine hears it: power() of the whole overlap(), as log10."""

    floor: bool
    family: str
    group: str
    power: NDArray[np.float16]


def corpus(*, held: bool, people: list[str]) -> list[Example]:
    """Held-out voices and sentences, or the others; and these people."""
    takes = MEASURED if held else LEARNED
    if shutil.which("flite"):
        takes = takes | FLITE
    jobs = [(family, seed) for family, count in takes.items() for seed in range(0, count, JOB)]
    with ProcessPoolExecutor() as pool:
        made = pool.map(partial(_examples, held), *zip(*jobs, strict=True))
        return [example for some in (*made, *pool.map(_person, people)) for example in some]


def _examples(held: bool, family: str, seed: int) -> list[Example]:
    random = np.random.default_rng([seed, held, *family.encode()])
    clips = [_clip(family, held, random) for _ in range(JOB)]
    takes = 1 if held else 2
    return [heard(clip, held, random) for clip in clips if len(clip.wave) >= SHORTEST for _ in range(takes)]


def _clip(family: str, held: bool, random: Random) -> Clip:
    if family == "babble":
        return Clip(False, family, "", babble(held, random))
    if family == "gibberish":
        return Clip(True, family, "", trimmed(murmur_sounds.gibberish(random)))
    if family in SOUNDS:
        return Clip(False, family, "", trimmed(SOUNDS[family](random)))
    if family == "scramble":
        phrase = scramble(random)
        return Clip(True, family, phrase.language, espeak(phrase, held, random))
    phrase = any_phrase(family.split()[-1], held, random, language="en" if "flite" in family else None)
    wave = flite(phrase, held, random) if "flite" in family else espeak(phrase, held, random)
    return Clip(phrase.kind == "floor", family, phrase.language, wave)


def _person(name: str) -> list[Example]:
    """What they begin to say, and as many murmurs in their voice."""
    random = np.random.default_rng(list(name.encode()))
    clips: list[Clip] = []
    for person in murmur_people.people():
        if person.name == name:
            starts = person.beginnings * TAKES_OF_A_PERSON
            cuts = [max(start + random.integers(-30 * MS, 50 * MS), 0) for start in starts]
            said = [person.wave[cut : cut + RATE] for cut in cuts]
            hummed = [murmur_people.murmur(person, random) for _ in said] if person.vowels else []
            clips += [Clip(True, "person", name, wave) for wave in said]
            clips += [Clip(False, "person murmur", name, wave) for wave in hummed]
    return [heard(clip._replace(wave=stretched(clip.wave, random)), False, random) for clip in clips]


@cache
def phrases(kind: str, held: bool) -> list[Phrase]:
    """Murmurs are few, and known. Of what wants the floor, every fourth phrase is held out."""
    lines = [line.split(" ", 2) for line in PHRASES.read_text().splitlines() if not line.startswith("#")]
    some = [Phrase(*line) for line in lines if line[1] == kind]
    return some if kind == "murmur" else [phrase for place, phrase in enumerate(some) if (place % 4 == 3) == held]


def any_phrase(kind: str, held: bool, random: Random, language: str | None = None) -> Phrase:
    some = [phrase for phrase in phrases(kind, held) if language in (None, phrase.language)]
    return some[random.integers(len(some))]


def scramble(random: Random) -> Phrase:
    """Words in no order: any of them may come first, as in more sentences than are written down here."""
    language = random.choice(list(BASES))
    murmurs, words = _words("murmur", language), _words("floor", language)
    first = random.choice([word for word in words if len(word) > 2 and word.strip(",") not in murmurs])
    return Phrase(language, "floor", " ".join([first, *random.choice(words, 3)]))


@cache
def _words(kind: str, language: str) -> list[str]:
    known = [phrase.text.split() for phrase in phrases(kind, held=False) if phrase.language == language]
    return sorted({word for words in known for word in words})


def espeak(phrase: Phrase, held: bool, random: Random) -> Wave:
    variant = random.choice(HELD_VOICES if held else (*COMMON_VOICES, *_voices()))
    voice = random.choice(BASES[phrase.language]) + (f"+{variant}" if variant else "")
    text = phrase.text + random.choice(["", "", ".", ",", "?", "!"])
    spoken = render(text, phrase.language, int(random.uniform(120, 220)), voice) / FULL_SCALE
    return trimmed(stretched(spoken, random))


@cache
def _voices() -> list[str]:
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if " " not in name and name not in (*HELD_VOICES, *NOBODYS_VOICES)]


def flite(phrase: Phrase, held: bool, random: Random) -> Wave:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        slow = f"duration_stretch={random.uniform(0.75, 1.2):.2f}"
        voice = random.choice(HELD_FLITE_VOICES if held else FLITE_VOICES)
        command = ["flite", "-voice", voice, "--setf", slow, "-t", phrase.text, "-o", file.name]
        subprocess.run(command, check=True)  # noqa: S603  the phrases are ours
        with wave_file.open(file.name) as spoken:
            samples = np.frombuffer(spoken.readframes(spoken.getnframes()), "<i2") / FULL_SCALE
            return trimmed(soxr.resample(samples, spoken.getframerate(), RATE))


def babble(held: bool, random: Random) -> Wave:
    """Five to nine talkers, for a second."""
    total = np.zeros(RATE)
    for _ in range(random.integers(5, 10)):
        spoken = np.resize(espeak(any_phrase("floor", held, random), held, random), len(total))
        total += np.roll(spoken, random.integers(len(total))) * random.uniform(0.5, 1)
    return total


def stretched(wave: Wave, random: Random) -> Wave:
    """Pitch, throat and pace of somebody else: up to 22 % lower or higher."""
    return soxr.resample(wave, RATE, RATE * np.exp(random.uniform(-0.2, 0.2)))


def trimmed(wave: Wave) -> Wave:
    """Without what is 35 dB below its loudest 5 ms, before and after."""
    frames = wave[: len(wave) // 80 * 80].reshape(-1, 80)
    levels = np.sqrt(np.square(frames).mean(axis=1))
    loud = np.flatnonzero(levels > levels.max(initial=1e-9) * 10 ** (-35 / 20))
    return wave[loud[0] * 80 : (loud[-1] + 1) * 80] if len(loud) else wave[:0]


def heard(clip: Clip, held: bool, random: Random) -> Example:
    """Over a line, with an agent's echo and a room's noise in it, and an onset that is not exact."""
    wave = np.zeros(LENGTH)
    said = clip.wave[: LENGTH - BEFORE]
    wave[BEFORE : BEFORE + len(said)] = said / murmur_sounds.level(said)
    if random.random() < 0.3:
        echo = np.resize(espeak(any_phrase("floor", held, random), held, random), LENGTH)
        wave += np.roll(echo, random.integers(LENGTH)) / murmur_sounds.level(echo) * _gain(20, 30, random)
    if random.random() < 0.4:
        wave = murmur_sounds.room(wave, random)
    if random.random() < 0.7:
        wave = murmur_sounds.microphone(wave, random)
    noise = murmur_sounds.noise(random, LENGTH)
    below = _gain(10, 30, random) if random.random() < 0.6 else _gain(30, 60, random)
    wave += noise / noise.std() * murmur_sounds.level(wave) * below
    if random.random() < 0.35:
        wave = murmur_sounds.telephone(murmur_sounds.unit(wave), random)
    wave = murmur_sounds.unit(wave) * _gain(3, 30, random)
    onset = BEFORE + int(np.clip(random.normal(10, 30), -60, 100)) * MS
    bands = power(overlap((wave * FULL_SCALE).astype(np.int16), onset))
    return Example(clip.floor, clip.family, clip.group, np.log10(bands + 1).astype(np.float16))


def _gain(least_db: float, most_db: float, random: Random) -> float:
    """So many dB down."""
    return float(10 ** (-random.uniform(least_db, most_db) / 20))
