import asyncio
import re
import socket
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.agent_server import AgentServer, HangUp, Line

GREETING = Line("", "Olá! Em que posso ajudar?")
LINE = Line(
    "que horas são",
    "São três e meia.",
    metrics={
        "convai_turn_silence_before_initiation": 0.3,
        "convai_asr_trailing_service_latency": 0.08,
        "convai_ttf_audio_since_silence": 0.3521,
    },
)


class Outcome(NamedTuple):
    code: int
    output: str
    errors: str


async def run_talk(url: str, *wavs: Path, out: Path) -> Outcome:
    command = [sys.executable, "-m", "serve_app.talk", *map(str, wavs), "--url", url, "--out", str(out)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    output, errors = await process.communicate()
    return Outcome(process.returncode or 0, output.decode(), errors.decode())


async def talk_to(server: AgentServer, *wavs: Path, out: Path) -> Outcome:
    async with server:
        return await run_talk(server.url, *wavs, out=out)


def write_wav(path: Path, samples: NDArray[np.int16], rate: int, *, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(samples, channels).tobytes())
    return path


def read_wav(path: Path) -> tuple[NDArray[np.int16], int]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def tone(seconds: float, rate: int, amplitude: float = 0.3) -> NDArray[np.int16]:
    wave_form = amplitude * 32767 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * rate)) / rate)
    return wave_form.astype(np.int16)


def loud_seconds(samples: NDArray[np.int16], rate: int) -> float:
    """Seconds of the 10 ms frames that hold a tone."""
    frames = samples[: len(samples) // (rate // 100) * (rate // 100)].reshape(-1, rate // 100)
    return float(np.count_nonzero(np.abs(frames.astype(np.int32)).max(axis=1) > 3000)) / 100


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "speech.wav", tone(0.4, 16000), 16000)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "answer.wav"


@contextmanager
def nobody_listening() -> Iterator[str]:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{reserved.getsockname()[1]}"


def test_prints_both_sides_and_the_latencies(speech: Path, out: Path) -> None:
    server = AgentServer([LINE], greeting=GREETING)
    outcome = asyncio.run(talk_to(server, speech, out=out))
    assert outcome.code == 0, outcome.errors
    said = ["agent:  Olá! Em que posso ajudar?", "you:    que horas são", "agent:  São três e meia."]
    assert outcome.output.splitlines()[:3] == said
    heard = re.search(r"answer heard (\d+) ms after the end of speech", outcome.output)
    assert heard
    assert 280 <= int(heard[1]) < 600  # the fake takes 300 ms of silence for the end of a turn
    assert "turn decided 300 ms, transcription 80 ms, total 352 ms" in outcome.output


def test_behaves_as_a_client_of_the_protocol(speech: Path, out: Path) -> None:
    server = AgentServer([LINE], greeting=GREETING)
    asyncio.run(talk_to(server, speech, out=out))
    assert server.received[0]["type"] == "conversation_initiation_client_data"
    assert sorted(server.kinds_received()) == ["conversation_initiation_client_data", "pong"]
    assert server.received[0]["conversation_config_override"]["conversation"]["client_events"]
    audio = server.audio_received()
    assert loud_seconds(audio, 16000) == pytest.approx(0.4, abs=0.02)
    assert len(audio) / 16000 > 2.5  # the microphone stayed open all along


def test_recording_has_the_answers_on_the_time_line_of_the_call(speech: Path, out: Path) -> None:
    asyncio.run(talk_to(AgentServer([LINE], greeting=GREETING), speech, out=out))
    samples, rate = read_wav(out)
    assert rate == 16000
    assert loud_seconds(samples, rate) == pytest.approx(0.8, abs=0.05)  # greeting and answer, 0.4 s each
    # greeting 0.4, quiet 1.2, the question 0.4, its silence 0.3, answer 0.4
    assert len(samples) / rate == pytest.approx(2.7, abs=0.25)


@pytest.mark.parametrize("output_format", ["ulaw_8000", "pcm_24000"])
def test_any_format_of_the_protocol(output_format: str, tmp_path: Path, out: Path) -> None:
    """A stereo clip at 44.1 kHz to an agent that hears telephone audio."""
    clip = write_wav(tmp_path / "stereo.wav", tone(0.4, 44100), 44100, channels=2)
    server = AgentServer([LINE], input_format="ulaw_8000", output_format=output_format, greeting=GREETING)
    outcome = asyncio.run(talk_to(server, clip, out=out))
    assert outcome.code == 0, outcome.errors
    samples, rate = read_wav(out)
    assert rate == int(output_format.split("_")[1])
    assert loud_seconds(samples, rate) == pytest.approx(0.8, abs=0.05)
    assert loud_seconds(server.audio_received(), 8000) == pytest.approx(0.4, abs=0.02)


