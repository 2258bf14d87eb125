"""The local voice: espeak-ng, in a child process."""

import importlib.util
import re
from collections.abc import AsyncGenerator, Iterator

import numpy as np

from deployments.voices.chunks import parsed_format
from deployments.voices.clause_audio import ClauseAudio, printable
from deployments.voices.spoken_text import SpokenText
from deployments.voices.voice_child import Sound
from deployments.voices.voice_process import Program, VoiceProcess
from deployments.voices.written_out import WrittenOut, write_out
from serve_app.audio.pcm import AudioFormat
from serve_app.errors import ConfigurationError
from serve_app.ports import SpeechChunk, Voice

# It makes a minute of speech in about 50 ms.
PROGRAM = Program("deployments.voices.espeak_child", patience_s=0.8)

# A name is part of a path inside the library, so nothing else may pass. ElevenLabs' ids (20 letters and digits) do not.
_VOICE_NAME = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*(\+[A-Za-z0-9]{1,16})?")
_NATIONAL_VOICES = {"pt": "pt-br", "en": "en-us"}
_LAST_RESORT = "en-us"


class EspeakVoice:
    """Speaks with espeak-ng. Construct it where its event loop runs, or before that loop starts.

    One child serves every caller: it is a thousand times faster than speech.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise ConfigurationError("the local voice needs espeak-ng: pip install espeakng-loader")
        self._process = VoiceProcess(PROGRAM)

    def describe(self) -> str:
        return "espeak-ng (local voice)"

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """See `serve_app.ports.Speaker`. `voice.voice_id` may be a name of espeak-ng's, like "pt-br+f2"."""
        audio_format = parsed_format(voice.agent_output_audio_format)
        written = write_out(printable(text), language)
        if not written.text.strip():
            return
        names = espeak_voices(language, voice.voice_id)
        async with self._process.asked(written.text, names, voice.speed) as asked:
            clause = _Clause(text, written, asked.sample_rate, audio_format)
            while sound := await asked.next():
                for chunk in clause.add(sound):
                    yield chunk
        for chunk in clause.end():
            yield chunk

    async def warm(self, *, language: str, voice: Voice) -> None:
        """See `serve_app.ports.Speaker`."""
        await self._process.warm()

    async def aclose(self) -> None:
        self._process.close()


def espeak_voices(language: str, voice_id: str) -> tuple[str, ...]:
    """espeak-ng's names for what was asked for, best first: the first that it has is used."""
    language = language.lower()
    base = language.partition("-")[0]
    names = (voice_id, _NATIONAL_VOICES.get(base, language), base, _LAST_RESORT)
    return tuple(name for name in names if _VOICE_NAME.fullmatch(name))


class _Clause:
    """Cuts the sound of one clause into chunks, each with the characters that sound in it.

    A chunk leaves when the word after it is known, since until then nothing says when its last word ends.
    """

    def __init__(self, text: str, written: WrittenOut, sample_rate: int, audio_format: AudioFormat) -> None:
        self._written = written
        self._spoken = SpokenText(text)
        self._audio = ClauseAudio(sample_rate, audio_format)
        self._sample_rate = sample_rate
        self._heard = 0  # samples at espeak-ng's rate

    def add(self, sound: Sound) -> Iterator[SpeechChunk]:
        for index, sample in sound.words:
            self._spoken.word_begins(self._written.origin(index), sample * 1000 / self._sample_rate)
        samples = np.frombuffer(sound.pcm, "<i2").astype(np.int16)
        self._heard += len(samples)
        self._audio.add(samples)
        while self._audio.enough and self._audio.next_end_ms <= self._spoken.timed_until_ms:
            yield self._cut()

    def end(self) -> Iterator[SpeechChunk]:
        self._spoken.ends(self._heard * 1000 / self._sample_rate)
        self._audio.end()
        while self._audio.left:
            yield self._cut()

    def _cut(self) -> SpeechChunk:
        start_ms = self._audio.cut_ms
        audio = self._audio.cut()
        return SpeechChunk(audio, self._spoken.take(start_ms, self._audio.cut_ms))
