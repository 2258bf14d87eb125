import asyncio
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.whisper import Asked, LocalWhisper, RemoteTranscriber
from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_recogniser import Recogniser
from deployments.whisper_weights import find_weights
from serve_app.errors import ConfigurationError, TranscriptionError
from serve_app.ports import Transcript
from tests import scripted_whisper
from tests.deployments.hub_models import NAME, await_improvement, hub_of
from tests.deployments.patient_whisper import patient_whisper
from tests.espeak import render

PHRASES = {"pt": "quero pagar a minha conta", "en": "i forgot my password"}


@pytest.fixture(scope="module")
def handle() -> Iterator[DeploymentHandle[Any]]:
    with patient_whisper() as handle:
        yield handle


def spoken(language: str) -> bytes:
    return render(PHRASES[language], language).tobytes()


def test_it_hears_both_languages(handle: DeploymentHandle[Any]) -> None:
    transcriber = RemoteTranscriber(handle)
    for language, phrase in PHRASES.items():
        transcript = asyncio.run(transcriber.transcribe(spoken(language), language=None))
        assert (transcript.text, transcript.language) == (phrase, language)


def test_keywords_travel_with_their_utterance(monkeypatch: pytest.MonkeyPatch, handle: DeploymentHandle[Any]) -> None:
    received: list[Utterance] = []

    def listen(engine: WhisperEngine, utterances: Sequence[Utterance]) -> list[Transcript]:
        received.extend(utterances)
        return [Transcript("", "pt", 0.0) for _ in utterances]

    monkeypatch.setattr(WhisperEngine, "transcribe", listen)
    asyncio.run(RemoteTranscriber(handle).transcribe(b"\x00\x00", language="pt", keywords=["Pix", "boleto"]))
    assert received == [Utterance(b"\x00\x00", "pt", ("Pix", "boleto"))]


def test_batches_grow_when_a_model_comes_that_they_suit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted_whisper.write(tmp_path / "model", ["sim"])
    with hub_of({path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}) as hub:
        from_there = partial(Recogniser, cache=tmp_path / "cache", endpoint=hub.url)
        monkeypatch.setattr("deployments.whisper.Recogniser", from_there)
        whisper = LocalWhisper.func_or_class(model=NAME)
        assert whisper._recognise._get_max_batch_size() == 1
        await_improvement()
    [transcript] = asyncio.run(whisper._recognise_batch([Asked(Utterance(spoken("pt"), "pt"))]))
    assert transcript.text == "sim"
    assert whisper._recognise._get_max_batch_size() == 4


def test_a_bad_utterance_in_a_batch_fails_alone(handle: DeploymentHandle[Any]) -> None:
    async def transcribe_at_once() -> list[Transcript | BaseException]:
        transcriber = RemoteTranscriber(handle)
        utterances = [spoken("pt"), b"\x00", spoken("en")]
        calls = [transcriber.transcribe(pcm, language=None) for pcm in utterances]
        return await asyncio.gather(*calls, return_exceptions=True)

    first, bad, last = asyncio.run(transcribe_at_once())
    assert isinstance(first, Transcript)
    assert first.text == PHRASES["pt"]
    assert type(bad) is TranscriptionError
    assert isinstance(last, Transcript)
    assert last.text == PHRASES["en"]


def test_it_says_which_model_it_is(handle: DeploymentHandle[Any]) -> None:
    assert handle.describe.remote().result() == find_weights(None).sentence


def test_it_says_so_loudly_at_the_start(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPER_MODEL", "/no/such/folder")
    with caplog.at_level(logging.WARNING, logger="deployments"):
        handle = serve.run(LocalWhisper.bind(), _local_testing_mode=True)
    (record,) = [record for record in caplog.records if record.name.startswith("deployments.")]
    assert record.levelno == logging.WARNING
    assert "WHISPER_MODEL='/no/such/folder' is neither" in record.getMessage()
    assert "not a general recogniser" in record.getMessage()
    assert handle.describe.remote().result() == record.getMessage()


@pytest.mark.parametrize("bad", [{"max_batch_size": 0}, {"batch_wait_s": 5}, {"max_batch": 4}, {"max_batch_size": "8"}])
def test_invalid_batching_at_the_start_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="LocalWhisper's user_config"):
        LocalWhisper.func_or_class().reconfigure(bad)


def test_invalid_batching_later_is_refused_and_the_old_kept(caplog: pytest.LogCaptureFixture) -> None:
    whisper = LocalWhisper.func_or_class()
    whisper.reconfigure({"max_batch_size": 3, "batch_wait_s": 0.01})
    whisper.reconfigure({"max_batch_size": 0})
    assert whisper._recognise._get_max_batch_size() == 3
    assert "keeps its old user_config" in caplog.text


def test_batches_are_as_large_as_suits_the_engine_unless_told(tmp_path: Path) -> None:
    bundled = LocalWhisper.func_or_class()
    assert bundled._recognise._get_max_batch_size() == 1
    scripted = LocalWhisper.func_or_class(model=str(scripted_whisper.write(tmp_path, ["sim"])))
    assert scripted._recognise._get_max_batch_size() == 4
    scripted.reconfigure({"max_batch_size": 2})
    assert scripted._recognise._get_max_batch_size() == 2


# ---- scaling


def work(handle: DeploymentHandle[Any]) -> float:
    told: dict[str, float] = handle.record_autoscaling_stats.remote().result()
    return told["work"]


def test_work_is_what_somebody_relies_on(handle: DeploymentHandle[Any]) -> None:
    needed = RemoteTranscriber(handle)
    spare = needed.if_awake()
    assert spare
    work(handle)
    assert asyncio.run(spare.transcribe(spoken("pt"), language="pt")).text == PHRASES["pt"]
    assert work(handle) == 0
    assert asyncio.run(needed.transcribe(spoken("pt"), language="pt")).text == PHRASES["pt"]
    assert 0 < work(handle) <= 1


def test_one_that_is_asleep_is_not_for_hire(handle: DeploymentHandle[Any]) -> None:
    assert RemoteTranscriber(handle, lambda: False).if_awake() is None
