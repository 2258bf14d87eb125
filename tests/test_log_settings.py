import pytest

from serve_app.errors import ConfigurationError
from serve_app.settings import LogSettings


def test_by_default_turns_are_logged_and_events_are_not() -> None:
    assert LogSettings.from_environment({"DATABASE_URL": "postgresql://", "LOG_LEVEL": ""}).log_level == "info"


@pytest.mark.parametrize("level", ["trace", "debug", "info", "warning", "error"])
def test_levels_are_known_by_their_names_however_written(level: str) -> None:
    assert LogSettings.from_environment({"LOG_LEVEL": level}).log_level == level
    assert LogSettings.from_environment({"LOG_LEVEL": level.upper()}).log_level == level


@pytest.mark.parametrize("level", ["verbose", "warn", "20"])
def test_a_level_that_does_not_exist_is_refused_with_those_that_do(level: str) -> None:
    with pytest.raises(ConfigurationError, match=r"environment variable LOG_LEVEL: .*'trace', 'debug', 'info'"):
        LogSettings.from_environment({"LOG_LEVEL": level})
