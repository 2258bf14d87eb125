import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deployments.murmur import Murmur
from serve_app.errors import ProviderError
from serve_app.ports import Question
from tests.audio.human_speech import HUMAN_CLIPS, human_clip
from tests.espeak import RATE, render

MS = RATE // 1000
BEFORE = 500 * MS
MURMUR = Murmur()
MOMENTS = (160, 200, 240, 280, 320)

# Voices that it was not trained on.
VOICES = ("m5", "f3", "klatt3", "Andrea", "edward", "linda", "paul", "Hugo")
MURMURS = {
    "pt": ("arrum", "aham", "ahã", "sei", "tá", "ok", "certo", "sim", "tá certo"),
    "en": ("uh huh", "yeah", "okay", "I see", "yep", "ah", "oh ok", "yeah yeah"),
}
# Neither was it on these sentences.
FLOOR = {
    "pt": ("espera", "pode parar", "na segunda-feira não posso", "mas quanto custa isso", "desculpa interromper"),
    "en": ("wait", "no thank you", "can I just say", "because I need it now", "these are not mine", "never mind"),
}


def line(samples: NDArray[np.generic]) -> NDArray[np.int16]:
    """A quiet line, on which somebody sounds after BEFORE, at -4 dB of full scale, until 600 ms later."""
    wave = np.random.default_rng(1).standard_normal(BEFORE + 600 * MS) * 8
    heard = samples[: 600 * MS] / np.abs(samples).max() * 20_000
    wave[BEFORE : BEFORE + len(heard)] += heard
    return wave.astype(np.int16)


def spoken(text: str, language: str, variant: str = "", rate: int = 160) -> NDArray[np.int16]:
    samples = render(text, language, rate, {"pt": "pt-br", "en": "en-us"}[language] + variant)
    return samples[np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 0.02)[0] :]


def ask(samples: NDArray[np.generic], milliseconds: int, onset: int = BEFORE) -> float:
    """How much of an interruption it is, so long after its onset."""
    pcm = samples[: onset + milliseconds * MS].astype("<i2").tobytes()
    judgement = MURMUR.judge(Question(pcm, onset=onset, overlap=True))
    assert judgement.turn_end == 0
    return judgement.interruption


def highest(samples: NDArray[np.generic]) -> float:
    """The same, asked again and again while there is time to stop the agent."""
    return max(ask(line(samples), milliseconds) for milliseconds in MOMENTS)


def share_stopped(phrases: dict[str, tuple[str, ...]]) -> float:
    """What part of them, in all the voices, would stop the agent."""
    said = [(text, language) for language, texts in phrases.items() for text in texts]
    stops = [highest(spoken(text, language, f"+{voice}")) >= 0.5 for text, language in said for voice in VOICES]
    return sum(stops) / len(stops)


def test_a_sentence_stops_the_agent_before_its_first_word_is_known() -> None:
    assert highest(spoken("Actually I have another question for you.", "en")) >= 0.5


@pytest.mark.parametrize("text", ["uh huh", "yeah"])
def test_a_listener_never_does(text: str) -> None:
    samples = line(spoken(text, "en"))
    assert max(ask(samples, milliseconds) for milliseconds in range(160, 600, 20)) < 0.3


@pytest.mark.skipif(not HUMAN_CLIPS.is_dir(), reason="recordings of people are not here")
def test_a_human_voice_stops_the_agent() -> None:
    assert highest(human_clip("jfk.flac")[round(8.20 * RATE) : round(10.51 * RATE)]) >= 0.5


def test_murmurs_in_other_voices_rarely_stop_the_agent() -> None:
    assert share_stopped(MURMURS) <= 0.03


def test_sentences_in_other_voices_mostly_do() -> None:
    assert share_stopped(FLOOR) >= 0.85


@pytest.mark.parametrize("amplitude", [0, 1, 30, 3000])
def test_noise_does_not_stop_the_agent(amplitude: float) -> None:
    noise = np.random.default_rng(2).standard_normal(BEFORE + 500 * MS) * amplitude
    assert max(ask(noise, milliseconds) for milliseconds in range(0, 500, 20)) < 0.5


@pytest.mark.parametrize("hertz", [60, 440, 1000])
def test_a_tone_does_not_stop_the_agent(hertz: int) -> None:
    assert highest(np.sin(2 * np.pi * hertz / RATE * np.arange(RATE))) < 0.5


@pytest.mark.parametrize("text", ["can I just say", "uh huh"])
def test_loudness_and_dc_do_not_matter(text: str) -> None:
    samples = line(spoken(text, "en"))
    for milliseconds in MOMENTS:
        plain = ask(samples, milliseconds)
        assert ask(samples / 8, milliseconds) == pytest.approx(plain, abs=0.05)
        assert ask(samples * 0.5 + 8000, milliseconds) == pytest.approx(plain, abs=0.05)


def test_the_first_moments_say_nothing() -> None:
    samples = line(spoken("can I just say", "en"))
    assert [ask(samples, milliseconds) for milliseconds in (0, 1, 100, 149)] == [0] * 4
    assert ask(samples, 150) > 0


def test_the_first_half_second_says_it_all() -> None:
    samples = line(spoken("can I just say", "en"))
    assert ask(samples, 500) == ask(samples, 600)


def test_an_overlap_may_begin_with_the_window() -> None:
    samples = line(spoken("can I just say", "en"))[BEFORE:]
    assert ask(samples, 320, onset=0) > 0.5


@given(st.integers(0, 700 * MS), st.integers(0, 700 * MS), st.integers(0, 32_767))
def test_any_window_has_an_answer(length: int, onset: int, amplitude: int) -> None:
    samples = (np.sin(np.arange(length)) * amplitude).astype("<i2")
    assert 0 <= MURMUR.judge(Question(samples.tobytes(), onset=onset, overlap=True)).interruption <= 1


def test_threads_share_it() -> None:
    samples = line(spoken("can I just say", "en"))
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, [samples] * 200, [320] * 200))) == 1


def test_a_judgement_costs_less_than_a_millisecond() -> None:
    samples, spent = line(spoken("can I just say", "en")), []
    for _ in range(50):
        started = time.perf_counter()
        ask(samples, 500)
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.001  # of many: the others measure the neighbours


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ProviderError, match="odd number of bytes"):
        MURMUR.judge(Question(bytes(2 * RATE + 1), overlap=True))
