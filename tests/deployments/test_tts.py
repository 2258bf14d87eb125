"""The Serve shell around the engines and its client, in Serve's local testing mode."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import pytest
from ray import cloudpickle, serve
from ray.exceptions import ActorUnavailableError, RayTaskError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle

from deployments import tts
from deployments.tts import ENGINES, RemoteSpeaker, TtsProxy, default_engines
from deployments.voices.elevenlabs import ElevenLabsVoice
from serve_app.audio.pcm import AudioFormat, level_db
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import Alignment, Fallback, SpeechChunk, Voice
from tests.deployments.tone_voice import UNSPEAKABLE, ToneVoice
from tests.deployments.voices.scripted_engine import LETTER_S, VOICE, ScriptedEngine, collect, timed_text
from tests.fakes.elevenlabs_server import FakeElevenLabs

Items = list[SpeechChunk | Fallback]


@pytest.fixture
def tone(monkeypatch: pytest.MonkeyPatch) -> DeploymentHandle[Any]:
    monkeypatch.setitem(ENGINES, "tone", ToneVoice)  # the one line of a new engine
    return deployed("tone")


@pytest.fixture(autouse=True)
def no_engine_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ELEVENLABS_API_KEY", "ELEVENLABS_BASE_URL", "PIPER_VOICE"):
        monkeypatch.delenv(name, raising=False)


def deployed(*engines: str) -> DeploymentHandle[Any]:
    return serve.run(TtsProxy.bind(engines or None), _local_testing_mode=True)


def said(handle: DeploymentHandle[Any], text: str, audio_format: str = "pcm_16000") -> Items:
    voice = Voice(agent_output_audio_format=audio_format)
    return asyncio.run(collect(RemoteSpeaker(handle).speak(text, language="en", voice=voice)))


def audio(items: Items) -> bytes:
    return b"".join(item.audio for item in items if isinstance(item, SpeechChunk))


# ---- the engines


def test_a_new_engine_is_one_file_and_one_line(tone: DeploymentHandle[Any]) -> None:
    items = said(tone, "hello", "ulaw_8000")
    assert timed_text(items) == "hello"
    assert level_db(AudioFormat("ulaw", 8000).decode(audio(items))) > -20
    assert tone.describe.remote().result() == "a tone"


def test_audio_travels_in_pieces_that_are_worth_a_call(tone: DeploymentHandle[Any]) -> None:
    """The tone makes 50 ms at a time."""
    assert [len(item.audio) for item in said(tone, "a" * 10, "ulaw_8000") if isinstance(item, SpeechChunk)] == [
        400, 400, 800, 1200, 1200,
    ]  # fmt: skip


def test_work_is_the_clauses_that_are_spoken(tone: DeploymentHandle[Any]) -> None:
    def work() -> float:
        told: dict[str, float] = tone.record_autoscaling_stats.remote().result()
        return told["work"]

    assert work() == 0
    said(tone, "hello")
    assert 0 < work() <= 1
    assert work() == 0


def test_the_local_voice_speaks_without_a_key() -> None:
    handle = deployed()
    assert handle.describe.remote().result() == "espeak-ng (local voice)"
    items = said(handle, "good morning")
    assert timed_text(items) == "good morning"
    assert level_db(AudioFormat("pcm", 16000).decode(audio(items))) > -30


def test_elevenlabs_speaks_when_its_key_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeElevenLabs() as server:
        monkeypatch.setenv("ELEVENLABS_API_KEY", "secret")
        monkeypatch.setenv("ELEVENLABS_BASE_URL", server.url)
        handle = deployed()
        assert handle.describe.remote().result() == "ElevenLabs eleven_flash_v2_5, then espeak-ng (local voice)"
        items = said(handle, "good morning")
        assert timed_text(items) == "good morning "
        assert not any(isinstance(item, Fallback) for item in items)
        assert server.received[0].api_key == "secret"


def test_the_local_voice_speaks_when_elevenlabs_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", "secret")
    with FakeElevenLabs() as server:
        monkeypatch.setenv("ELEVENLABS_BASE_URL", server.url)
    items = said(deployed(), "good morning")  # nothing listens there any more
    taken_over = [item for item in items if isinstance(item, Fallback) and item.instead == "espeak"]
    assert [fallback.failed for fallback in taken_over] == ["elevenlabs"]
    assert timed_text(items) == "good morning"
    assert level_db(AudioFormat("pcm", 16000).decode(audio(items))) > -30


def test_the_choice_of_engines() -> None:
    assert default_engines({"ELEVENLABS_API_KEY": ""}) == ["espeak"]
    assert default_engines({"ELEVENLABS_API_KEY": "secret"}) == ["elevenlabs", "espeak"]
    assert default_engines({"PIPER_VOICE": "v.onnx"}) == ["piper", "espeak"]
    everything = {"PIPER_VOICE": "v.onnx", "ELEVENLABS_API_KEY": "secret"}
    assert default_engines(everything) == ["elevenlabs", "piper", "espeak"]
    with pytest.raises(ConfigurationError, match="no voice engine 'festival'; use some of elevenlabs, piper, espeak"):
        TtsProxy.func_or_class(["espeak", "festival"])


def test_a_failure_of_every_engine_is_a_speech_error(tone: DeploymentHandle[Any]) -> None:
    with pytest.raises(SpeechError, match=r"^tone: the tone cannot say this$"):
        said(tone, f"ab{UNSPEAKABLE}c")


def test_a_call_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine()
    monkeypatch.setitem(ENGINES, "scripted", lambda environ, on_change: engine)
    asyncio.run(RemoteSpeaker(deployed("scripted")).warm(language="pt", voice=VOICE))
    assert engine.warmed == [("pt", VOICE)]


# ---- its tunables


def test_generations_are_tuned_at_run_time(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    voice = ElevenLabsVoice("secret")
    monkeypatch.setitem(ENGINES, "elevenlabs", lambda environ, on_change: voice)
    proxy = TtsProxy.func_or_class(["elevenlabs"])
    assert voice.generations == 10
    proxy.reconfigure({"generations": 3})
    assert voice.generations == 3
    with caplog.at_level(logging.ERROR):
        proxy.reconfigure({"generations": 0})
        proxy.reconfigure({"generation": 5})
    assert voice.generations == 3
    assert caplog.text.count("TtsProxy keeps its old user_config") == 2
    proxy.check_health()


@pytest.mark.parametrize("config", [{"generations": 0}, {"generations": "3"}, {"voices": 3}])
def test_a_proxy_does_not_start_with_an_invalid_config(monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]) -> None:
    monkeypatch.setitem(ENGINES, "tone", ToneVoice)
    with pytest.raises(ConfigurationError, match="TtsProxy's user_config: "):
        TtsProxy.func_or_class(["tone"]).reconfigure(config)


# ---- calls that end badly


class Replicas:
    """A deployment of replicas that end as they are told to: of each call the letters that it says, and then what
    happens. `calls` are the texts that were asked for."""

    def __init__(self, *fates: tuple[int, BaseException | None]) -> None:
        self.fates = list(fates)
        self.calls: list[str] = []

    async def speak(
        self, text: str, language: str, voice: Voice, carrier: Mapping[str, str]
    ) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        self.calls.append(text)
        letters, end = self.fates.pop(0)
        async for item in ScriptedEngine(letters=letters).speak(text, language=language, voice=voice):
            yield item
        if end:
            raise end

    async def warm(self, language: str, voice: Voice) -> None:
        letters, end = self.fates.pop(0)
        await asyncio.sleep(letters)
        if end:
            raise end

    async def called(self) -> list[str]:
        return self.calls


def replicas(*fates: tuple[int, BaseException | None]) -> DeploymentHandle[Any]:
    return serve.run(serve.deployment(Replicas).bind(*fates), _local_testing_mode=True)


def calls(handle: DeploymentHandle[Any]) -> list[str]:
    return handle.called.remote().result()  # type: ignore[no-any-return]


LOST: dict[str, tuple[BaseException, str]] = {
    "cancelled": (asyncio.CancelledError(), "the replica gave the call up"),
    "replica died": (ActorUnavailableError("Actor is unavailable.", None), "the call failed: ActorUnavailableError"),
    "too many": (BackPressureError(3, 2), "the call failed: BackPressureError"),
}
WHOLE = (1000, None)


@pytest.mark.parametrize("kind", LOST)
def test_a_call_that_is_lost_is_made_again(kind: str) -> None:
    handle = replicas((0, LOST[kind][0]), WHOLE)
    assert timed_text(said(handle, "um dois")) == "um dois"
    assert calls(handle) == ["um dois", "um dois"]


@pytest.mark.parametrize("kind", LOST)
def test_one_that_is_lost_midway_is_made_again_for_the_rest(kind: str) -> None:
    handle = replicas((4, LOST[kind][0]), WHOLE)
    items = said(handle, "um dois")
    assert calls(handle) == ["um dois", "dois"]
    assert timed_text(items) == "um dois"
    assert AudioFormat("pcm", 16000).seconds(len(audio(items))) == pytest.approx(8 * LETTER_S)


def test_one_that_is_lost_after_the_last_word_was_enough() -> None:
    handle = replicas((7, LOST["replica died"][0]))
    assert timed_text(said(handle, "um dois!")) == "um dois"
    assert len(calls(handle)) == 1


@pytest.mark.parametrize("kind", LOST)
def test_a_second_loss_is_a_speech_error(kind: str) -> None:
    failure, told = LOST[kind]
    with pytest.raises(SpeechError) as caught:
        said(replicas((0, failure), (0, failure), WHOLE), "um dois")
    assert caught.value.message == told


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (RayTaskError("speak", "Traceback ...", SpeechError("no voice")).as_instanceof_cause(), "no voice"),
        (
            RayTaskError("speak", "Traceback ...", KeyError("my card number")).as_instanceof_cause(),
            "the replica failed: KeyError",
        ),
        (SpeechError("no voice"), "no voice"),
    ],
)
def test_what_the_engines_say_is_final(failure: BaseException, told: str) -> None:
    handle = replicas((0, failure), WHOLE)
    with pytest.raises(SpeechError) as caught:
        said(handle, "um dois")
    assert type(caught.value) is SpeechError
    assert caught.value.message == told
    assert len(calls(handle)) == 1


@pytest.mark.parametrize("letters", [0, 2])
def test_a_proxy_that_hangs_is_a_speech_error(monkeypatch: pytest.MonkeyPatch, letters: int) -> None:
    monkeypatch.setattr(tts, "FIRST_AUDIO_S", 0.3)
    monkeypatch.setattr(tts, "AUDIO_GAP_S", 0.2)
    engine = ScriptedEngine(letters=letters, hangs=True)
    monkeypatch.setitem(ENGINES, "hanging", lambda environ, on_change: engine)
    with pytest.raises(SpeechError, match=r"^no audio for 0\.[23] s$"):
        said(deployed("hanging"), "um dois")


@pytest.mark.parametrize("fate", [(0, SpeechError("no")), (0, ActorUnavailableError("no", None)), (1, None)])
def test_warming_never_fails_and_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, fate: tuple[int, BaseException | None]
) -> None:
    monkeypatch.setattr(tts, "WARM_S", 0.05)
    speaker = RemoteSpeaker(replicas(fate))
    asyncio.run(asyncio.wait_for(speaker.warm(language="pt", voice=VOICE), 0.9))


# ---- calls that are broken off


def test_an_engine_is_closed_with_its_call() -> None:
    """Not when its generator is collected, which may be later."""

    async def main() -> None:
        chunks = TtsProxy.func_or_class(["tone"]).speak("a~", "en", Voice())
        await anext(chunks)
        assert ToneVoice.open_streams == 1
        await chunks.aclose()
        assert ToneVoice.open_streams == 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "tone", ToneVoice)
        asyncio.run(main())


@pytest.mark.parametrize("leave", ["close", "cancel"])
def test_who_stops_listening_stops_the_engine(tone: DeploymentHandle[Any], leave: str) -> None:
    async def listen(chunks: AsyncGenerator[SpeechChunk | Fallback, None], started: asyncio.Event) -> None:
        async with aclosing(chunks):
            async for _ in chunks:
                started.set()
                if leave == "close":
                    break

    async def main() -> None:
        started = asyncio.Event()
        chunks = RemoteSpeaker(tone).speak("a~", language="en", voice=Voice())
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
    for value in (chunk, SpeechChunk(b""), voice, Fallback("tts", "one", "it broke", "another")):
        assert cloudpickle.loads(cloudpickle.dumps(value)) == value
    error = cloudpickle.loads(cloudpickle.dumps(SpeechError("no voice")))
    assert isinstance(error, SpeechError)
    assert error.message == "no voice"
