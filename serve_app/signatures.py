"""The signature of a signed URL: what it stands for, made and checked without a store, on any replica."""

import hashlib
import re
import time
from collections.abc import Callable

import msgspec
from itsdangerous import BadSignature, URLSafeSerializer

from serve_app.errors import ClientError

VALID_S = 15 * 60.0
"""ElevenLabs' time in which a signed URL opens a conversation, which may last longer."""

_ALPHABET = re.compile(r"[A-Za-z0-9_.-]+")


class Grant(msgspec.Struct, frozen=True):
    """Leave to open a conversation with an agent, until `expires_at` (Unix seconds). With a `conversation_id`, that one
    alone: once."""

    agent_id: str
    conversation_id: str | None
    expires_at: float


class Signatures:
    """`secret` is the same on all replicas. `clock` gives Unix seconds.

    The time of expiry is signed, rather than the time of signing: read on a node whose clock is a little behind, a
    signature would be from the future, and refused.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        # 48 bytes fill 64 base64 characters. With bits to spare, a signature would have several valid spellings.
        self._serializer = URLSafeSerializer(
            secret, salt="conversation_signature", signer_kwargs={"digest_method": hashlib.sha384}
        )
        self._clock = clock
        self._used: dict[str, float] = {}  # conversation ids, and until when they must be remembered

    def sign(self, agent_id: str, conversation_id: str | None = None) -> str:
        grant = Grant(agent_id, conversation_id, self._clock() + VALID_S)
        return self._serializer.dumps(msgspec.to_builtins(grant))

    def read(self, signature: str) -> Grant:
        """Raises ClientError for one that is not ours, or too old."""
        try:
            if not _ALPHABET.fullmatch(signature):  # Python's base64 would skip what is not in its alphabet
                raise BadSignature("foreign characters")
            grant = msgspec.convert(self._serializer.loads(signature), Grant)
        except BadSignature as e:
            raise ClientError(
                "the signature is not valid: ask get-signed-url for a new URL, and do not change it"
            ) from e
        if grant.expires_at <= self._clock():
            raise ClientError(f"the signature has expired: open a signed URL within {VALID_S / 60:.0f} minutes")
        return grant

    def use(self, grant: Grant) -> None:
        """Raises ClientError if the grant is for one conversation, and this replica has opened it."""
        if grant.conversation_id is None:
            return
        now = self._clock()
        self._used = {used: until for used, until in self._used.items() if until > now}
        if grant.conversation_id in self._used:
            raise used_up()
        self._used[grant.conversation_id] = grant.expires_at


def used_up() -> ClientError:
    return ClientError("this signed URL has been used: it was made for one conversation. Ask for a new one")
