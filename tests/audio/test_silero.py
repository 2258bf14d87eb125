import numpy as np
from faster_whisper.vad import get_vad_model

from serve_app.audio.silero import WINDOW_SAMPLES, Silero
from tests.espeak import render


def windows(samples: np.ndarray) -> np.ndarray:
    wave = samples.astype(np.float32) / 32768
    return wave[: len(wave) // WINDOW_SAMPLES * WINDOW_SAMPLES].reshape(-1, WINDOW_SAMPLES)


SPEECH = windows(render("quero marcar uma consulta para amanhã", "pt"))


def test_streaming_equals_the_batch_code_of_the_wheel() -> None:
    silero = Silero()
    streamed = [silero.process(window) for window in SPEECH]
    assert max(streamed) > 0.9
    np.testing.assert_allclose(streamed, get_vad_model()(SPEECH.reshape(-1)).reshape(-1), atol=0.002)


def test_two_streams_do_not_hear_each_other() -> None:
    one, other, alone = Silero(), Silero(), Silero()
    for window in SPEECH:
        other.process(np.zeros(WINDOW_SAMPLES, np.float32))
        assert one.process(window) == alone.process(window)


def test_reset_forgets() -> None:
    silero = Silero()
    first = [silero.process(window) for window in SPEECH]
    silero.reset()
    assert [silero.process(window) for window in SPEECH] == first


def test_silence_is_not_speech() -> None:
    silero = Silero()
    assert max(silero.process(np.zeros(WINDOW_SAMPLES, np.float32)) for _ in range(30)) < 0.2
