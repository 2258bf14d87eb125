"""With what a client comes back to its conversation, on any replica: a secret that the record knows by its hash."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from serve_app.errors import ClientError


class Ticket(NamedTuple):
    """Good for one conversation, until `expires_at` (Unix seconds)."""

    token: str
    expires_at: float

    @staticmethod
    def new(expires_at: float) -> "Ticket":
        return Ticket(secrets.token_urlsafe(32), expires_at)

    @property
    def record(self) -> dict[str, Any]:
        """What may be written down: who reads it cannot come in."""
        return {"token_sha256": _hash(self.token), "expires_unix": self.expires_at}


def ticket_of(token: str, record: Mapping[str, Any] | None, now_unix: float) -> Ticket:
    """The ticket that was recorded so. Raises ClientError for another token, one too old, or where there is none."""
    if record is None or not hmac.compare_digest(_hash(token), record["token_sha256"]):
        raise ClientError("the resume_token is not this conversation's")
    if record["expires_unix"] <= now_unix:
        raise ClientError("the resume_token has expired: begin a new conversation")
    return Ticket(token, record["expires_unix"])


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
