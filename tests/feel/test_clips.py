import numpy as np
import pytest

from serve_app.audio.framing import RATE
from tests.feel import held_out, tuned
from tests.feel.clips import SPEECH_DB, STEP, Clip, available, clip, room_tone
from tests.feel.noises import NAMES
from tests.feel.score import HUMMED, UNWRITTEN_MARK, Cut, Noise, Sound, Speech, Voice

SOUNDS = list(
    dict.fromkeys(
        sound for each in (tuned, held_out) for score in each.MATERIAL.scores()[::7] for sound in score.sounds
    )
)
SENTENCE = Speech("Eu queria marcar uma consulta, ~hum e", Voice("pt-br", 165))


def level_db(wave: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(wave))))


@pytest.mark.parametrize("sound", SOUNDS, ids=lambda sound: f"{sound.source} {sound.written[:20]}")
def test_a_clip_is_exact_at_both_ends_and_its_words_follow_each_other(sound: Sound) -> None:
    if not available(sound):
        pytest.skip("the recording is not here")
    found = clip(sound)
    ends = [word.end for word in found.words]
    assert ends == sorted(ends)
    assert all(0 < end <= len(found.wave) for end in ends)
    if isinstance(sound, Speech):
        assert ends[-1] == len(found.wave) or sound.text.split()[-1].startswith(UNWRITTEN_MARK)
        assert_audible_at_both_ends(found)


def assert_audible_at_both_ends(found: Clip) -> None:
    loudest = max(level_db(step) for step in found.wave[: len(found.wave) // STEP * STEP].reshape(-1, STEP))
    assert level_db(found.wave[:STEP] + 1e-9) > loudest - 60
    assert level_db(found.wave[-STEP:] + 1e-9) > loudest - 60


def test_words_are_timed_where_they_are_said() -> None:
    first, *_, last = clip(SENTENCE).words
    assert first.text == "Eu"
    assert 0.05 < first.end / RATE < 0.4
    assert last.text == "e"


def test_a_filled_pause_is_heard_and_not_written() -> None:
    without = clip(Speech("Eu queria marcar uma consulta, e", Voice("pt-br", 165)))
    assert clip(SENTENCE).seconds > without.seconds + 0.1
    assert [word.text for word in clip(SENTENCE).words] == [word.text for word in without.words]


@pytest.mark.parametrize("voice", [Voice("pt-br+f2"), Voice("en-us+klatt2"), Voice(HUMMED)], ids=lambda v: v.name)
def test_speech_is_as_loud_in_every_voice(voice: Voice) -> None:
    wave = clip(Speech("uhum, uhum", voice)).wave
    assert level_db(wave) == pytest.approx(SPEECH_DB, abs=4)


@pytest.mark.parametrize("name", NAMES)
def test_a_noise_is_as_long_and_loud_as_it_should_be_and_another_with_another_seed(name: str) -> None:
    one, other = clip(Noise(name, 0.8, -30, 5)), clip(Noise(name, 0.8, -30, 6))
    assert one.words == ()
    assert len(one.wave) == len(other.wave) == round(0.8 * RATE)
    assert -45 < level_db(one.wave) < -26
    assert not np.allclose(one.wave, other.wave) or name == "hum"


def test_the_tone_of_a_room_is_as_quiet_as_the_room() -> None:
    phrase = Cut("pt_lapsbm_0240.wav", 0.26, 1.10, "ele atribuiu")
    if not available(phrase):
        pytest.skip("the recording is not here")
    tone = room_tone(phrase.file)
    assert -60 < level_db(tone) < level_db(clip(phrase).wave) - 15
