import json
import pickle
from pathlib import Path

import pytest

from serve_app import errors
from serve_app.errors import HelloError

MESSAGES = Path(__file__).parents[1] / "../shared/protocol/messages.json"
REGISTERED = set(range(1000, 1004)) | set(range(1007, 1015)) | set(range(4000, 5000))
"""Close codes that may travel in a frame (RFC 6455, 7.4.1 and 7.4.2, and IANA's registry)."""


def tree(root: type[HelloError] = HelloError) -> list[type[HelloError]]:
    below = [kind for child in root.__subclasses__() for kind in tree(child)]
    return [root, *(kind for kind in below if kind.__module__ == errors.__name__)]


each_error = pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)


def test_the_tree_is_the_one_its_module_draws() -> None:
    assert errors.__doc__
    assert all(kind.__name__ in errors.__doc__ for kind in tree())
    assert len(tree()) >= 10


@each_error
def test_an_error_crosses_processes_whole(kind: type[HelloError]) -> None:
    there = pickle.loads(pickle.dumps(kind("não foi possível")))
    assert type(there) is kind
    assert there.message == str(there) == "não foi possível"
    assert (there.close_code, there.error_type) == (kind.close_code, kind.error_type)


@each_error
def test_close_codes_are_legal(kind: type[HelloError]) -> None:
    assert kind.close_code in REGISTERED


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.HelloError, 1011),
        (errors.ClientError, 1008),
        (errors.InvalidMessage, 1008),
        (errors.Unavailable, 1013),
        (errors.SpeechError, 1002),
        (errors.LanguageModelError, 1002),
        (errors.TranscriptionError, 1002),
    ],
)
def test_close_codes_mean_what_elevenlabs_means(kind: type[HelloError], code: int) -> None:
    assert kind.close_code == code


@each_error
def test_error_types_are_those_of_elevenlabs(kind: type[HelloError]) -> None:
    if not MESSAGES.exists():
        pytest.skip("no recorded messages here")
    [error] = [event for event in json.loads(MESSAGES.read_text())["events"] if event["type"] == "error"]
    known = error["schema"]["properties"]["error_event"]["properties"]["error_type"]["anyOf"][0]["enum"]
    assert kind.error_type in known
