from itertools import pairwise

import numpy as np
import pytest

from serve_app.audio.detector import Frame, FrameDetector
from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import level_db
from tests.audio.human_speech import HUMAN_CLIPS, human_clip
from tests.espeak import render

MS = RATE // 1000
BUFFER = 250 * MS  # what the turn-taker waits at least: voiced runs closer than this are one region
WARM_UP = 800 * MS

RATE_OF_SPEECH = 175  # words a minute: espeak-ng's own
PHRASES = [
    ("pt-br", "sim"),
    ("pt-br", "sete"),
    ("pt-br", "foi sexta feira"),
    ("pt-br", "fala comigo amanhã"),
    ("pt-br+f2", "quero marcar uma consulta"),
    ("pt-br+f2", "aham"),
    ("en-us", "yes"),
    ("en-us", "stop"),
    ("en-us", "six"),
    ("en-us", "thanks"),
    ("en-us+f2", "he has five fish"),
    ("en-us+f2", "what time is it"),
]
# How often each speaker really pauses for 250 ms or more.
PAUSES = {"jfk.flac": 4, "tel_webrtcvad_leak.wav": 2}
CLIPS = sorted(path.name for path in HUMAN_CLIPS.glob("*.*") if path.suffix in (".wav", ".flac"))


def noise(samples: int, db: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(samples) * 32768 * 10 ** (db / 20)


def as_int16(wave: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


def on_a_line(speech: np.ndarray, db: float = -72) -> np.ndarray:
    """Speech with WARM_UP of nothing on either side, a line's noise and its microphone's DC offset all along."""
    offset = np.full(WARM_UP, speech.mean())
    call = np.concatenate([offset, speech, offset])
    return as_int16(call + noise(len(call), db))


def judge(call: np.ndarray) -> list[Frame]:
    detector = FrameDetector()
    whole = len(call) // FRAME_SAMPLES * FRAME_SAMPLES
    return [detector.process(frame) for frame in call[:whole].reshape(-1, FRAME_SAMPLES)]


def regions(frames: list[Frame]) -> list[tuple[int, int]]:
    """Start and end of the voiced runs, merged over gaps shorter than BUFFER, in samples of the call."""
    found: list[tuple[int, int]] = []
    for frame in frames:
        if not frame.voiced:
            continue
        start = frame.end - FRAME_SAMPLES if frame.onset is None else frame.onset
        if found and start - found[-1][1] < BUFFER:
            start = found.pop()[0]
        found.append((start, frame.end))
    return found


def levels(samples: np.ndarray) -> np.ndarray:
    """dBFS of every 20 ms window, one each 10 ms."""
    starts = range(0, len(samples) - FRAME_SAMPLES + 1, 10 * MS)
    return np.array([level_db(samples[start : start + FRAME_SAMPLES]) for start in starts])


def sustained(samples: np.ndarray, depth: float) -> tuple[int, int]:
    """First and last sample of sound within `depth` dB of the speech's peak for 60 ms."""
    level = levels(samples)
    near = level > np.percentile(level, 99) - depth
    runs = np.flatnonzero(np.convolve(near, np.ones(5), "valid") == 5)
    return int(runs[0]) * 10 * MS, (int(runs[-1]) + 4) * 10 * MS + FRAME_SAMPLES


def tones(seconds: float, *frequencies: float) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * frequency * time) for frequency in frequencies) * 4000


def pink(samples: int, db: float) -> np.ndarray:
    spectrum = np.fft.rfft(noise(samples, 0))
    wave = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), samples)
    return wave / wave.std() * 32768 * 10 ** (db / 20)


def clicks(samples: int) -> np.ndarray:
    wave = noise(samples, -72)
    wave[::4000] += 20000
    wave[1::4000] -= 20000
    return wave


def dtmf() -> np.ndarray:
    keys = [(697, 1209), (770, 1336), (852, 1477), (941, 1336)]
    return np.concatenate([np.append(tones(0.1, *key), np.zeros(1600)) for key in keys * 4])


