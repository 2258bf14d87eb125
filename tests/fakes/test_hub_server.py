"""The fake hub, through the library that the real one is asked with."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RemoteEntryNotFoundError, RepositoryNotFoundError

from tests.fakes.hub_server import FakeHub, Fault

LARGE = bytes(range(256)) * 8_000  # 2 MB
FILES = {"config.json": b"{}", "model.bin": LARGE}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub({"acme/model": FILES}) as hub:
        yield hub


def fetch(hub: FakeHub, name: str, cache: Path) -> Path:
    return Path(hf_hub_download("acme/model", name, endpoint=hub.url, cache_dir=cache))


def test_a_model_lists_its_files_with_sizes_and_hashes(hub: FakeHub) -> None:
    model = HfApi(hub.url).model_info("acme/model", files_metadata=True)
    assert model.sha == hub.commit("acme/model")
    small, large = model.siblings or []
    assert (small.rfilename, small.size, small.lfs) == ("config.json", 2, None)
    assert small.blob_id == "9e26dfeeb6e641a33dae4961196235bdb965b21b"  # what `git hash-object` says of {}
    assert large.lfs is not None
    assert (large.size, large.lfs.sha256) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())


@pytest.mark.parametrize("name", FILES)
def test_files_come_as_they_are_and_lie_where_the_library_finds_them(hub: FakeHub, name: str, tmp_path: Path) -> None:
    path = fetch(hub, name, tmp_path)
    assert path.read_bytes() == FILES[name]
    assert path.parent.name == hub.commit("acme/model")
    hub.received.clear()
    assert fetch(hub, name, tmp_path) == path
    assert [request.method for request in hub.received] == ["HEAD"]


def test_what_is_not_there_is_refused_as_the_hub_does(hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(RemoteEntryNotFoundError):
        fetch(hub, "weights.bin", tmp_path)
    with pytest.raises(RepositoryNotFoundError):
        HfApi(hub.url).model_info("acme/other")


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        (Fault.NOT_FOUND, RepositoryNotFoundError, 401),
        (Fault.GATED, GatedRepoError, 403),
        (Fault.BAD_TOKEN, HfHubHTTPError, 401),
        (Fault.SERVER_ERROR, HfHubHTTPError, 500),
    ],
)
def test_refusals_are_the_hubs(hub: FakeHub, fault: Fault, error: type[HfHubHTTPError], status: int) -> None:
    hub.fault = fault
    with pytest.raises(HfHubHTTPError) as raised:
        HfApi(hub.url).model_info("acme/model")
    assert type(raised.value) is error
    assert raised.value.response.status_code == status


def test_a_page_is_not_a_hubs_answer(hub: FakeHub) -> None:
    hub.fault = Fault.NOT_A_HUB
    answer = httpx.get(f"{hub.url}/api/models/acme/model")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


def test_a_stall_lasts(hub: FakeHub) -> None:
    hub.fault = Fault.STALL
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{hub.url}/api/models/acme/model", timeout=0.1)


def test_half_of_a_large_file_comes_and_the_rest_when_it_may(hub: FakeHub) -> None:
    hub.fault = Fault.STALL_MIDWAY
    with httpx.stream("GET", f"{hub.url}/acme/model/resolve/main/model.bin", timeout=5) as answer:
        assert hub.half_sent.wait(5)
        hub.go_on.set()
        assert answer.read() == LARGE


def test_a_cut_off_file_is_gone_on_with(hub: FakeHub) -> None:
    url = f"{hub.url}/acme/model/resolve/main/model.bin"
    hub.fault = Fault.CUT_ONCE
    pieces: list[bytes] = []
    with httpx.stream("GET", url) as answer, pytest.raises(httpx.RemoteProtocolError):
        pieces.extend(answer.iter_bytes())
    got = b"".join(pieces)
    assert got == LARGE[: len(LARGE) // 2]
    rest = httpx.get(url, headers={"Range": f"bytes={len(got)}-"})
    assert (rest.status_code, got + rest.content) == (206, LARGE)
    assert rest.headers["content-range"] == f"bytes {len(got)}-{len(LARGE) - 1}/{len(LARGE)}"


def test_a_damaged_file_has_the_right_length(hub: FakeHub) -> None:
    hub.fault = Fault.DAMAGED
    content = httpx.get(f"{hub.url}/acme/model/resolve/main/model.bin").content
    assert len(content) == len(LARGE)
    assert content != LARGE
