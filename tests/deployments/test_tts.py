"""The Serve shell around the engines and its client, in Serve's local testing mode."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from ray import cloudpickle, serve
from ray.exceptions import ActorUnavailableError, RayTaskError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle

from deployments.tts import ENGINES, RemoteSpeaker, TtsProxy, default_engine
from serve_app.audio.pcm import AudioFormat, level_db
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import Alignment, SpeechChunk, Voice
from tests.deployments.tone_voice import UNSPEAKABLE, ToneVoice
from tests.fakes.elevenlabs_server import FakeElevenLabs


@pytest.fixture
def tone(monkeypatch: pytest.MonkeyPatch) -> DeploymentHandle[Any]:
    monkeypatch.setitem(ENGINES, "tone", ToneVoice)  # the one line of a new engine
    return deployed("tone")


def deployed(engine: str | None = None) -> DeploymentHandle[Any]:
    return serve.run(TtsProxy.bind(engine), _local_testing_mode=True)


def said(handle: DeploymentHandle[Any], text: str, audio_format: str = "pcm_16000") -> list[SpeechChunk]:
    async def main() -> list[SpeechChunk]:
        voice = Voice(agent_output_audio_format=audio_format)
        chunks = RemoteSpeaker(handle).speak(text, language="en", voice=voice)
        return [chunk async for chunk in chunks]

    return asyncio.run(main())


def aligned_text(chunks: list[SpeechChunk]) -> str:
    return "".join("".join(chunk.alignment.chars) for chunk in chunks if chunk.alignment)


def test_a_new_engine_is_one_file_and_one_line(tone: DeploymentHandle[Any]) -> None:
    chunks = said(tone, "hello", "ulaw_8000")
    assert aligned_text(chunks) == "hello"
    assert [len(chunk.audio) for chunk in chunks] == [400] * 5
    assert level_db(AudioFormat("ulaw", 8000).decode(chunks[0].audio)) > -20
    assert tone.describe.remote().result() == "a tone"


def test_the_local_voice_speaks_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    handle = deployed()
    assert handle.describe.remote().result() == "espeak-ng (local voice)"
    chunks = said(handle, "good morning")
    assert aligned_text(chunks) == "good morning"
    assert level_db(AudioFormat("pcm", 16000).decode(b"".join(chunk.audio for chunk in chunks))) > -30


def test_elevenlabs_speaks_when_its_key_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeElevenLabs() as server:
        monkeypatch.setenv("ELEVENLABS_API_KEY", "secret")
        monkeypatch.setenv("ELEVENLABS_BASE_URL", server.url)
        handle = deployed()
        assert handle.describe.remote().result() == "ElevenLabs eleven_flash_v2_5"
        assert aligned_text(said(handle, "good morning")) == "good morning "
        assert server.received[0].api_key == "secret"


def test_the_choice_of_an_engine() -> None:
    assert default_engine({"ELEVENLABS_API_KEY": ""}) == "espeak"
    assert default_engine({"ELEVENLABS_API_KEY": "secret"}) == "elevenlabs"
    with pytest.raises(ConfigurationError, match="no voice engine 'piper'; use one of elevenlabs, espeak"):
        TtsProxy.func_or_class("piper")


def test_a_failure_of_the_engine_is_a_speech_error(tone: DeploymentHandle[Any]) -> None:
    with pytest.raises(SpeechError, match=r"^the tone cannot say this$"):
        said(tone, f"ab{UNSPEAKABLE}")


FAILURES: dict[str, BaseException] = {
    "cancelled": asyncio.CancelledError(),
    "replica died": ActorUnavailableError("Actor is unavailable.", None),
    "too many": BackPressureError(3, 2),
    "as Ray wraps ours": RayTaskError("speak", "Traceback ...", SpeechError("no voice")).as_instanceof_cause(),
    "as Ray wraps a bug": RayTaskError("speak", "Traceback ...", KeyError("my card number")).as_instanceof_cause(),
}


class FailingVoice(ToneVoice):
    """Says one chunk, then raises the failure that the text names."""

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        yield SpeechChunk(b"")
        raise FAILURES[text]


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ("cancelled", "the replica gave the call up"),
        ("replica died", "the call failed: ActorUnavailableError"),
        ("too many", "the call failed: BackPressureError"),
        ("as Ray wraps ours", "no voice"),
        ("as Ray wraps a bug", "the replica failed: KeyError"),
    ],
)
def test_ray_and_serve_failing_is_a_speech_error(monkeypatch: pytest.MonkeyPatch, failure: str, told: str) -> None:
    monkeypatch.setitem(ENGINES, "failing", FailingVoice)
    with pytest.raises(SpeechError) as caught:
        said(deployed("failing"), failure)
    assert type(caught.value) is SpeechError
    assert caught.value.message == told


def test_an_engine_is_closed_with_its_call() -> None:
    """Not when its generator is collected, which may be later."""

    async def main() -> None:
        chunks = TtsProxy.func_or_class("tone").speak("~", "en", Voice())
        await anext(chunks)
        assert ToneVoice.open_streams == 1
        await chunks.aclose()
        assert ToneVoice.open_streams == 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "tone", ToneVoice)
        asyncio.run(main())


@pytest.mark.parametrize("leave", ["close", "cancel"])
def test_who_stops_listening_stops_the_engine(tone: DeploymentHandle[Any], leave: str) -> None:
    async def listen(chunks: AsyncGenerator[SpeechChunk, None], started: asyncio.Event) -> None:
        async with aclosing(chunks):
            async for _ in chunks:
                started.set()
                if leave == "close":
                    break

    async def main() -> None:
        started = asyncio.Event()
        chunks = RemoteSpeaker(tone).speak("~", language="en", voice=Voice())
        listening = asyncio.create_task(listen(chunks, started))
        await started.wait()
        if leave == "cancel":
            listening.cancel()
        await asyncio.wait([listening])
        assert listening.cancelled() == (leave == "cancel")
        async with asyncio.timeout(5):
            while ToneVoice.open_streams:  # noqa: ASYNC110 - the replica's loop runs in another thread
                await asyncio.sleep(0.005)

    asyncio.run(main())


def test_what_travels_between_processes_survives_it() -> None:
    chunk = SpeechChunk(b"\x00\x01", Alignment(("á", " "), (0, 80), (80, 40)))
    voice = Voice(voice_id="v", model_id="m", agent_output_audio_format="ulaw_8000", stability=0.1, speed=1.2)
    for value in (chunk, SpeechChunk(b""), voice):
        assert cloudpickle.loads(cloudpickle.dumps(value)) == value
    error = cloudpickle.loads(cloudpickle.dumps(SpeechError("no voice")))
    assert isinstance(error, SpeechError)
    assert error.message == "no voice"
