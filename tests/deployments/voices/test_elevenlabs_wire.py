"""Messages as they travel."""

from typing import Any

import msgspec
import pytest

from deployments.voices.elevenlabs_http import _Piece
from deployments.voices.elevenlabs_wire import Opening, decode_reply, translated
from serve_app.errors import SpeechError
from serve_app.ports import Alignment, Voice
from tests.deployments.voices.elevenlabs_calls import account


@pytest.mark.parametrize(
    ("timing", "alignment"),
    [
        ({"chars": ["a"], "charStartTimesMs": [1.6], "charDurationsMs": [80.2]}, Alignment(("a",), (2,), (80,))),
        ({"chars": ["a"], "charsStartTimesMs": [1], "charsDurationsMs": [80]}, Alignment(("a",), (1,), (80,))),
        ({"chars": ["a"], "charStartTimesMs": [1], "charsDurationsMs": [80]}, Alignment(("a",), (1,), (80,))),
        ({"chars": None, "charStartTimesMs": None, "charDurationsMs": None}, Alignment((), (), ())),
        ({"chars": ["a", "b"], "charStartTimesMs": [0], "charDurationsMs": [80]}, None),
        (None, None),
    ],
)
def test_alignment_in_either_spelling(timing: dict[str, Any] | None, alignment: Alignment | None) -> None:
    chunk = decode_reply(msgspec.json.encode({"audio": "AAAA", "alignment": timing})).chunk
    assert chunk
    assert (chunk.audio, chunk.alignment) == (b"\0\0\0", alignment)


@pytest.mark.parametrize(
    ("times", "alignment"),
    [
        (([2.0, 2.1], [2.1, 2.25]), Alignment(("a", "b"), (0, 100), (100, 150))),
        (([1.999, 2.1], [1.998, 2.25]), Alignment(("a", "b"), (0, 100), (0, 150))),
        (([2.0], [2.1]), None),
    ],
)
def test_alignment_of_http_counts_from_the_start(
    times: tuple[list[float], list[float]], alignment: Alignment | None
) -> None:
    starts, ends = times
    timing = {
        "characters": ["a", "b"],
        "character_start_times_seconds": starts,
        "character_end_times_seconds": ends,
    }
    piece = msgspec.convert({"audio_base64": "AAAA", "alignment": timing}, _Piece)
    assert piece.timing
    assert piece.timing.as_alignment(2.0) == alignment


def test_an_error_is_told_by_name_and_code_and_never_quoted() -> None:
    failure = decode_reply('{"message": "no: good morning", "error": "quota_exceeded", "code": 1008}').failure
    assert failure
    assert failure.message == "ElevenLabs failed: quota_exceeded (1008)"
    bare = decode_reply('{"message": "good morning"}').failure
    assert bare
    assert bare.message == "ElevenLabs failed: unnamed error (no code)"


@pytest.mark.parametrize(
    "message",
    [
        "{not json",
        "[]",
        '{"audio": 1}',
        '{"audio": "*"}',
        "\ud800".encode("utf-8", "surrogatepass"),
        '{"message": %s}' % ("[" * 10_000 + "]" * 10_000),
    ],
    ids=lambda message: message[:20],
)
def test_what_is_no_message_is_a_speech_error(message: str | bytes) -> None:
    with pytest.raises(SpeechError, match="not a message"), translated():
        decode_reply(message)


def test_languages_are_known_without_their_region() -> None:
    def codes(language: str) -> str | None:
        return Opening(language, Voice()).model.get("language_code")

    assert [codes("pt-BR"), codes("PT"), codes("en"), codes("")] == ["pt", "pt", "en", None]


def test_the_scheme_of_a_socket_is_that_of_the_base() -> None:
    urls = [account(base).socket_url("w", Opening("", Voice())) for base in ("http://a/", "https://a")]
    assert [url.partition("/v1/")[0] for url in urls] == ["ws://a", "wss://a"]
