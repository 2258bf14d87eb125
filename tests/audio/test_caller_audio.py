import numpy as np
import pytest

from serve_app.audio.caller_audio import CallerAudio
from serve_app.audio.detector import Frame
from serve_app.audio.echo import LIKELY
from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.audio.resample import Resampler
from tests.audio.room import Room, as_samples, at_voice_level
from tests.espeak import render

PCM = AudioFormat.parse("pcm_16000")
LEAD = 60 * RATE // 1000
PIECE_S = 0.04
ROOM = Room(loss_db=12, delay_ms=180, reverberation_ms=200)


def our_voice() -> Samples:
    phrase = at_voice_level(render("Bom dia, aqui é a clínica. Quer marcar uma consulta para amanhã?", "pt"))
    return as_samples(np.concatenate([np.zeros(RATE), phrase, np.zeros(RATE)]))


def callers() -> Samples:
    phrase = at_voice_level(render("Espera, eu queria falar de outra coisa.", "pt", voice="pt-br+f2"))
    return as_samples(np.concatenate([np.zeros(3 * RATE // 2), phrase, np.zeros(RATE)]))


def resampled(samples: Samples, rate: int) -> Samples:
    resampler = Resampler(RATE, rate)
    return np.concatenate([resampler.process(samples), resampler.flush()])


def call(audio: CallerAudio, incoming: AudioFormat, heard: Samples, voice: Samples, ours: AudioFormat) -> list[Frame]:
    """20 ms in, and of our voice what leaves until then, a lead ahead of its time."""
    lumps = incoming.encode(resampled(heard, incoming.rate))
    outgoing = ours.encode(resampled(voice, ours.rate))
    lump, piece = incoming.bytes_for(0.02), ours.bytes_for(PIECE_S)
    frames, sent = [], 0
    for start in range(0, len(lumps), lump):
        while sent * PIECE_S * RATE < audio.recording.end + LEAD and sent * piece < len(outgoing):
            audio.played(outgoing[sent * piece : (sent + 1) * piece], round(sent * PIECE_S * RATE))
            sent += 1
        frames += [audio.judge(frame) for frame in audio.frames(lumps[start : start + lump])]
    return frames


def gated(frames: list[Frame]) -> list[Frame]:
    gated = [frame for frame in frames if frame.gate]
    assert len(gated) > 20
    return gated


@pytest.mark.parametrize("ours", ["pcm_16000", "pcm_44100", "ulaw_8000"])
@pytest.mark.parametrize("incoming", ["pcm_16000", "pcm_48000", "ulaw_8000"])
def test_an_echo_is_told_in_every_format(incoming: str, ours: str) -> None:
    caller_format, voice_format = AudioFormat.parse(incoming), AudioFormat.parse(ours)
    voice = our_voice()
    audio = CallerAudio(caller_format, voice_format)
    frames = gated(call(audio, caller_format, ROOM.heard(ROOM.returned(voice)), voice, voice_format))
    assert next(number for number, frame in enumerate(frames) if frame.echo >= LIKELY) <= 15
    assert np.mean([frame.echo >= LIKELY for frame in frames[15:]]) >= 0.85


def test_a_caller_is_no_echo_while_we_speak() -> None:
    audio = CallerAudio(PCM, PCM)
    frames = call(audio, PCM, ROOM.heard(callers() / 32768), our_voice(), PCM)
    assert max(frame.echo for frame in gated(frames)) < LIKELY


def test_a_caller_after_our_echo_is_no_echo() -> None:
    voice = our_voice()
    heard = np.concatenate([ROOM.heard(ROOM.returned(voice)), ROOM.heard(callers() / 32768)])
    frames = call(CallerAudio(PCM, PCM), PCM, heard, voice, PCM)
    assert max(frame.echo for frame in frames if frame.end <= len(voice)) >= LIKELY
    assert {frame.echo for frame in frames if frame.end > len(voice)} == {0.0}


def test_silence_is_no_echo() -> None:
    voice = our_voice()
    frames = call(CallerAudio(PCM, PCM), PCM, ROOM.heard(ROOM.returned(voice)), voice, PCM)
    assert {frame.echo for frame in frames if not frame.loud} == {0.0}


def test_without_the_voices_format_there_is_no_echo() -> None:
    voice = our_voice()
    audio = CallerAudio(PCM)
    assert {frame.echo for frame in gated(call(audio, PCM, ROOM.heard(ROOM.returned(voice)), voice, PCM))} == {0.0}


def test_the_recording_holds_the_frames_judged() -> None:
    audio = CallerAudio(PCM)
    samples = callers()[: 5 * FRAME_SAMPLES + 7]
    for frame in audio.frames(samples.tobytes()):
        audio.judge(frame)
    assert audio.recording.end == 5 * FRAME_SAMPLES
    assert audio.recording.slice(0, RATE) == samples[: 5 * FRAME_SAMPLES].tobytes()


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        CallerAudio(PCM).frames(b"\0\0\0")
