import io
import wave

import av
import numpy as np
import pytest

from serve_app.audio.framing import RATE
from serve_app.errors import StoreError
from serve_app.recordings.codecs import MP3_BITS_PER_SECOND, flac, flac_samples, mp3, wav
from tests.recordings.sounds import likeness, speech


@pytest.mark.parametrize("length", [1, 15, 1152, 1153, 100_000])
def test_flac_loses_nothing(length: int) -> None:
    samples = speech(length / RATE)
    np.testing.assert_array_equal(np.concatenate(list(flac_samples(flac(samples)))), samples)


def test_flac_of_a_minute_of_silence_is_nearly_nothing() -> None:
    assert len(flac(np.zeros(60 * RATE, np.int16))) < 20_000


def test_there_is_no_flac_of_nothing() -> None:
    with pytest.raises(ValueError, match="no samples"):
        flac(np.empty(0, np.int16))


def test_damaged_flac_is_said_after_what_is_whole() -> None:
    samples = speech(1.0)
    whole: list[np.ndarray] = []
    with pytest.raises(StoreError, match="damaged"):
        whole.extend(flac_samples(flac(samples)[:-500]))
    kept = np.concatenate(whole)
    assert 0 < len(kept) < len(samples)
    np.testing.assert_array_equal(kept, samples[: len(kept)])


def test_mp3_sounds_like_it_and_comes_piece_by_piece() -> None:
    samples = speech(10.0)
    encoded = list(mp3(np.split(samples, 10)))
    assert [len(piece) > 0 for piece in encoded] == [True] * 11
    data = b"".join(encoded)
    assert len(data) == pytest.approx(10 * MP3_BITS_PER_SECOND / 8, rel=0.03)
    with av.open(io.BytesIO(data), "r") as container:
        (stream,) = container.streams.audio
        assert (stream.codec_context.name, stream.rate, stream.channels) == ("mp3float", RATE, 1)
        decoded = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(stream)]) * 32768
    assert len(decoded) == pytest.approx(len(samples), abs=0.2 * RATE)
    assert likeness(decoded, samples) > 0.9


def test_wav_is_read_as_it_was() -> None:
    samples = speech(2.0)
    data = b"".join(wav(np.split(samples, 4), len(samples)))
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:4] == (1, 2, RATE, len(samples))
        assert file.readframes(len(samples) + 1) == samples.tobytes()


def test_wav_is_no_longer_than_its_header_says() -> None:
    samples = speech(2.0)
    data = b"".join(wav(np.split(samples, 4), RATE))
    assert data[44:] == samples[:RATE].tobytes()