NOISES = {
    "digital zero": np.zeros(4 * RATE),
    "noise at -72 dBFS": noise(4 * RATE, -72),
    "white noise": noise(4 * RATE, -30),
    "pink noise": pink(4 * RATE, -30),
    "noise that begins": np.append(noise(2 * RATE, -72), noise(2 * RATE, -35)),
    "60 Hz hum": tones(4, 60),
    "hum with harmonics": tones(4, 60, 180, 300),
    "clicks": clicks(4 * RATE),
    "DTMF": dtmf(),
}


@pytest.mark.parametrize("name", NOISES)
def test_what_is_no_speech_opens_no_region(name: str) -> None:
    assert not [frame for frame in judge(as_int16(NOISES[name])) if frame.voiced]


@pytest.mark.parametrize("name", ["digital zero", "noise at -72 dBFS"])
def test_a_quiet_line_is_never_loud(name: str) -> None:
    assert not [frame for frame in judge(as_int16(NOISES[name])) if frame.loud or frame.gate]


def test_noise_on_a_new_line_does_not_open_the_gate() -> None:
    """A new WebRTC detector calls most of its first frames voice, whatever they hold."""
    frames = judge(as_int16(noise(160 * MS, -50)))
    assert all(frame.loud for frame in frames)
    assert not [frame for frame in frames if frame.gate]


@pytest.mark.parametrize("name", ["white noise", "pink noise", "hum with harmonics"])
def test_the_floor_rises_to_steady_noise(name: str) -> None:
    assert not [frame for frame in judge(as_int16(NOISES[name])) if frame.loud and frame.end > 3.5 * RATE]


@pytest.mark.parametrize(("voice", "text"), PHRASES)
def test_a_phrase_is_one_region_with_a_true_start_and_a_sharp_end(voice: str, text: str) -> None:
    speech = render(text, voice[:2], RATE_OF_SPEECH, voice)
    [(start, end)] = regions(judge(on_a_line(speech)))
    audible = np.flatnonzero(levels(speech) > -60) * 10 * MS
    assert abs(start - WARM_UP - audible[0]) <= 40 * MS
    assert end - WARM_UP <= sustained(speech, 40)[1] + 60 * MS
    assert end - WARM_UP > sustained(speech, 15)[1] - FRAME_SAMPLES  # sound that only begins a frame may not fill it


@pytest.mark.parametrize(("voice", "text"), PHRASES)
def test_the_gate_opens_in_time_to_duck(voice: str, text: str) -> None:
    speech = render(text, voice[:2], RATE_OF_SPEECH, voice)
    gate = next(frame.end for frame in judge(on_a_line(speech)) if frame.gate)
    assert gate - WARM_UP <= sustained(speech, 25)[0] + 80 * MS


def test_each_phrase_of_a_call_has_its_onset() -> None:
    phrase = on_a_line(render("quero marcar uma consulta", "pt", RATE_OF_SPEECH))
    frames = judge(np.tile(phrase, 3))
    starts = [start - WARM_UP for start, _ in regions(frames)]
    assert [round(start / len(phrase)) for start in starts] == [0, 1, 2]
    assert all(abs(start - i * len(phrase)) <= 40 * MS for i, start in enumerate(starts))


def test_speech_in_a_noisy_room_is_found_once_the_floor_is_known() -> None:
    speech = render("quero marcar uma consulta", "pt", RATE_OF_SPEECH)
    call = np.concatenate([np.zeros(2 * RATE), speech, np.zeros(RATE)])
    [(start, end)] = regions(judge(as_int16(call + noise(len(call), -45))))
    first, last = sustained(speech, 20)
    assert abs(start - 2 * RATE - first) <= 60 * MS
    assert abs(end - 2 * RATE - last) <= 60 * MS


def test_speech_from_the_first_sample_is_not_lost() -> None:
    speech = render("quero marcar uma consulta", "pt", RATE_OF_SPEECH)
    [(start, _)] = regions(judge(np.append(speech, np.zeros(RATE, np.int16))))
    assert start <= 40 * MS


