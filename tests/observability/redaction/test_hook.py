import logging

import pytest

from serve_app.errors import ConfigurationError
from serve_app.observability.redaction import WITHHELD, Redactor
from serve_app.observability.redaction.hook import Hook, named


def fail(text: str) -> str:
    raise ValueError(f"cannot read {text}")


def count(text: str) -> int:
    return len(text)


NOTHING = None


@pytest.mark.parametrize("function", ["fail", "count"])
def test_one_that_fails_lets_nothing_out_and_says_so_once(function: str, caplog: pytest.LogCaptureFixture) -> None:
    redactor = Redactor.from_spec(f"{__name__}:{function}")
    with caplog.at_level(logging.WARNING):
        assert [redactor.redact("é a Ana"), redactor.only(["CPF"]).redact("é o Rui")] == [WITHHELD, WITHHELD]
    [record] = caplog.records
    assert "Ana" not in record.getMessage()
    assert record.exc_info is None


def test_one_that_works_is_called() -> None:
    assert Hook(named("builtins:repr"))("a") == "'a'"


@pytest.mark.parametrize("spec", ["json", "json:nothing", "no_such_module:redact", ":redact", f"{__name__}:NOTHING"])
def test_one_that_is_none_is_said_at_start(spec: str) -> None:
    with pytest.raises(ConfigurationError, match=r"REDACTION_HOOK=.*package\.module:function"):
        named(spec)
