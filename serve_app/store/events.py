"""The events of conversations in PostgreSQL: each stored once, in an epoch that may still write."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import asyncpg

from serve_app.store import epochs
from serve_app.store.epochs import Claim
from serve_app.store.projections import Record, project

_INSERT = """
INSERT INTO events (conversation_id, sequence, at, kind, data, epoch)
SELECT conversation_id, sequence, to_timestamp(at_unix), kind, data, epoch
FROM unnest($1::text[], $2::integer[], $3::double precision[], $4::text[], $5::jsonb[], $6::integer[])
    AS batch (conversation_id, sequence, at_unix, kind, data, epoch)
ON CONFLICT DO NOTHING
RETURNING conversation_id, sequence
"""

_READ = """
SELECT conversation_id, sequence, extract(epoch FROM at)::double precision, kind, data, epoch
FROM events
WHERE conversation_id = $1
ORDER BY sequence
"""

_EXTENT = "SELECT count(*), max(sequence) AS last, max(epoch) AS epoch FROM events WHERE conversation_id = $1"

_WHOLE = """
SELECT conversation_id, count(*), max(sequence) AS last
FROM events
WHERE conversation_id = ANY($1::text[])
GROUP BY conversation_id
"""


class Stored(NamedTuple):
    """`records` in order; the conversation's epoch; and of how many first events nothing is missing."""

    records: list[Record]
    epoch: int
    whole: int


async def store(connection: asyncpg.Connection, batch: Mapping[Claim, Sequence[Record]]) -> set[Claim]:
    """Store a batch in one transaction, and return the claims that are good no more: of those, nothing is stored.

    What is there already is left alone, with the rows that follow from it.
    """
    async with connection.transaction():
        held = await epochs.hold(connection, batch)
        # In one order, lest two who store the same conversations wait for each other.
        records = [record for claim in sorted(held) for record in batch[claim]]
        if records:
            rows = await connection.fetch(_INSERT, *map(list, zip(*records, strict=True)))
            new = {(row["conversation_id"], row["sequence"]) for row in rows}
            await project(connection, [record for record in records if record[:2] in new])
    return set(batch) - held


async def read(connection: asyncpg.Connection, conversation_id: str, known: Sequence[Record] = ()) -> Stored:
    """What is stored of a conversation. No records are read for somebody who knows them already."""
    epoch = await epochs.current(connection, conversation_id)
    extent = await connection.fetchrow(_EXTENT, conversation_id)
    last = extent["last"]
    if last is None or _covers(known, last, extent["epoch"]):
        records = []
    else:
        records = [Record(*row) for row in await connection.fetch(_READ, conversation_id)]
    return Stored(records, epoch, last + 1 if extent["count"] == (last or 0) + 1 else 0)


async def whole(connection: asyncpg.Connection, conversation_ids: Sequence[str]) -> dict[str, int]:
    """Of how many first events nothing is missing, in those conversations of which something is stored."""
    rows = await connection.fetch(_WHOLE, conversation_ids)
    return {row["conversation_id"]: row["count"] for row in rows if row["count"] == row["last"] + 1}


def _covers(known: Sequence[Record], last: int, epoch: int) -> bool:
    """Whether the events 0, 1, ... are all there, up to the last one in the newest epoch."""
    return bool(known) and last <= known[-1].sequence == len(known) - 1 and epoch <= known[-1].epoch


def merged(records: Iterable[Record]) -> list[Record]:
    """One conversation's events from several places, each once and in order.

    An epoch begins where its owner had read to. What an older one has written from there on was refused: nobody has
    acted upon it since.
    """
    newest: dict[int, Record] = {}
    for record in records:
        if record.sequence not in newest or record.epoch > newest[record.sequence].epoch:
            newest[record.sequence] = record
    valid: list[Record] = []
    for sequence in sorted(newest):
        if not valid or newest[sequence].epoch >= valid[-1].epoch:
            valid.append(newest[sequence])
    return valid
