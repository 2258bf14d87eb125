"""Conversations that begin elsewhere: what is known of them, and taking them over."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from serve_app.errors import StoreError
from serve_app.store import epochs, events, journal_file
from serve_app.store.database import Database, RefusedError
from serve_app.store.epochs import Claim
from serve_app.store.events import Stored
from serve_app.store.journal import Journal
from serve_app.store.journal_file import JournalFile
from serve_app.store.projections import Record
from serve_app.store.spool import Spool

ANSWER_SECONDS = 3.0  # somebody waits, and only PostgreSQL knows
SECOND_OPINION_SECONDS = 0.25  # the journal knows as well

T = TypeVar("T")


class Takeover:
    """By the replica whose `spool` it is: `claim` a conversation, and then `begin` a file of it. `outage` is why
    PostgreSQL is known to be away, if it is: where the node's journal knows as well, nobody waits for it then."""

    def __init__(
        self, database: Database, journal: Journal, spool: Spool, outage: Callable[[], StoreError | None]
    ) -> None:
        self._database = database
        self._journal = journal
        self._spool = spool
        self._outage = outage

    async def known(self, conversation_id: str) -> Stored:
        """All records of a conversation, and its epoch; `whole` is of those in PostgreSQL. Raises StoreError."""
        waiting = self._spool.records(conversation_id)
        here, epoch = await asyncio.to_thread(self._on_node, conversation_id, waiting)
        try:
            stored = await self._ask(
                lambda connection: events.read(connection, conversation_id, here), is_here=bool(here)
            )
        except StoreError:
            if not here:
                raise
            return Stored(here, epoch, 0)
        records = await asyncio.to_thread(events.merged, [*here, *stored.records]) if stored.records else here
        return Stored(records, max(epoch, stored.epoch), stored.whole)

    def _on_node(self, conversation_id: str, waiting: list[Record]) -> tuple[list[Record], int]:
        records = events.merged([*self._journal.records(conversation_id), *waiting])
        return records, self._journal.epoch(conversation_id)

    async def claim(self, claim: Claim) -> bool:
        """First on the node, then in PostgreSQL. Without that, only if this node's journal has the conversation: its
        own epochs are then what decides, and PostgreSQL learns of it with the first batch. Raises StoreError."""
        try:
            if not await asyncio.to_thread(self._journal.take_over, claim.conversation_id, claim.epoch):
                return False
        except OSError as e:
            raise StoreError(f"the journal's disk refuses a file: {e.strerror}") from e
        is_here = await asyncio.to_thread(self._journal.holds, claim.conversation_id)
        is_claimed = False
        try:
            is_claimed = await self._claim_in_store(claim, is_here=is_here)
        finally:
            if not is_claimed:
                await self.give_back(claim)
        return is_claimed

    async def begin(self, claim: Claim, file: JournalFile) -> bool:
        """Begin the file with all that was before. False: the next epoch has begun already. Raises StoreError."""
        try:
            records, _, stored = await self.known(claim.conversation_id)
        except StoreError:
            await self.give_back(claim)
            raise
        sequence = records[-1].sequence + 1 if records else 0
        records.append(Record(claim.conversation_id, sequence, time.time(), "taken_over", "{}", claim.epoch))
        try:
            await asyncio.to_thread(file.begin_with, records, stored)
        except OSError:
            for record in records[stored:]:
                self._spool.append(file, record.kind, journal_file.line_of(record))
        else:
            self._spool.begun(file)
        if await asyncio.to_thread(self._journal.epoch, claim.conversation_id) == claim.epoch:
            return True
        self._spool.remove(file)
        await self.give_back(claim)
        return False

    async def give_back(self, claim: Claim) -> None:
        await asyncio.to_thread(self._journal.give_back, claim.conversation_id, claim.epoch)

    async def _claim_in_store(self, claim: Claim, *, is_here: bool) -> bool:
        try:
            return await self._ask(lambda connection: epochs.take_over(connection, claim), is_here=is_here)
        except RefusedError:  # there can be no such epoch
            return False
        except StoreError:
            if is_here:
                return True
            raise

    async def _ask(self, question: Callable[[asyncpg.Connection], Awaitable[T]], *, is_here: bool) -> T:
        """What PostgreSQL says of a conversation that the node's journal has, if `is_here`. Raises StoreError."""
        if is_here and (outage := self._outage()):
            raise StoreError(outage.message)
        return await self._database.ask(question, SECOND_OPINION_SECONDS if is_here else ANSWER_SECONDS)
