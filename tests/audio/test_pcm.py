import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.audio.pcm import SILENCE_DB, SUPPORTED_FORMATS, AudioFormat, level_db

PCM = AudioFormat.parse("pcm_16000")
ULAW = AudioFormat.parse("ulaw_8000")
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)

formats = st.sampled_from(SUPPORTED_FORMATS)
int16 = st.integers(-32768, 32767)
gains = st.floats(0, 1)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 48000])
def test_parse_reads_codec_and_rate(rate: int) -> None:
    assert AudioFormat.parse(f"pcm_{rate}") == AudioFormat("pcm", rate)


@pytest.mark.parametrize("name", ["", "pcm", "pcm_11025", "ulaw_16000", "mp3_44100_128", "PCM_16000", "pcm_016000"])
def test_parse_refuses_other_names_and_lists_its_own(name: str) -> None:
    with pytest.raises(ValueError, match=r"pcm_8000, pcm_16000, .*pcm_48000, ulaw_8000"):
        AudioFormat.parse(name)


@given(formats)
def test_name_is_what_parse_reads(audio: AudioFormat) -> None:
    assert AudioFormat.parse(audio.name) == audio


@given(formats, st.integers(0, 10**7))
def test_seconds_and_bytes_for_are_inverse_on_whole_samples(audio: AudioFormat, samples: int) -> None:
    nbytes = samples * audio.bytes_per_sample
    assert audio.bytes_for(audio.seconds(nbytes)) == nbytes


@given(formats, st.floats(0, 100))
def test_bytes_for_is_within_half_a_sample(audio: AudioFormat, seconds: float) -> None:
    nbytes = audio.bytes_for(seconds)
    assert nbytes % audio.bytes_per_sample == 0
    assert abs(audio.seconds(nbytes) - seconds) <= 0.5 / audio.rate + 1e-9


@given(formats, st.integers(0, 500))
def test_silence_decodes_to_zeros(audio: AudioFormat, samples: int) -> None:
    silence = audio.silence(samples * audio.bytes_per_sample)
    assert audio.decode(silence).tolist() == [0] * samples


@given(st.lists(int16))
def test_pcm_round_trip_is_exact(values: list[int]) -> None:
    samples = np.array(values, np.int16)
    assert PCM.decode(PCM.encode(samples)).tolist() == values


def test_pcm_is_little_endian() -> None:
    assert PCM.encode(np.array([1, -2], np.int16)) == b"\x01\x00\xfe\xff"


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        PCM.decode(b"\x00\x01\x02")


@pytest.mark.parametrize(
    ("code", "value"), [(0xFF, 0), (0x7F, 0), (0x80, 32124), (0x00, -32124), (0xFE, 8), (0x8F, 16764)]
)
def test_ulaw_codes_of_g711(code: int, value: int) -> None:
    assert ULAW.decode(bytes([code])).tolist() == [value]


def test_ulaw_error_stays_within_half_a_step_of_its_segment() -> None:
    """Below the clip, at 32635: there a segment begins at 128 << segment biased, its step is 8 << segment."""
    error = np.abs(ULAW.decode(ULAW.encode(ALL_SAMPLES)).astype(int) - ALL_SAMPLES)
    magnitude = np.abs(ALL_SAMPLES.astype(int))
    half_step = 4 << np.floor(np.log2((np.minimum(magnitude, 32635) + 132) / 128)).astype(int)
    clipped = magnitude > 32635
    assert (error[~clipped] <= half_step[~clipped]).all()
    assert error[clipped].max() == 32768 - 32124


def test_ulaw_codes_survive_decoding() -> None:
    codes = bytes(range(256))
    again = ULAW.encode(ULAW.decode(codes))
    assert again == codes.replace(b"\x7f", b"\xff")  # the one loss: minus zero


def test_ulaw_is_monotonic() -> None:
    assert (np.diff(ULAW.decode(ULAW.encode(ALL_SAMPLES)).astype(int)) >= 0).all()


@given(formats, st.binary(max_size=400).map(lambda data: data[: len(data) // 2 * 2]))
def test_scaled_by_one_is_the_same_object(audio: AudioFormat, data: bytes) -> None:
    assert audio.scaled(data, 1, 1) is data


@given(formats, st.lists(int16, max_size=200), gains, gains)
def test_scaled_keeps_length_and_never_amplifies(
    audio: AudioFormat, values: list[int], start: float, end: float
) -> None:
    data = audio.encode(np.array(values, np.int16))
    scaled = audio.scaled(data, start, end)
    assert len(scaled) == len(data)
    assert (np.abs(audio.decode(scaled).astype(int)) <= np.abs(audio.decode(data).astype(int))).all()


@given(formats, int16, gains, gains)
def test_scaled_constant_follows_the_ramp(audio: AudioFormat, value: int, start: float, end: float) -> None:
    data = audio.encode(np.full(100, value, np.int16))
    steps = np.diff(np.abs(audio.decode(audio.scaled(data, start, end)).astype(int)))
    assert (steps * np.sign(end - start) >= 0).all()


def test_ramps_in_a_row_join_without_a_step() -> None:
    data = PCM.encode(np.full(200, 10000, np.int16))
    halves = PCM.scaled(data[:200], 1, 0.5) + PCM.scaled(data[200:], 0.5, 0)
    assert halves == PCM.scaled(data, 1, 0)


def test_level_of_a_full_scale_sine_is_minus_3_db() -> None:
    sine = 32767 * np.sin(2 * np.pi * np.arange(320) / 32)
    assert level_db(sine.astype(np.int16)) == pytest.approx(-3.01, abs=0.01)


def test_level_ignores_a_dc_offset() -> None:
    square = np.tile(np.array([100, -100], np.int16), 160)
    assert level_db(square - np.int16(5000)) == pytest.approx(level_db(square), abs=0.05)


@pytest.mark.parametrize("samples", [np.zeros(320, np.int16), np.full(320, -4000, np.int16), np.empty(0, np.int16)])
def test_level_of_silence(samples: np.ndarray) -> None:
    assert level_db(samples) == SILENCE_DB
