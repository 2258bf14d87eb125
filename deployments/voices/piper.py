"""The local voice when a Piper voice is at hand: a neural one, in a child process."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Self

import numpy as np

from deployments.voices.chunks import parsed_format
from deployments.voices.clause_audio import ClauseAudio, printable
from deployments.voices.voice_process import Program, VoiceProcess
from deployments.voices.written_out import write_out
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import SpeechChunk, Voice

PATIENCE_S = 2.0
"""A phrase comes whole. A machine on which one takes longer is too slow for Piper."""


class PiperVoice:
    """Speaks with the voice in an .onnx file, its .onnx.json beside it. Its language is the voice's own.

    Construct it where its event loop runs, or before that loop starts. That takes as long as the voice takes to load.
    One child serves every caller, a clause at a time.
    """

    def __init__(self, path: Path) -> None:
        """Raises ConfigurationError."""
        for file in (path, Path(f"{path}.json")):
            if not file.is_file():
                raise ConfigurationError(f"PIPER_VOICE: there is no file {file}")
        self._name = path.stem
        self._process = VoiceProcess(Program("deployments.voices.piper_child", PATIENCE_S, (str(path.absolute()),)))
        try:
            self._process.wait()
        except SpeechError as e:
            self._process.close()
            raise ConfigurationError(f"PIPER_VOICE: {path} cannot be used: {e}") from e

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """The voice that PIPER_VOICE names. Raises ConfigurationError."""
        if not (path := environ.get("PIPER_VOICE")):
            raise ConfigurationError("PIPER_VOICE is not set: it names the .onnx file of a Piper voice")
        return cls(Path(path))

    def describe(self) -> str:
        return f"Piper {self._name} (local voice)"

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """See `serve_app.ports.Speaker`. `voice.voice_id` may name a speaker, if the file has several."""
        audio_format = parsed_format(voice.agent_output_audio_format)
        written = write_out(printable(text), language).text
        if not any(map(str.isalnum, written)):
            return
        async with self._process.asked(written, (voice.voice_id,), voice.speed) as asked:
            audio = ClauseAudio(asked.sample_rate, audio_format)
            while sound := await asked.next():
                audio.add(np.frombuffer(sound.pcm, "<i2").astype(np.int16))
                while audio.enough:
                    yield SpeechChunk(audio.cut())
        audio.end()
        while audio.left:
            yield SpeechChunk(audio.cut())

    async def warm(self, *, language: str, voice: Voice) -> None:
        """See `serve_app.ports.Speaker`."""
        await self._process.warm()

    async def aclose(self) -> None:
        self._process.close()