def test_a_word_over_before_it_is_confirmed_is_still_reported() -> None:
    blip = render("a", "pt", RATE_OF_SPEECH)[: 50 * MS]
    first, *more = [frame for frame in judge(on_a_line(blip)) if frame.voiced]
    assert first.onset == WARM_UP
    assert len(more) <= 2


def test_the_room_after_a_voice_is_not_the_voice() -> None:
    speech = render("quero marcar uma consulta", "pt", RATE_OF_SPEECH)
    last = sustained(speech, 20)[1]
    room = noise(400 * MS, np.percentile(levels(speech), 99) - 40)
    [(_, end)] = regions(judge(on_a_line(np.append(speech[:last], room))))
    assert end - WARM_UP - last <= 40 * MS


def test_a_dc_offset_changes_little() -> None:
    speech = render("quero marcar uma consulta", "pt", RATE_OF_SPEECH) // 2
    [(start, end)] = regions(judge(on_a_line(speech)))
    [(shifted_start, shifted_end)] = regions(judge(on_a_line(speech - np.int16(0.15 * 32768))))
    assert abs(start - shifted_start) <= FRAME_SAMPLES
    assert abs(end - shifted_end) <= 2 * FRAME_SAMPLES


def test_a_frame_tells_its_level_without_its_offset() -> None:
    quiet = as_int16(noise(RATE, -50) + 0.1 * 32768)
    assert all(frame.level == pytest.approx(-50, abs=1.5) for frame in judge(quiet))
    assert {frame.level for frame in judge(np.zeros(RATE, np.int16))} == {-100}


def test_the_floor_is_the_lines_noise_under_a_voice_too() -> None:
    speech = render("quero marcar uma consulta", "pt", RATE_OF_SPEECH)
    call = np.concatenate([np.zeros(2 * RATE), speech, np.zeros(RATE)])
    frames = judge(as_int16(call + noise(len(call), -45)))
    known = [frame.floor for frame in frames if frame.end > 2 * RATE]
    assert -48 < min(known) <= max(known) < -39
    assert {frame.floor for frame in judge(np.zeros(RATE, np.int16))} == {-70}


def test_frames_count_the_call() -> None:
    ends = [frame.end for frame in judge(np.zeros(RATE, np.int16))]
    assert ends == list(range(FRAME_SAMPLES, RATE + 1, FRAME_SAMPLES))


def test_two_calls_do_not_hear_each_other() -> None:
    call = on_a_line(render("fala comigo amanhã", "pt", RATE_OF_SPEECH))
    one, other = FrameDetector(), FrameDetector()
    both = []
    for frame in call[: len(call) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES):
        both.append(one.process(frame))
        other.process(np.zeros(FRAME_SAMPLES, np.int16))
    assert both == judge(call)


@pytest.mark.skipif(not CLIPS, reason="no human recordings here")
@pytest.mark.parametrize("name", CLIPS or ["none"])
def test_human_speech_is_its_real_phrases_and_loses_no_start(name: str) -> None:
    speech = human_clip(name)
    frames = judge(on_a_line(speech))
    found = [(start - WARM_UP, end - WARM_UP) for start, end in regions(frames)]
    assert len(found) == sum(frame.onset is not None for frame in frames) == PAUSES.get(name, 0) + 1
    assert found[0][0] <= sustained(speech, 20)[0] + 60 * MS
    confirmed = next(frame.end for frame in frames if frame.voiced) - WARM_UP
    assert confirmed <= sustained(speech, 20)[0] + 200 * MS

    level = levels(speech)
    peak = np.percentile(level, 99)
    for start, end in found:
        assert level[max(start, 0) // (10 * MS) : end // (10 * MS)].max() > peak - 15, "a region without a voice"
    for (_, pause), (resumed, _) in pairwise(found):
        assert level[pause // (10 * MS) + 1 : resumed // (10 * MS) - 1].max() < peak - 18, "speech lost in a pause"
