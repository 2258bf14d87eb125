"""Ray's instruments take what they are told without a cluster too."""

import pytest

from serve_app.errors import ConfigurationError
from serve_app.observability.metrics import counter, gauge, histogram


def test_each_instrument_wants_its_own_labels() -> None:
    counter("hello_test_total", "Counted.", "stage").inc(2, tags={"stage": "llm"})
    gauge("hello_test", "Set.").set(3)
    histogram("hello_test_ms", "Observed.", [1.0, 2.0], "agent").observe(1.5, tags={"agent": "default"})
    with pytest.raises(ValueError, match="stage"):
        counter("hello_test_total", "Counted.", "stage").inc()


def test_the_region_is_on_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGION", raising=False)
    assert gauge("hello_test", "Set.", "provider").info["default_tags"] == {"region": "local"}
    monkeypatch.setenv("REGION", "sa-east-1")
    for made in (counter("hello_test_total", "C."), gauge("hello_test", "S."), histogram("hello_test_ms", "O.", [1.0])):
        assert made.info["default_tags"] == {"region": "sa-east-1"}
        assert "region" in made.info["tag_keys"]


def test_a_setting_that_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError, match="LOG_LEVEL"):
        gauge("hello_test", "Set.")
