"""The terminal client, run as a user runs it, against a scripted agent."""

import asyncio
import re
import socket
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.agent_server import AgentServer, HangUp, Line

GREETING = Line("", "Olá! Em que posso ajudar?")
TIME = Line(
    "que horas são",
    "São três e meia.",
    metrics={
        "convai_turn_silence_before_initiation": 0.3,
        "convai_asr_trailing_service_latency": 0.08,
        "convai_ttf_audio_since_silence": 0.3521,
    },
)

THANKS = Line("obrigado", "De nada.")
STORY = Line("conte uma história", "Era uma vez um rei.", seconds=3.0)


class Outcome(NamedTuple):
    code: int
    output: str
    errors: str


class Scenario(NamedTuple):
    server: AgentServer
    clips: list[Path]


class Call(NamedTuple):
    """A finished scenario: what the terminal showed, what was recorded, and the server with what it received."""

    outcome: Outcome
    recording: Path
    server: AgentServer


async def run_talk(url: str, *wavs: Path, out: Path) -> Outcome:
    command = [sys.executable, "-m", "serve_app.talk", *map(str, wavs), "--url", url, "--out", str(out)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    output, errors = await process.communicate()
    return Outcome(process.returncode or 0, output.decode(), errors.decode())


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


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    """All scenarios at once: calls are in real time, and mostly waiting."""
    folder = tmp_path_factory.mktemp("calls")
    speech = write_wav(folder / "speech.wav", tone(0.4, 16000), 16000)
    stereo = write_wav(folder / "stereo.wav", tone(0.4, 44100), 44100, channels=2)
    # pauses long enough to be answered, then speaks over the answer
    barge = np.concatenate([tone(0.4, 16000), np.zeros(16000, np.int16), tone(0.4, 16000)])
    barge_in = write_wav(folder / "barge_in.wav", barge, 16000)

    def agent(*lines: Line, **options: Any) -> AgentServer:
        return AgentServer(lines, greeting=GREETING, **options)

    scenarios = {
        "plain": Scenario(agent(TIME), [speech]),
        "ulaw_8000": Scenario(agent(TIME, input_format="ulaw_8000", output_format="ulaw_8000"), [stereo]),
        "pcm_24000": Scenario(agent(TIME, input_format="pcm_48000", output_format="pcm_24000"), [stereo]),
        "two turns": Scenario(agent(TIME, THANKS), [speech, speech]),
        "interruption": Scenario(agent(STORY, THANKS, lead_seconds=2.0), [barge_in]),
        "no answer": Scenario(agent(), [speech]),
        "hang up": Scenario(agent(hang_up=HangUp(1002, "LLM failed")), [speech]),
        "no greeting": Scenario(AgentServer([TIME]), [speech]),
    }
    return asyncio.run(_run_all(scenarios, folder))


async def _run_all(scenarios: dict[str, Scenario], folder: Path) -> dict[str, Call]:
    calls = (_run(scenario, folder / f"{name}.wav") for name, scenario in scenarios.items())
    return dict(zip(scenarios, await asyncio.gather(*calls), strict=True))


async def _run(scenario: Scenario, recording: Path) -> Call:
    async with scenario.server as server:
        return Call(await run_talk(server.url, *scenario.clips, out=recording), recording, server)


def test_prints_both_sides_and_the_latencies(calls: dict[str, Call]) -> None:
    outcome = calls["plain"].outcome
    assert outcome.code == 0, outcome.errors
    said = ["agent:  Olá! Em que posso ajudar?", "you:    que horas são", "agent:  São três e meia."]
    assert outcome.output.splitlines()[:3] == said
    heard = re.search(r"answer heard (\d+) ms after the end of speech", outcome.output)
    assert heard
    assert 280 <= int(heard[1]) < 700  # the fake takes 300 ms of silence for the end of a turn
    assert "turn decided 300 ms, transcription 80 ms, total 352 ms" in outcome.output


def test_behaves_as_a_client_of_the_protocol(calls: dict[str, Call]) -> None:
    server = calls["plain"].server
    assert server.received[0]["type"] == "conversation_initiation_client_data"
    assert sorted(server.kinds_received()) == ["conversation_initiation_client_data", "pong"]
    assert server.received[0]["conversation_config_override"]["conversation"]["client_events"]
    assert server.agent_ids == ["default"]
    audio = server.audio_received()
    assert loud_seconds(audio, 16000) == pytest.approx(0.4, abs=0.02)
    assert len(audio) / 16000 > 2.5  # the microphone stayed open all along


def test_recording_has_the_answers_on_the_time_line_of_the_call(calls: dict[str, Call]) -> None:
    samples, rate = read_wav(calls["plain"].recording)
    assert rate == 16000
    assert loud_seconds(samples, rate) == pytest.approx(0.8, abs=0.05)  # greeting and answer, 0.4 s each
    # greeting 0.4, quiet 1.2, the question 0.4, its silence 0.3, answer 0.4
    assert len(samples) / rate == pytest.approx(2.7, abs=0.4)


@pytest.mark.parametrize("name", ["ulaw_8000", "pcm_24000"])
def test_formats_of_the_protocol(calls: dict[str, Call], name: str) -> None:
    """A stereo clip at 44.1 kHz, to agents with other formats than the default."""
    outcome, recording, server = calls[name]
    assert outcome.code == 0, outcome.errors
    samples, rate = read_wav(recording)
    assert rate == server.output.rate
    assert loud_seconds(samples, rate) == pytest.approx(0.8, abs=0.05)
    assert loud_seconds(server.audio_received(), server.input.rate) == pytest.approx(0.4, abs=0.02)


def test_several_clips_are_several_turns(calls: dict[str, Call]) -> None:
    outcome = calls["two turns"].outcome
    assert outcome.code == 0, outcome.errors
    assert outcome.output.count("answer heard") == 2
    assert outcome.output.index("São três e meia.") < outcome.output.index("you:    obrigado")


def test_agent_need_not_greet(calls: dict[str, Call]) -> None:
    outcome = calls["no greeting"].outcome
    assert outcome.code == 0, outcome.errors
    assert outcome.output.startswith("you:    que horas são\n")


def test_interruption_cuts_what_was_not_heard(calls: dict[str, Call]) -> None:
    """Two seconds of the answer were sent ahead, and a stale message of it came after the interruption."""
    outcome, recording, _ = calls["interruption"]
    assert outcome.code == 0, outcome.errors
    assert "-- interrupted --" in outcome.output
    assert "heard of it: Era uma v\n" in outcome.output
    samples, rate = read_wav(recording)
    # greeting 0.4; about 0.77 s of the story, from 300 ms into the pause to 60 ms into the next word; fade; answer 0.4
    assert loud_seconds(samples, rate) == pytest.approx(1.6, abs=0.15)


def test_no_answer_is_said_plainly(calls: dict[str, Call]) -> None:
    outcome, recording, _ = calls["no answer"]
    assert outcome.code == 1
    assert "no answer within 15 s" in outcome.output
    assert loud_seconds(*read_wav(recording)) == pytest.approx(0.4, abs=0.03)  # the greeting was kept


def test_hang_up_is_told_with_code_and_reason(calls: dict[str, Call]) -> None:
    outcome = calls["hang up"].outcome
    complaint = "the server ended the conversation (code 1002: LLM failed)\n"
    assert outcome == Outcome(1, f"agent:  {GREETING.answer}\n", complaint)


def test_server_away(tmp_path: Path) -> None:
    speech = write_wav(tmp_path / "speech.wav", tone(0.4, 16000), 16000)
    with nobody_listening() as url:
        outcome = asyncio.run(run_talk(url, speech, out=tmp_path / "answer.wav"))
    assert outcome.code == 1
    assert re.fullmatch(r"ws://.*: no server there \(.*\); start it with `make run`\n", outcome.errors)


def test_address_of_no_server(tmp_path: Path) -> None:
    speech = write_wav(tmp_path / "speech.wav", tone(0.4, 16000), 16000)
    outcome = asyncio.run(run_talk("ftp://127.0.0.1:1", speech, out=tmp_path / "answer.wav"))
    assert outcome.code == 1
    assert "not a server's address" in outcome.errors


def test_files_that_are_no_speech(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("not audio")
    cut = write_wav(tmp_path / "cut.wav", tone(0.2, 16000), 16000)
    cut.write_bytes(cut.read_bytes()[:30])
    cases = {
        tmp_path / "absent.wav": "no such file",
        tmp_path: "is a directory",
        text: "not a whole WAV file",
        cut: "not a whole WAV file",
        write_wav(tmp_path / "wide.wav", tone(0.2, 16000), 16000, width=4): "32 bits; convert it to 16",
        write_wav(tmp_path / "silent.wav", np.zeros(1600, np.int16), 16000): "no sound to speak of",
    }
    with nobody_listening() as url:
        outcomes = asyncio.run(_each(url, list(cases), tmp_path / "answer.wav"))
    for outcome, (path, complaint) in zip(outcomes, cases.items(), strict=True):
        assert outcome.code == 1
        assert re.fullmatch(f"{re.escape(str(path))}: .*{complaint}.*\n", outcome.errors, re.IGNORECASE)


async def _each(url: str, clips: list[Path], out: Path) -> list[Outcome]:
    return await asyncio.gather(*(run_talk(url, clip, out=out) for clip in clips))


@contextmanager
def nobody_listening() -> Iterator[str]:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{reserved.getsockname()[1]}"
