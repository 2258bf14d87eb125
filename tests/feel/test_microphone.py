import numpy as np
import pytest

from serve_app.audio.framing import FRAME_SAMPLES, RATE
from tests.feel.clips import clip
from tests.feel.microphone import PCM, TELEPHONE, Loudspeaker, Microphone
from tests.feel.score import Echo, Kind, Line, Noise, Score, Speech, Voice

SENTENCE = Speech("quero um café, e", Voice("pt-br"))
CLICK = (np.ones(160, np.int16) * 20_000).tobytes()


def microphone(line: Line) -> tuple[Microphone, Loudspeaker]:
    score = Score("test", Kind.PAUSE, "pt", (SENTENCE,), line)
    loudspeaker = Loudspeaker(TELEPHONE if line.telephone else PCM)
    return Microphone(score, loudspeaker), loudspeaker


def heard(source: Microphone, seconds: float) -> np.ndarray:
    frames = [source.format.decode(source.frame()) for _ in range(round(seconds * 50))]
    return np.concatenate(frames).astype(float)


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples - samples.mean())) / 32768**2 + 1e-10))


def test_a_clip_begins_at_its_sample() -> None:
    source, _ = microphone(Line())
    at = 1_000
    end = source.speak(clip(SENTENCE), at)
    samples = np.abs(heard(source, 2.0))
    assert samples[:at].max() < 40
    assert np.flatnonzero(samples > 100)[0] - at < 0.03 * RATE
    assert 0 <= end - np.flatnonzero(samples > 100)[-1] < 0.05 * RATE


def test_a_recogniser_knows_the_words_that_have_been_said() -> None:
    source, _ = microphone(Line())
    source.speak(clip(SENTENCE), RATE)
    first, *_, last = source.words
    assert source.transcript(0, RATE) == ""
    assert source.transcript(0, first.end) == "Quero."
    assert source.transcript(0, last.end) == "Quero um café, e."
    assert source.transcript(first.end, last.end) == "Um café, e."


def test_no_transcript_ends_in_a_comma() -> None:
    source, _ = microphone(Line())
    source.speak(clip(SENTENCE), 0)
    assert source.transcript(0, source.words[2].end) == "Quero um café."


@pytest.mark.parametrize(
    ("line", "db"), [(Line(), -21), (Line(gain_db=-18), -39), (Line(gain_db=6), -15), (Line(telephone=True), -21)]
)
def test_the_line_sets_the_level(line: Line, db: float) -> None:
    source, _ = microphone(line)
    source.speak(clip(SENTENCE), 0)
    assert level_db(heard(source, clip(SENTENCE).seconds)) == pytest.approx(db, abs=5)


def test_a_telephone_has_half_the_samples_and_no_bass() -> None:
    hum = Line(telephone=True, background=Noise("hum", 1.0, -30, 1))
    source, _ = microphone(hum)
    assert len(source.frame()) == FRAME_SAMPLES // 2
    assert level_db(heard(source, 0.5)) < -40  # what is left of the mains at 300 and 420 Hz


def test_a_dc_offset_is_in_every_sample() -> None:
    source, _ = microphone(Line(dc=0.1))
    assert heard(source, 0.5).mean() == pytest.approx(0.1 * 32768, rel=0.02)


def test_an_echo_comes_back_later_and_softer() -> None:
    source, loudspeaker = microphone(Line(echo=Echo(level_db=-20, delay_s=0.1, seed=3)))
    loudspeaker.play(CLICK, 0.5)
    samples = np.abs(heard(source, 1.0))
    assert samples[: round(0.6 * RATE)].max() < 50
    assert 1_000 < samples[round(0.6 * RATE) : round(0.65 * RATE)].max() < 4_000


def test_what_a_loudspeaker_dropped_has_no_echo() -> None:
    source, loudspeaker = microphone(Line(echo=Echo(level_db=-20, delay_s=0.1, seed=3)))
    loudspeaker.play(CLICK, 0.5)
    loudspeaker.stop(0.4)
    assert np.abs(heard(source, 1.0)).max() < 50


def test_a_loudspeaker_plays_one_audio_after_another() -> None:
    _, loudspeaker = microphone(Line())
    loudspeaker.play(CLICK, 0.1)
    loudspeaker.play(CLICK, 0.1)
    assert np.count_nonzero(loudspeaker.between(0, RATE)) == 320
