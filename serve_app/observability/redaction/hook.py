"""The operator's own function, which redacts what else they know of. It must neither leak nor break anything."""

import importlib
import logging
from collections.abc import Callable
from typing import cast

from serve_app.errors import ConfigurationError

WITHHELD = "[REDACTED]"
"""Instead of a text that the function could not deal with."""

Function = Callable[[str], str]

logger = logging.getLogger(__name__)


class Hook:
    """`function` as it may be called. What it fails on is withheld altogether, and one warning says so."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._has_warned = False

    def __call__(self, text: str) -> str:
        try:
            redacted: object = self._function(text)
        except Exception as e:  # noqa: BLE001 - foreign code, whatever it raises: the text must not get out
            return self._withhold(f"raised {type(e).__name__}")
        if not isinstance(redacted, str):
            return self._withhold(f"returned no text but {type(redacted).__name__}")
        return redacted

    def _withhold(self, why: str) -> str:
        """An exception's message may quote the text: its type must do."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning("REDACTION_HOOK %s: such texts are replaced by %s as a whole", why, WITHHELD)
        return WITHHELD


def named(spec: str) -> Function:
    """The function of "package.module:function". Raises ConfigurationError."""
    module, _, name = spec.partition(":")
    advice = 'name a function that takes a text and returns one, as "package.module:function"'
    try:
        function = getattr(importlib.import_module(module), name)
    except Exception as e:  # foreign code runs while it is imported
        raise ConfigurationError(f"REDACTION_HOOK={spec}: {type(e).__name__}: {e}; {advice}") from e
    if not callable(function):
        raise ConfigurationError(f"REDACTION_HOOK={spec}: {name} is no function; {advice}")
    return cast(Function, function)
