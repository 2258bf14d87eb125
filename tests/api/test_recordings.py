"""The route as the official client sees it, over HTTP."""

import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from elevenlabs.core.api_error import ApiError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from serve_app.api.recordings import routes
from serve_app.api_keys import ApiKeys
from serve_app.audio.framing import RATE
from serve_app.recordings.tape import Tape
from tests.api.official_client import client_of
from tests.recordings.sounds import WIRE, from_agent, from_caller, library_in, likeness, live_in, speech

CALLER, AGENT = speech(7.0, 1), speech(6.0, 2)
MIXED = CALLER + np.pad(AGENT, (0, RATE))


@pytest.fixture(params=[False, True], ids=["recorded", "archived"])
def recorded(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with the recording of conv_1."""
    Tape(live_in(tmp_path), "conv_1", 0, WIRE).close([*from_caller(CALLER), *from_agent(AGENT)])
    if request.param:
        library_in(tmp_path).tidy()
    return tmp_path


def app_of(folder: Path, *keys: str) -> Starlette:
    return Starlette(routes=routes(library_in(folder), ApiKeys(keys)))


def test_the_official_client_hears_the_call(recorded: Path) -> None:
    with client_of(app_of(recorded)) as client:
        data = b"".join(client.conversational_ai.conversations.audio.get("conv_1"))
    with av.open(io.BytesIO(data), "r", format="mp3") as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]) * 32768
    assert len(heard) == pytest.approx(len(MIXED), abs=0.2 * RATE)
    assert likeness(heard, MIXED) > 0.9


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "*/*", "audio/mpeg"),
        ("", "audio/wav", "audio/wav"),
        ("?format=wav", "*/*", "audio/wav"),
        ("?format=mp3", "audio/wav", "audio/mpeg"),
    ],
)
def test_whoever_asks_for_a_wav_gets_one(recorded: Path, query: str, accept: str, kind: str) -> None:
    with TestClient(app_of(recorded)) as client:
        answer = client.get(f"/v1/convai/conversations/conv_1/audio{query}", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    if kind == "audio/wav":
        with wave.open(io.BytesIO(answer.content)) as file:
            assert file.readframes(file.getnframes()) == MIXED.tobytes()


def refused(folder: Path, path: str, *keys: str) -> tuple[int, str]:
    with TestClient(app_of(folder, *keys)) as client:
        answer = client.get(f"/v1/convai/conversations/{path}")
    return answer.status_code, answer.json()["detail"]["status"]


def test_a_call_that_was_not_recorded_has_no_audio(tmp_path: Path) -> None:
    with client_of(app_of(tmp_path)) as client, pytest.raises(ApiError) as refusal:
        b"".join(client.conversational_ai.conversations.audio.get("conv_1"))
    assert (refusal.value.status_code, refusal.value.body["detail"]["status"]) == (404, "audio_not_found")


def test_with_api_keys_it_is_for_those_who_hold_one(tmp_path: Path) -> None:
    assert refused(tmp_path, "conv_1/audio", "key_1") == (401, "invalid_api_key")


def test_there_are_two_formats(tmp_path: Path) -> None:
    assert refused(tmp_path, "conv_1/audio?format=ogg") == (422, "unknown_format")


def test_while_the_archive_is_away_the_client_is_told_to_try_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(tmp_path)
    (tmp_path / "kept").rmdir()
    (tmp_path / "kept").write_text("no folder")
    with TestClient(app) as client:
        answer = client.get("/v1/convai/conversations/conv_1/audio")
    assert (answer.status_code, answer.json()["detail"]["status"]) == (503, "store_unavailable")
    assert "a recording could not be read: recordings: " in caplog.text
