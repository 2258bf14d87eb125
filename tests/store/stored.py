"""Log events brought into PostgreSQL, as the log does it."""

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

from serve_app.ports import LogEvent
from serve_app.store import events
from serve_app.store.database import Database
from serve_app.store.epochs import Claim
from serve_app.store.projections import Record
from serve_app.store.reader import ConversationReader


def record(of: LogEvent) -> Record:
    return Record(of.conversation_id, of.sequence, of.at_unix, of.kind, json.dumps(of.data), of.epoch)


async def store(database: Database, batch: Iterable[LogEvent], owner: str = "replica") -> set[Claim]:
    """In one transaction; the claims that were refused."""
    claimed = defaultdict(list)
    for each in batch:
        claimed[Claim(each.conversation_id, each.epoch, owner)].append(record(each))
    async with database.connection() as connection:
        return await events.store(connection, claimed)


async def store_calls(url: str, *calls: Iterable[LogEvent]) -> None:
    async with aclosing(Database(url)) as database:
        for call in calls:
            await store(database, call)


def reader(database: Database, *, has_audio: bool = False) -> ConversationReader:
    async def recorded(_: str) -> bool:
        return has_audio

    return ConversationReader(database, {"default": "Ana", "sales": "Rui"}, recorded)


async def read(url: str, conversation_id: str) -> dict[str, Any]:
    """A conversation that there is."""
    async with aclosing(Database(url)) as database:
        conversation = await reader(database).read(conversation_id)
    assert conversation is not None
    return conversation
