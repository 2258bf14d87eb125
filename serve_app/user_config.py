"""What operators tune while calls go on: a deployment's `user_config`, checked."""

import logging
from typing import Any, Generic, TypeVar

import msgspec

from serve_app.errors import ConfigurationError

logger = logging.getLogger(__name__)

Limits = TypeVar("Limits", bound=msgspec.Struct)


class UserConfig(Generic[Limits]):
    """Of the deployment `owner`, in the shape of `kind`, which forbids unknown fields."""

    def __init__(self, owner: str, kind: type[Limits]) -> None:
        self._owner = owner
        self._kind = kind
        self._taken = False

    def take(self, given: dict[str, Any]) -> Limits | None:
        """Invalid: at the start ConfigurationError; later None, and the old one stays, since raising then would end
        the replica and its calls with it."""
        try:
            limits = msgspec.convert(given, self._kind)
        except msgspec.ValidationError as e:
            if not self._taken:
                raise ConfigurationError(f"{self._owner}'s user_config: {e}") from e
            logger.error("%s keeps its old user_config; the new one is invalid: %s", self._owner, e)
            return None
        self._taken = True
        return limits
