import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.whisper_download import Download, DownloadError, Interrupted
from deployments.whisper_weights import find_weights
from tests.deployments.hub_models import NAME, NEEDED, OTHER, hub_of
from tests.fakes.hub_server import FakeHub, Fault


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)  # the model has less than 10 MB
    with hub_of() as hub:
        yield hub


def fetched(hub: FakeHub) -> Counter[str]:
    """How often each file's content was asked for."""
    paths = [request.path for request in hub.received if request.method == "GET" and "/resolve/" in request.path]
    return Counter(path.rsplit("/", 1)[1] for path in paths)


def test_it_brings_the_files_that_are_needed_and_no_other(hub: FakeHub, tmp_path: Path) -> None:
    download = Download(NAME, cache=tmp_path, endpoint=hub.url)
    assert (download.megabytes, download.percent) == (0, 0)
    folder = download.run()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == NEEDED
    assert not fetched(hub).keys() & OTHER.keys()
    assert (download.megabytes, download.percent) == (3, 100)
    weights = find_weights(NAME, tmp_path)
    assert (weights.folder, weights.bundled) == (folder, False)


def test_what_is_there_is_not_fetched_again(hub: FakeHub, tmp_path: Path) -> None:
    first = Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    hub.received.clear()
    again = Download(NAME, cache=tmp_path, endpoint=hub.url)
    assert again.run() == first
    assert not fetched(hub)
    assert again.percent == 100


def test_progress_is_told_while_it_comes(hub: FakeHub, tmp_path: Path) -> None:
    hub.fault = Fault.STALL_MIDWAY
    download = Download(NAME, cache=tmp_path, endpoint=hub.url)
    thread = threading.Thread(target=download.run)
    thread.start()
    assert hub.half_sent.wait(10)
    deadline = threading.Event()
    while not 30 <= download.percent <= 60:
        assert thread.is_alive()
        deadline.wait(0.01)
    hub.go_on.set()
    thread.join(10)
    assert download.percent == 100


def test_a_cut_connection_is_gone_on_with(hub: FakeHub, tmp_path: Path) -> None:
    hub.fault = Fault.CUT_ONCE
    folder = Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    assert (folder / "model.bin").read_bytes() == NEEDED["model.bin"]
    starts = [request.start for request in hub.received if request.method == "GET" and "model.bin" in request.path]
    assert starts[0] == 0
    assert starts[1] >= len(NEEDED["model.bin"]) // 2 - (1 << 16)


KILLED = """
import sys
from pathlib import Path
from deployments.whisper_download import Download
Download(sys.argv[1], cache=Path(sys.argv[2]), endpoint=sys.argv[3]).run()
"""


def test_after_a_kill_the_next_one_finishes_it(hub: FakeHub, tmp_path: Path) -> None:
    hub.fault = Fault.STALL_MIDWAY
    with subprocess.Popen([sys.executable, "-c", KILLED, NAME, str(tmp_path), hub.url]) as process:
        assert hub.half_sent.wait(30)
        process.kill()
    [part] = tmp_path.glob("*/blobs/*.incomplete")
    os.utime(part, (0, 0))  # an hour later, and more
    assert find_weights(NAME, tmp_path).repository == NAME

    hub.fault = None
    hub.go_on.set()
    hub.received.clear()
    folder = Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    assert fetched(hub) == {"model.bin": 1}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == NEEDED
    assert not part.exists()


def test_a_download_under_way_elsewhere_is_left_alone(hub: FakeHub, tmp_path: Path) -> None:
    part = tmp_path / "models--acme--faster-whisper" / "blobs" / "abc.12345678.incomplete"
    part.parent.mkdir(parents=True)
    part.touch()
    Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    assert part.exists()


def test_a_damaged_file_is_noticed_and_fetched_anew(hub: FakeHub, tmp_path: Path) -> None:
    hub.fault = Fault.DAMAGED
    with pytest.raises(Interrupted, match=r"its model\.bin arrived damaged"):
        Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    assert find_weights(NAME, tmp_path).bundled
    hub.fault = None
    folder = Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    assert (folder / "model.bin").read_bytes() == NEEDED["model.bin"]


@pytest.mark.parametrize(
    ("fault", "error", "why"),
    [
        (Fault.NOT_FOUND, DownloadError, "no such model, or it is private: correct the name, or set HF_TOKEN"),
        (Fault.GATED, DownloadError, "terms accepted: do so on its page on the hub, and set HF_TOKEN"),
        (Fault.BAD_TOKEN, DownloadError, "the hub refuses HF_TOKEN"),
        (Fault.SERVER_ERROR, Interrupted, "the hub answers with status 500"),
        (Fault.NOT_A_HUB, Interrupted, "does not answer as a model hub does"),
        (Fault.STALL, Interrupted, r"the hub cannot be reached \(ReadTimeout\)"),
    ],
)
def test_refusals_say_what_to_do(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, error: type[Exception], why: str
) -> None:
    monkeypatch.setattr("deployments.whisper_download.HUB_ANSWERS_WITHIN_S", 0.3)
    hub.fault = fault
    with pytest.raises(DownloadError, match=why) as raised:
        Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    assert type(raised.value) is error


def test_nobody_there_is_an_interruption(hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match=r"the hub cannot be reached \(ConnectError\)"):
        Download(NAME, cache=tmp_path, endpoint="http://127.0.0.1:1").run()


def test_offline_is_respected(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE forbids it") as raised:
        Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    assert not isinstance(raised.value, Interrupted)
    assert not hub.received


def test_the_operators_token_goes_along(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_ours")
    Download(NAME, cache=tmp_path, endpoint=hub.url).run()
    assert {request.authorization for request in hub.received} == {"Bearer hf_ours"}


def test_a_model_for_another_library_is_not_downloaded(tmp_path: Path) -> None:
    with FakeHub({NAME: {"config.json": b"{}", "model.safetensors": bytes(10)}}) as hub:
        with pytest.raises(DownloadError, match=r"no model\.bin and no tokenizer\.json, so it is no Whisper model"):
            Download(NAME, cache=tmp_path, endpoint=hub.url).run()
        assert not fetched(hub)


def test_a_full_disk_is_noticed_before(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total, used, _ = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(total, used, 2_000_000))
    with pytest.raises(DownloadError, match=r"3 MB are needed, 2 MB free in .*: make room, or set HF_HOME"):
        Download(NAME, cache=tmp_path / "cache", endpoint=hub.url).run()
    assert not fetched(hub)


def test_a_cache_that_cannot_be_written_is_named(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"file/cache cannot be written to .*: set HF_HOME to a folder that can"):
        Download(NAME, cache=tmp_path / "file" / "cache", endpoint=hub.url).run()
