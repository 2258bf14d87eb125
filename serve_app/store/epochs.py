"""Who may write to a conversation, as PostgreSQL has it: of two who would, one.

A batch holds its conversations' locks shared while it looks and stores, a takeover holds one alone: so a batch is
stored before the takeover, and read by it, or refused. All locks end with their transaction, as a pooler wants it.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

import asyncpg

_LOCKS = 0x48656C6C  # "Hell"; advisory locks are numbers shared by everyone in the database

# A replica that is stopped in the middle of a batch (SIGSTOP, a suspended host) must not hold up a takeover for long.
_LET_GO = "SET LOCAL idle_in_transaction_session_timeout = '2s'"

_CLAIMS = "unnest($1::text[], $2::integer[], $3::text[]) AS claim (conversation_id, epoch, owner)"

_TAKE_OVER = """
INSERT INTO epochs (conversation_id, epoch, owner) VALUES ($1, $2, $3)
ON CONFLICT (conversation_id) DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner
WHERE epochs.epoch < excluded.epoch OR (epochs.epoch, epochs.owner) = (excluded.epoch, excluded.owner)
RETURNING true
"""

# The first batch of a conversation, and the first after a takeover that PostgreSQL was away from.
_CLAIM = f"""
INSERT INTO epochs (conversation_id, epoch, owner)
SELECT DISTINCT ON (conversation_id) conversation_id, claim.epoch, claim.owner
FROM {_CLAIMS}
LEFT JOIN epochs USING (conversation_id)
WHERE epochs.epoch IS NULL OR epochs.epoch < claim.epoch
ORDER BY conversation_id, claim.epoch DESC
ON CONFLICT (conversation_id) DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner
WHERE epochs.epoch < excluded.epoch
"""  # noqa: S608 - no data in it

_HELD = f"SELECT conversation_id, epoch, owner FROM {_CLAIMS} JOIN epochs USING (conversation_id, epoch, owner)"  # noqa: S608

_LOST = f"""
SELECT conversation_id, claim.epoch, claim.owner
FROM {_CLAIMS}
JOIN epochs USING (conversation_id)
WHERE epochs.epoch > claim.epoch OR (epochs.epoch = claim.epoch AND epochs.owner <> claim.owner)
"""  # noqa: S608


class Claim(NamedTuple):
    """A replica writes to a conversation, `epoch` times taken over."""

    conversation_id: str
    epoch: int
    owner: str


async def take_over(connection: asyncpg.Connection, claim: Claim) -> bool:
    """Whether the conversation is the claimant's now: it was in an earlier epoch."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCKS, _key(claim.conversation_id))
        return await connection.fetchval(_TAKE_OVER, *claim) is True


async def hold(connection: asyncpg.Connection, claims: Iterable[Claim]) -> set[Claim]:
    """Those of the claims that are good until the end of the transaction this is called in."""
    columns = _columns(list(claims))
    await connection.execute(_LET_GO)
    # In order, so that of two batches none waits for the other's takeover.
    keys = sorted({_key(conversation_id) for conversation_id in columns[0]})
    await connection.execute(
        "SELECT pg_advisory_xact_lock_shared($1, key) FROM unnest($2::integer[]) key", _LOCKS, keys
    )
    await connection.execute(_CLAIM, *columns)
    return {Claim(*row) for row in await connection.fetch(_HELD, *columns)}


async def lost(connection: asyncpg.Connection, claims: Iterable[Claim]) -> set[Claim]:
    """Those of the claims that somebody else has taken over."""
    return {Claim(*row) for row in await connection.fetch(_LOST, *_columns(list(claims)))}


async def current(connection: asyncpg.Connection, conversation_id: str) -> int:
    """The conversation's epoch; 0 also for one that nobody has written to."""
    epoch = await connection.fetchval("SELECT epoch FROM epochs WHERE conversation_id = $1", conversation_id)
    return int(epoch or 0)


def _columns(claims: Sequence[Claim]) -> tuple[list[str], list[int], list[str]]:
    return [c.conversation_id for c in claims], [c.epoch for c in claims], [c.owner for c in claims]


def _key(conversation_id: str) -> int:
    return crc32(conversation_id.encode()) - 2**31  # a signed 32-bit integer
