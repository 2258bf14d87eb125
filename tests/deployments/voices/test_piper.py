"""Piper's own package, in its child, with a voice file of its true shape that hums."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if importlib.util.find_spec("piper") is None or importlib.util.find_spec("onnx") is None:
    pytest.skip("needs the packages piper-tts and onnx", allow_module_level=True)

from deployments.voices.clause_audio import CLAUSE_PAUSE_S
from deployments.voices.piper import PiperVoice
from serve_app.audio.pcm import SUPPORTED_FORMATS, AudioFormat, Samples
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import SpeechChunk, Voice
from tests.deployments.voices.tiny_piper import write_tiny_piper

TEXT = "Olá, tudo bem? Eu sou a Ana."

Say = Callable[..., list[SpeechChunk]]


async def said(voice: PiperVoice, text: str, language: str = "pt-BR", **settings: Any) -> list[SpeechChunk]:
    """`settings` are fields of a Voice."""
    return [chunk async for chunk in voice.speak(text, language=language, voice=Voice(**settings))]


@pytest.fixture(scope="module")
def voice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_piper(tmp_path_factory.mktemp("voice"))


@pytest.fixture(scope="module")
def say(voice_file: Path) -> Iterator[Say]:
    """`said` by one voice that all tests share which leave it alive."""
    voice = PiperVoice(voice_file)
    with asyncio.Runner() as runner:
        yield lambda *args, **kwargs: runner.run(said(voice, *args, **kwargs))
        runner.run(voice.aclose())


def with_a_voice_of_its_own(path: Path, scenario: Callable[[PiperVoice], Awaitable[None]]) -> None:
    async def main() -> None:
        voice = PiperVoice(path)
        try:
            await scenario(voice)
        finally:
            await voice.aclose()

    asyncio.run(main())


def samples(chunks: list[SpeechChunk], audio_format: str = "pcm_16000") -> Samples:
    return AudioFormat.parse(audio_format).decode(b"".join(chunk.audio for chunk in chunks))


def test_it_speaks_without_alignment_in_short_chunks_and_ends_in_a_pause(say: Say) -> None:
    chunks = say(TEXT)
    lengths_ms = [len(chunk.audio) / 32 for chunk in chunks]
    assert lengths_ms[0] == 60
    assert set(lengths_ms[1:-1]) == {160}
    assert all(chunk.alignment is None for chunk in chunks)
    voiced = np.flatnonzero(np.abs(samples(chunks)) > 200) / 16000
    assert len(samples(chunks)) / 16000 - voiced[-1] == pytest.approx(CLAUSE_PAUSE_S, abs=0.02)


@pytest.mark.parametrize("audio_format", SUPPORTED_FORMATS, ids=lambda audio_format: audio_format.name)
def test_every_format_lasts_as_long_and_is_as_loud(say: Say, audio_format: AudioFormat) -> None:
    original = samples(say(TEXT))
    heard = samples(say(TEXT, agent_output_audio_format=audio_format.name), audio_format.name)
    assert len(heard) / audio_format.rate == pytest.approx(len(original) / 16000, abs=0.002)
    assert 30_000 < int(np.abs(heard.astype(np.int32)).max()) <= 32_768


def test_speed_is_heard(say: Say) -> None:
    slow, usual, fast = (len(samples(say(TEXT, speed=speed))) / 16000 - CLAUSE_PAUSE_S for speed in (0.7, 1.0, 1.2))
    assert slow / usual == pytest.approx(1 / 0.7, rel=0.01)
    assert fast / usual == pytest.approx(1 / 1.2, rel=0.01)


def test_numbers_are_written_out(say: Say) -> None:
    assert np.array_equal(samples(say("São R$ 5,00 às 14h.")), samples(say("São cinco reais às catorze horas.")))


def test_pipers_markup_is_no_markup(say: Say) -> None:
    """It would make phonemes of the letters themselves."""
    assert np.array_equal(samples(say("[[qqqqqqqq]]")), samples(say("qqqqqqqq")))


@pytest.mark.parametrize("text", ["", "  ", "...", "\x00"])
def test_nothing_to_say_is_no_audio(say: Say, text: str) -> None:
    assert say(text) == []


def test_nothing_of_the_text_is_logged(say: Say, capfd: pytest.CaptureFixture[str]) -> None:
    assert say("日本語 ξένος R2D2 [[x]]")
    assert capfd.readouterr() == ("", "")


def test_a_speaker_is_chosen_by_name(tmp_path: Path) -> None:
    async def scenario(voice: PiperVoice) -> None:
        low, high, other = [samples(await said(voice, "olá", voice_id=name)) for name in ("low", "high", "elsewhere")]
        assert np.array_equal(low, other)
        assert np.count_nonzero(np.diff(np.sign(high))) > 1.5 * np.count_nonzero(np.diff(np.sign(low)))

    with_a_voice_of_its_own(write_tiny_piper(tmp_path, speakers=2), scenario)


def test_speakers_side_by_side_do_not_mix(voice_file: Path) -> None:
    async def scenario(voice: PiperVoice) -> None:
        texts = [f"Frase número {number}, que se ouve inteira." for number in range(20)]
        alone = [samples(await said(voice, text)) for text in texts]
        spoken = await asyncio.gather(*(said(voice, text) for text in texts))
        assert all(np.array_equal(samples(chunks), expected) for chunks, expected in zip(spoken, alone, strict=True))

    with_a_voice_of_its_own(voice_file, scenario)


def test_a_crash_costs_one_clause(voice_file: Path) -> None:
    async def scenario(voice: PiperVoice) -> None:
        undisturbed = samples(await said(voice, TEXT))
        chunks = voice.speak(TEXT * 50, language="pt-BR", voice=Voice())
        await anext(chunks)
        os.kill(voice._process._child._process.pid, signal.SIGKILL)
        with pytest.raises(SpeechError, match="it ended"):
            [chunk async for chunk in chunks]
        await voice.warm(language="pt-BR", voice=Voice())
        assert np.array_equal(samples(await said(voice, TEXT)), undisturbed)

    with_a_voice_of_its_own(voice_file, scenario)


def test_a_file_that_is_not_there_is_told(voice_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"PIPER_VOICE.*nowhere\.onnx"):
        PiperVoice.from_environment({"PIPER_VOICE": str(tmp_path / "nowhere.onnx")})
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(voice_file.read_bytes())
    with pytest.raises(ConfigurationError, match=r"PIPER_VOICE.*alone\.onnx\.json"):
        PiperVoice(alone)
    with pytest.raises(ConfigurationError, match="PIPER_VOICE is not set"):
        PiperVoice.from_environment({})


@pytest.mark.parametrize(
    ("voice", "config", "why"),
    [(b"not a network", None, "InvalidProtobuf"), (None, "{}", "num_symbols"), (None, "[", "JSONDecodeError")],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, voice: bytes | None, config: str | None, why: str) -> None:
    path = write_tiny_piper(tmp_path)
    if voice is not None:
        path.write_bytes(voice)
    if config is not None:
        Path(f"{path}.json").write_text(config)
    with pytest.raises(ConfigurationError, match=rf"PIPER_VOICE.*{why}"):
        PiperVoice(path)


def test_the_server_does_not_import_piper() -> None:
    script = "import sys, deployments.voices.piper; sys.exit('piper' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": os.getcwd()}).returncode == 0


def test_it_says_what_it_is(voice_file: Path) -> None:
    async def scenario(voice: PiperVoice) -> None:
        assert voice.describe() == "Piper pt_BR-tiny (local voice)"

    with_a_voice_of_its_own(voice_file, scenario)
