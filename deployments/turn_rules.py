"""Has the turn ended, and is this an interruption? Rules of thumb over Silero, the level and the words: the engine that
needs no model of its own, and the measure for those that do.
"""

import math

import numpy as np
from numpy.typing import NDArray

from serve_app.audio.pcm import FULL_SCALE, Samples
from serve_app.audio.silero import WINDOW_SAMPLES, Silero
from serve_app.conversation.endings import Ending, ending
from serve_app.errors import ProviderError
from serve_app.ports import Judgement, Question

Floats = NDArray[np.float32]

FRAME_MS = WINDOW_SAMPLES / 16  # one Silero window at 16 kHz: 32 ms
LONGEST_WINDOW_SAMPLES = 8 * 16_000

SPEECH_PROBABILITY = 0.5  # Silero's own threshold
SILERO_LATENESS_MS = 54  # Silero still says speech this long after the sound has gone (median of eight human clips)

# The pause after which a turn is as likely over as not. People leave 200 ms between turns (Stivers et al., "Universals
# and cultural variation in turn-taking", PNAS 106, 2009): only words make the score of a shorter pause a clear one. The
# score passes 0.1 and 0.9 about 130 ms to either side.
PATIENCE_MS = {Ending.COMPLETE: 60, Ending.UNCLEAR: 200, Ending.UNFINISHED: 900, Ending.SPELLING: 1200}
PATIENCE_SCALE_MS = 60
# Level falls towards the end of a turn and holds before a mere pause (Gravano and Hirschberg, "Turn-taking cues in
# task-oriented dialogue", Computer Speech & Language 25, 2011). A hint only: it is worth less than one scale.
FALL_MS = 256
FULL_FALL_DB = 6
FALL_WORTH_MS = 40

# A pause longer than this parts one stretch of speech from the next, and only the last one can be an interruption.
PAUSE_MS = 500
# "Uh-huh", "aham", "sim" sound for 250-450 ms; who has spoken for longer wants the floor.
INTERRUPTION_MS = 500
INTERRUPTION_SCALE_MS = 60

# Speech barely above the room is somebody else's, or our own voice coming back; at 12 dB it is the caller's.
FAINT_DB = 3
CLEAR_DB = 12
# The floor is the level that a tenth of the window stays below. A window full of speech has no such tenth.
FLOOR_PERCENTILE = 10
HIGHEST_FLOOR_DB = -45.0


class TurnRules:
    """The rules as an engine. Stateless: each window is judged by itself."""

    def describe(self) -> str:
        """As TurnEngine.describe."""
        return "rules over Silero, the level and the words"

    def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge; 20 ms of one core for 8 s. Raises ProviderError if `pcm` holds half a sample."""
        windows = _windows(wave_of(samples_of(question.pcm)[-LONGEST_WINDOW_SAMPLES:]))
        asked = next((message.content for message in reversed(question.dialogue) if message.role == "assistant"), "")
        said = ending(question.words, question.language, asked)
        return score(_probabilities(windows), _levels_db(windows), said)


def score(probabilities: Floats, levels_db: Floats, ending: Ending = Ending.UNCLEAR) -> Judgement:
    """Judge Silero windows up to now: the probability of speech in each, its level in dB of full scale; and what the
    words say.
    """
    voiced = probabilities >= SPEECH_PROBABILITY
    stretch = _last_stretch(voiced)
    return Judgement(
        turn_end=_turn_end(len(voiced), stretch, levels_db, PATIENCE_MS[ending]),
        interruption=_interruption(len(voiced), stretch, probabilities, levels_db),
    )


def samples_of(pcm: bytes) -> Samples:
    """A question's audio. Raises ProviderError if it holds half a sample."""
    if len(pcm) % 2:
        raise ProviderError("the window is not s16le: it has an odd number of bytes")
    return np.frombuffer(pcm, "<i2")


def wave_of(samples: Samples) -> Floats:
    """Full scale 1, without DC: some telephones add plenty of it."""
    wave = samples.astype(np.float32) / np.float32(FULL_SCALE)
    return wave - wave.mean() if len(wave) else wave


def speech_ms(wave: Floats) -> float:
    """How much of it Silero calls speech."""
    return FRAME_MS * int((_probabilities(_windows(wave)) >= SPEECH_PROBABILITY).sum())


def _turn_end(count: int, stretch: NDArray[np.intp], levels_db: Floats, patience_ms: float) -> float:
    if not len(stretch):
        return _logistic((count * FRAME_MS - patience_ms) / PATIENCE_SCALE_MS)
    if not (since := _frames_since(stretch, count)):
        return 0.0  # they are speaking
    silence_ms = since * FRAME_MS + SILERO_LATENESS_MS
    fall_ms = FALL_WORTH_MS * _fall(levels_db[stretch])
    return _logistic((silence_ms + fall_ms - patience_ms) / PATIENCE_SCALE_MS)


def _interruption(count: int, stretch: NDArray[np.intp], probabilities: Floats, levels_db: Floats) -> float:
    if not len(stretch) or _frames_since(stretch, count) * FRAME_MS > PAUSE_MS:
        return 0.0
    duration = _logistic((len(stretch) * FRAME_MS - INTERRUPTION_MS) / INTERRUPTION_SCALE_MS)
    certainty = float(probabilities[stretch].mean())
    floor_db = min(float(np.percentile(levels_db, FLOOR_PERCENTILE)), HIGHEST_FLOOR_DB)
    return duration * certainty * _ramp(float(levels_db[stretch].mean()) - floor_db, FAINT_DB, CLEAR_DB)


def _windows(wave: Floats) -> Floats:
    """Whole Silero windows up to the last sample."""
    return wave[len(wave) % WINDOW_SAMPLES :].reshape(-1, WINDOW_SAMPLES)


def _probabilities(windows: Floats) -> Floats:
    silero = Silero()
    return np.array([silero.process(window) for window in windows], np.float32)


def _levels_db(windows: Floats) -> Floats:
    power = np.square(windows).mean(axis=1)
    levels: Floats = 10 * np.log10(np.maximum(power, np.float32(1e-10)))
    return levels


def _last_stretch(voiced: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices of the voiced frames after the last long pause."""
    spoken = np.flatnonzero(voiced)
    pauses = np.flatnonzero(np.diff(spoken) * FRAME_MS > PAUSE_MS)
    return spoken[pauses[-1] + 1 :] if len(pauses) else spoken


def _frames_since(stretch: NDArray[np.intp], count: int) -> int:
    return count - 1 - int(stretch[-1])


def _fall(levels_db: Floats) -> float:
    """How far the level falls at the end of a stretch, 0..1."""
    last = round(FALL_MS / FRAME_MS)
    if len(levels_db) <= last:
        return 0.0
    return _ramp(float(levels_db[:-last].mean() - levels_db[-last:].mean()), 0, FULL_FALL_DB)


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -30.0), 30.0)))
