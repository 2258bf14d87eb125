import logging

import msgspec
import pytest

from serve_app.errors import ConfigurationError
from serve_app.user_config import UserConfig


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    most: int = 3


@pytest.mark.parametrize("given", [{"most": "many"}, {"least": 1}])
def test_a_bad_one_is_fatal_at_the_start_and_refused_later(
    given: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    config = UserConfig("Proxy", Limits)
    with pytest.raises(ConfigurationError, match="Proxy's user_config: "):
        config.take(given)
    assert config.take({}) == Limits()
    with caplog.at_level(logging.ERROR):
        assert config.take(given) is None
    assert "Proxy keeps its old user_config" in caplog.text
    assert config.take({"most": 4}) == Limits(4)