def test_several_clips_are_several_turns(speech: Path, out: Path) -> None:
    lines = [LINE, Line("obrigado", "De nada.")]
    outcome = asyncio.run(talk_to(AgentServer(lines, greeting=GREETING), speech, speech, out=out))
    assert outcome.code == 0, outcome.errors
    assert outcome.output.count("answer heard") == 2
    assert outcome.output.index("São três e meia.") < outcome.output.index("you:    obrigado")


def test_interruption_cuts_what_was_not_heard(tmp_path: Path, out: Path) -> None:
    """The clip pauses long enough to be answered, then speaks over the answer, of which 2 s were sent ahead."""
    pause = np.zeros(16000, np.int16)
    clip = write_wav(tmp_path / "barge.wav", np.concatenate([tone(0.4, 16000), pause, tone(0.4, 16000)]), 16000)
    lines = [Line("conte uma história", "Era uma vez um rei.", seconds=3.0), LINE]
    server = AgentServer(lines, greeting=GREETING, lead_seconds=2.0)
    outcome = asyncio.run(talk_to(server, clip, out=out))
    assert outcome.code == 0, outcome.errors
    assert "-- interrupted --" in outcome.output
    assert "heard of it: Era uma v\n" in outcome.output
    samples, rate = read_wav(out)
    # greeting 0.4; about 0.77 s of the story, from 300 ms into the pause to 60 ms into the next word; fade; answer 0.4
    assert loud_seconds(samples, rate) == pytest.approx(1.6, abs=0.15)


def test_no_answer_is_said_plainly(speech: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = asyncio.run(talk_to(AgentServer([], greeting=GREETING), speech, out=out))
    assert outcome.code == 1
    assert "no answer within 15 s" in outcome.output
    assert loud_seconds(*read_wav(out)) == pytest.approx(0.4, abs=0.03)  # the greeting was kept


def test_hang_up_is_told_with_code_and_reason(speech: Path, out: Path) -> None:
    server = AgentServer([LINE], greeting=GREETING, hang_up=HangUp(1002, "LLM failed"))
    outcome = asyncio.run(talk_to(server, speech, out=out))
    assert outcome == Outcome(1, f"agent:  {GREETING.answer}\n", outcome.errors)
    assert outcome.errors == "the server ended the conversation (code 1002: LLM failed)\n"


def test_server_away(speech: Path, out: Path) -> None:
    with nobody_listening() as url:
        outcome = asyncio.run(run_talk(url, speech, out=out))
    assert outcome.code == 1
    assert "no server there; start it with `make run`" in outcome.errors
    assert "Traceback" not in outcome.errors


def test_address_that_is_no_websocket(speech: Path, out: Path) -> None:
    outcome = asyncio.run(run_talk("http://127.0.0.1:1", speech, out=out))
    assert outcome.code == 1
    assert "not a WebSocket address" in outcome.errors


def test_files_that_are_no_speech(tmp_path: Path, out: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("not audio")
    short = write_wav(tmp_path / "short.wav", np.ones(101, np.uint8).view(np.int8).astype(np.int16), 16000)
    short.write_bytes(short.read_bytes()[:30])
    wide = write_wav(tmp_path / "wide.wav", tone(0.2, 16000), 16000, width=4)
    silent = write_wav(tmp_path / "silent.wav", np.zeros(1600, np.int16), 16000)
    cases = {
        tmp_path / "absent.wav": "no such file",
        tmp_path: "directory",
        text: "not a whole WAV file",
        short: "not a whole WAV file",
        wide: "32 bits; convert it to 16",
        silent: "no sound to speak of",
    }
    with nobody_listening() as url:
        outcomes = asyncio.run(_each(url, list(cases), out))
    for outcome, (path, complaint) in zip(outcomes, cases.items(), strict=True):
        assert outcome.code == 1
        assert re.fullmatch(f"{re.escape(str(path))}: .*{complaint}.*\n", outcome.errors, re.IGNORECASE)


async def _each(url: str, paths: list[Path], out: Path) -> list[Outcome]:
    return await asyncio.gather(*(run_talk(url, path, out=out) for path in paths))
