import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_recogniser import Recogniser
from deployments.whisper_weights import BUNDLED_SENTENCE, WhisperWeights, find_weights
from serve_app.errors import ConfigurationError
from serve_app.ports import Transcript
from tests import scripted_whisper
from tests.deployments.hub_models import NAME, NEEDED, await_improvement, hub_of
from tests.espeak import render
from tests.fakes.hub_server import FakeHub, Fault

PHRASE = "quero pagar a minha conta"


def spoken() -> Utterance:
    return Utterance(render(PHRASE, "pt").tobytes(), "pt")


def hear(recogniser: Recogniser) -> str:
    [outcome] = recogniser.transcribe([spoken()])
    assert isinstance(outcome, Transcript)
    return outcome.text


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fetching(hub: FakeHub, cache: Path, first_retry_s: float = 0.01) -> Recogniser:
    return Recogniser(NAME, WhisperEngine, cache=cache, endpoint=hub.url, first_retry_s=first_retry_s)


def scripted_model(folder: Path) -> dict[str, bytes]:
    """Files of a model that hears "sim claro" in everything: whoever says so is not the bundled one."""
    scripted_whisper.write(folder, ["sim", "claro"])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_nothing_wanted_is_the_bundled_model_and_no_thread() -> None:
    recogniser = Recogniser(None, WhisperEngine)
    assert hear(recogniser) == PHRASE
    assert recogniser.describe() == find_weights(None).sentence
    assert not [thread for thread in threading.enumerate() if thread.name == "whisper-model"]


def test_it_hears_at_once_and_better_when_the_model_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with hub_of(scripted_model(tmp_path / "model")) as hub:
        hub.fault = Fault.STALL
        recogniser = fetching(hub, tmp_path)
        assert hear(recogniser) == PHRASE
        assert recogniser.batch_size == 1
        assert BUNDLED_SENTENCE in recogniser.describe()
        assert recogniser.describe().endswith(f"Downloading {NAME}: 0 %.")
        hub.fault = None
        hub.go_on.set()
        await_improvement()
    assert hear(recogniser) == "sim claro"
    assert recogniser.batch_size == 4
    assert recogniser.describe().startswith(f"Speech recognition: Whisper from {tmp_path}")
    assert "bundled" not in recogniser.describe()
    assert caplog.records[-1].getMessage().endswith("It has taken the bundled model's place.")


def test_progress_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    with hub_of() as hub:
        hub.fault = Fault.STALL_MIDWAY
        recogniser = fetching(hub, tmp_path)
        until(lambda: any(f"Downloading {NAME}: {p} % of 3 MB." in recogniser.describe() for p in range(30, 60)))
        assert hear(recogniser) == PHRASE
        hub.go_on.set()
        await_improvement()


def test_no_utterance_is_lost_or_heard_by_both(tmp_path: Path) -> None:
    """Batches go on while the new model is downloaded, loaded and put in place."""
    heard: list[str] = []
    with hub_of(scripted_model(tmp_path / "model")) as hub:
        recogniser = fetching(hub, tmp_path)
        asked = 0
        while not heard or heard[-1] != "sim claro":
            asked += 3
            outcomes = recogniser.transcribe([spoken()] * 3)
            texts = {outcome.text for outcome in outcomes if isinstance(outcome, Transcript)}
            assert len(texts) == 1  # a batch has one engine
            heard += [outcome.text for outcome in outcomes if isinstance(outcome, Transcript)]
            assert asked < 3000
        await_improvement()
    assert len(heard) == asked
    change = heard.index("sim claro")
    assert set(heard[:change]) == {PHRASE}
    assert set(heard[change:]) == {"sim claro"}


def test_the_old_engine_is_freed(tmp_path: Path) -> None:
    with hub_of() as hub:
        hub.fault = Fault.STALL
        recogniser = fetching(hub, tmp_path)
        old = weakref.ref(recogniser._engine)
        hub.fault = None
        hub.go_on.set()
        await_improvement()
    gc.collect()
    assert old() is None


def test_what_is_in_the_cache_hears_from_the_start(tmp_path: Path) -> None:
    with hub_of(scripted_model(tmp_path / "model")) as hub:
        fetching(hub, tmp_path)
        await_improvement()
        hub.received.clear()
        assert hear(fetching(hub, tmp_path)) == "sim claro"
        assert not hub.received


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.DAMAGED])
def test_what_may_pass_is_tried_again(tmp_path: Path, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    files = scripted_model(tmp_path / "model")
    files["tokenizer.json"] += b" " * 2_000_000  # one of them must be large
    with hub_of(files) as hub:
        hub.fault = fault
        recogniser = fetching(hub, tmp_path)
        until(lambda: "The next attempt comes" in caplog.text)
        assert hear(recogniser) == PHRASE
        hub.fault = None
        await_improvement()
        assert hear(recogniser) == "sim claro"


def test_between_attempts_it_says_when_the_next_comes(tmp_path: Path) -> None:
    with hub_of() as hub:
        hub.fault = Fault.SERVER_ERROR
        recogniser = fetching(hub, tmp_path, first_retry_s=1.0)
        until(lambda: "next attempt" in recogniser.describe())
        assert recogniser.describe().endswith(
            f"{NAME} could not be downloaded: the hub answers with status 500. The next attempt comes in 1 s."
        )
        hub.fault = None
        await_improvement()
    assert "next attempt" not in recogniser.describe()


def test_what_will_not_pass_is_told_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with hub_of() as hub:
        hub.fault = Fault.NOT_FOUND
        recogniser = fetching(hub, tmp_path)
        await_improvement()
    assert BUNDLED_SENTENCE in recogniser.describe()
    assert recogniser.describe().endswith("correct the name, or set HF_TOKEN.")
    assert f"{NAME} could not be had: the hub has no such model" in caplog.text
    assert hear(recogniser) == PHRASE


def test_what_comes_and_does_not_load_is_told(tmp_path: Path) -> None:
    with hub_of(NEEDED | {"model.bin": b"not a model" * 10}) as hub:
        recogniser = fetching(hub, tmp_path)
        await_improvement()
        assert f"{NAME} could not be had: Whisper in" in recogniser.describe()
        assert hear(recogniser) == PHRASE
        # It lies in the cache now.
        again = fetching(hub, tmp_path)
    assert f"WHISPER_MODEL='{NAME}' cannot be used: Whisper in" in again.describe()
    assert hear(again) == PHRASE


def test_a_device_that_is_not_there_is_a_configuration_error_whatever_is_wanted(tmp_path: Path) -> None:
    folder = scripted_whisper.write(tmp_path, ["sim"])
    for wanted in (None, str(folder)):
        with pytest.raises(ConfigurationError, match="whisper_device is 'tpu'"):
            Recogniser(wanted, partial(WhisperEngine, device="tpu"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_is_not_called_a_download(tmp_path: Path) -> None:
    def load(weights: WhisperWeights) -> WhisperEngine:
        if weights.bundled:
            return WhisperEngine(weights)
        raise AssertionError("ours")

    with hub_of() as hub:
        recogniser = Recogniser(NAME, load, cache=tmp_path, endpoint=hub.url)
        await_improvement()
    assert recogniser.describe().endswith("could not be had, for a reason that the log tells.")
    assert hear(recogniser) == PHRASE


def test_a_server_without_a_wish_says_so_loudly(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Recogniser("", WhisperEngine)
    assert "not a general recogniser" in caplog.text
