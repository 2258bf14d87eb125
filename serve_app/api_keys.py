"""The API keys that the operator has given out."""

import hmac
from collections.abc import Iterable, Mapping


class ApiKeys:
    """`key in keys`. Without any, whoever reaches the server may do all but what is private."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys = [key.encode() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __contains__(self, key: str | None) -> bool:
        """Comparing takes as long for a key that is nearly right as for one that is all wrong."""
        return key is not None and any(hmac.compare_digest(key.encode(), known) for known in self._keys)


def sent_key(headers: Mapping[str, str]) -> str | None:
    """The key that a request brings: `xi-api-key: KEY`, or `Authorization: Bearer KEY`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("xi-api-key") or (token if scheme.lower() == "bearer" else None)
