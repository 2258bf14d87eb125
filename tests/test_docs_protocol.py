"""docs/protocol.md against the code: every message has a row, what it says is so, and the tests it names exist."""

import ast
import json
import re
from pathlib import Path

import pytest

from serve_app import errors
from serve_app.conversation import client_messages, server_messages
from tests.acceptance.test_wire_frames import NEVER_SENT

REPOSITORY = Path(__file__).parents[1]
DOCUMENT = (REPOSITORY / "docs" / "protocol.md").read_text(encoding="utf-8")
MESSAGES = REPOSITORY / "../shared/protocol/messages.json"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, its own head left out."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def status(heading: str) -> dict[str, str]:
    table = {message.strip("`"): status for message, status, _ in rows(heading)}
    assert len(table) == len(rows(heading)), "a row each"
    return table


def test_every_client_message_has_a_row() -> None:
    assert status("From the client").keys() == {"user_audio_chunk", *client_messages.CLIENT_MESSAGES}
    assert set(status("From the client").values()) <= {"supported", "error", "refused"}


def test_every_server_message_has_a_row_and_what_it_says_is_so() -> None:
    table = status("To the client")
    assert {name for name, said in table.items() if said == "supported"} == set(server_messages.SERVER_MESSAGES)
    assert {name for name, said in table.items() if said == "not applicable"} == set(NEVER_SENT)
    assert len(table) == len(server_messages.SERVER_MESSAGES) + len(NEVER_SENT)


def test_the_reasons_are_those_of_the_test_that_looks_at_every_frame() -> None:
    reasons = {message.strip("`"): why for message, said, why in rows("To the client") if said == "not applicable"}
    assert {name: why.replace("`", "") for name, why in reasons.items()} == NEVER_SENT


def test_no_message_of_the_protocol_is_forgotten() -> None:
    if not MESSAGES.exists():
        pytest.skip("no schemas here")
    recorded = {event["type"] or event["key_only"] for event in json.loads(MESSAGES.read_text())["events"]}
    assert recorded == status("From the client").keys() | status("To the client").keys()


def test_every_end_is_one_that_the_code_knows() -> None:
    tree = [errors.HelloError]
    for error in tree:
        tree += error.__subclasses__()
    known = {(error.close_code, error.error_type) for error in tree}
    told = {(int(code), kind.strip("`")) for _, code, kind in rows("Ends")}
    assert {(code, kind) for code, kind in told if kind != "no error"} <= known
    assert {code for code, _ in told} == {code for code, _ in known}
    assert {code for code, kind in told if kind != "no error"} == server_messages.ERROR_CODES


@pytest.mark.parametrize("rule", rows("Rules"), ids=lambda rule: rule[0][:50])
def test_every_rule_has_tests_that_exist(rule: list[str]) -> None:
    named = re.findall(r"`(tests/[^`]+)`", rule[1])
    assert named
    for path, _, name in (test.partition("::") for test in named):
        module = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"
