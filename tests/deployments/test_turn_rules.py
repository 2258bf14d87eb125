import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from deployments.turn_rules import TurnRules, score
from serve_app.conversation.endings import Ending
from serve_app.errors import ProviderError
from serve_app.ports import Judgement, Question
from tests.espeak import RATE, render

AUDIO = Path(__file__).parents[3] / "shared" / "audio"


def judge(*parts: NDArray[np.generic]) -> Judgement:
    return TurnRules().judge(Question(np.concatenate(parts).astype("<i2").tobytes()))


def silence(milliseconds: int) -> NDArray[np.int16]:
    return np.zeros(milliseconds * RATE // 1000, np.int16)


def noise(milliseconds: int, amplitude: float) -> NDArray[np.float64]:
    return np.random.default_rng(3).standard_normal(milliseconds * RATE // 1000) * amplitude


def speech(text: str, language: str) -> NDArray[np.int16]:
    """Rendered, without the silence at its end."""
    samples = render(text, language)
    return samples[: np.flatnonzero(np.abs(samples) > 300)[-1]]


def sentence(milliseconds: int = 1500) -> NDArray[np.int16]:
    samples = speech("quero falar com um atendente", "pt")
    assert len(samples) >= milliseconds * RATE // 1000
    return samples[: milliseconds * RATE // 1000]


def test_silence_is_no_interruption_and_ends_a_turn() -> None:
    judgement = judge(silence(2000))
    assert judgement.interruption == 0
    assert judgement.turn_end > 0.9


@pytest.mark.parametrize("amplitude", [30, 300, 3000])
def test_noise_is_no_interruption(amplitude: float) -> None:
    assert judge(noise(3000, amplitude)).interruption < 0.1


def test_no_audio_says_nothing() -> None:
    for empty in (silence(0), silence(10)):
        judgement = judge(empty)
        assert judgement.turn_end < 0.1
        assert judgement.interruption == 0


def test_speech_up_to_now_interrupts_and_goes_on() -> None:
    judgement = judge(sentence(1000))
    assert judgement.interruption > 0.5
    assert judgement.turn_end < 0.1


@pytest.mark.parametrize("before", [0, 500])
def test_a_blip_is_no_interruption(before: int) -> None:
    assert judge(silence(before), sentence(250)).interruption < 0.1


@pytest.mark.parametrize(("text", "language"), [("uh huh", "en"), ("yes", "en"), ("aham", "pt"), ("sim", "pt")])
@pytest.mark.parametrize("after", [0, 200])
def test_a_backchannel_is_no_interruption(text: str, language: str, after: int) -> None:
    assert judge(silence(500), speech(text, language), silence(after)).interruption < 0.5


def test_the_longer_the_speech_the_more_it_interrupts() -> None:
    scores = [judge(silence(500), sentence(length)).interruption for length in (200, 400, 600, 800, 1200)]
    assert scores == sorted(scores)
    assert scores[-1] > 0.9


def test_the_longer_the_silence_the_more_the_turn_has_ended() -> None:
    spoken = speech("i want to speak with a person", "en")
    scores = [judge(silence(300), spoken, silence(after)).turn_end for after in (0, 100, 200, 300, 400, 600)]
    assert scores == sorted(scores)
    assert scores[0] < 0.1
    assert scores[3] > 0.5
    assert scores[5] > 0.95


def test_words_make_a_short_pause_a_clear_one() -> None:
    pcm = np.concatenate([silence(300), sentence(1000), silence(150)]).tobytes()

    def turn_end(words: str) -> float:
        return TurnRules().judge(Question(pcm, words=words, language="pt")).turn_end

    assert 0.1 < turn_end("") < 0.6
    assert turn_end("pode ser amanhã?") > 0.6
    assert turn_end("quero marcar para...") < 0.01


def test_the_more_the_words_promise_the_longer_is_waited() -> None:
    probabilities = np.array([0.9] * 40 + [0.01] * 20, np.float32)
    levels = np.array([-25.0] * 40 + [-70.0] * 20, np.float32)
    endings = (Ending.COMPLETE, Ending.UNCLEAR, Ending.UNFINISHED, Ending.SPELLING)
    scores = [score(probabilities, levels, ending).turn_end for ending in endings]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] > 0.9
    assert scores[2] < 0.1
    assert (
        score(np.append(probabilities, probabilities[40:]), np.append(levels, levels[40:]), endings[2]).turn_end > 0.9
    )


def test_who_speaks_has_not_ended() -> None:
    probabilities, levels = np.full(40, 0.9, np.float32), np.full(40, -25, np.float32)
    assert score(probabilities, levels, Ending.COMPLETE).turn_end == 0


def test_speech_in_a_quiet_room_counts_for_more_than_as_loud_as_the_room() -> None:
    probabilities = np.array([0.01] * 10 + [0.9] * 30, np.float32)
    clear = score(probabilities, np.array([-70.0] * 10 + [-30.0] * 30, np.float32))
    faint = score(probabilities, np.array([-44.0] * 10 + [-43.0] * 30, np.float32))
    assert clear.interruption > 0.8
    assert faint.interruption < 0.1


def test_falling_level_ends_a_turn_sooner() -> None:
    probabilities = np.array([0.9] * 40 + [0.01] * 6, np.float32)
    level = np.array([-25.0] * 40 + [-70.0] * 6, np.float32)
    falling = level.copy()
    falling[32:40] -= 8
    assert score(probabilities, falling).turn_end > score(probabilities, level).turn_end + 0.1


def test_what_was_said_before_a_pause_is_no_part_of_the_interruption() -> None:
    assert judge(sentence(1500), silence(900), sentence(250)).interruption < 0.1
    assert judge(sentence(1500), silence(900)).interruption == 0


def test_only_the_last_eight_seconds_count() -> None:
    before, window = sentence(1500), [silence(7000), sentence(1000)]
    assert judge(before, *window) == judge(*window)


def test_dc_offset_does_not_matter() -> None:
    parts = np.concatenate([silence(500), sentence(1000), silence(300)]).astype(np.int32) // 2
    plain, shifted = judge(parts), judge(parts + 5000)
    assert shifted.turn_end == pytest.approx(plain.turn_end, abs=0.05)
    assert shifted.interruption == pytest.approx(plain.interruption, abs=0.05)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ProviderError, match="odd number of bytes"):
        TurnRules().judge(Question(b"\x00\x00\x00"))


@pytest.mark.skipif(not AUDIO.is_dir(), reason="recordings of people are not here")
@pytest.mark.parametrize("clip", ["en_librivox_0890", "pt_lapsbm_0240", "pt_lapsbm_0415", "pt_pico_rio"])
def test_people_hold_the_turn_while_they_speak_and_have_ended_it_after_a_silence(clip: str) -> None:
    with wave.open(str(AUDIO / f"{clip}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    middle = samples[: len(samples) // 2]
    assert judge(middle).turn_end < 0.1
    assert judge(middle).interruption > 0.8
    # Room sound of the clip itself would be better, but digital silence is what a muted microphone sends.
    assert judge(samples, silence(400)).turn_end > 0.8


@given(
    st.integers(0, 60).flatmap(
        lambda n: st.tuples(
            arrays(np.float32, n, elements=st.floats(0, 1, width=32)),
            arrays(np.float32, n, elements=st.floats(-100, 0, width=32)),
        )
    )
)
def test_scores_are_within_0_and_1(frames: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    judgement = score(*frames)
    assert 0 <= judgement.turn_end <= 1
    assert 0 <= judgement.interruption <= 1
