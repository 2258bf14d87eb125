import asyncio
from contextlib import aclosing
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.store import events
from serve_app.store.database import Database
from serve_app.store.epochs import Claim
from serve_app.store.projections import Record
from tests.store.logs import fetch
from tests.store.samples import interrupted_call
from tests.store.stored import record


def at(sequence: int, epoch: int) -> Record:
    return Record("c", sequence, 1.5 + sequence, "feedback", f'{{"epoch": {epoch}}}', epoch)


def test_a_batch_stored_twice_is_stored_once(database_url: str) -> None:
    call = [record(each) for each in interrupted_call("c")]
    claim = Claim("c", 0, "replica")

    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database, database.connection() as connection:
            for batch in (call[:5], call, call[2:4]):
                assert await events.store(connection, {claim: batch}) == set()
            assert await fetch(database_url, "SELECT count(*) FROM turns") == [(2,)]
            stored = await events.read(connection, "c")
            assert [each[:4] for each in stored.records] == [each[:4] for each in call]
            assert (stored.epoch, stored.whole) == (0, 8)
            assert await events.read(connection, "nobodys") == ([], 0, 0)
            assert await events.store(connection, {claim: [at(9, 0)]}) == set()
            assert (await events.read(connection, "c")).whole == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("known", "is_read"),
    [
        ([at(0, 0), at(1, 0), at(2, 1)], False),
        ([at(0, 0), at(1, 0), at(2, 1), at(3, 1)], False),
        ([at(0, 0), at(1, 0), at(2, 0), at(3, 0)], True),  # they have gone on without it
        ([at(0, 0), at(1, 0)], True),
        ([at(0, 0), at(2, 1), at(3, 1)], True),
        ([], True),
    ],
)
def test_what_is_known_already_is_not_read(database_url: str, known: list[Record], is_read: bool) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database, database.connection() as connection:
            batch = [at(0, 0), at(1, 0), at(2, 1)]
            assert await events.store(connection, {Claim("c", 1, "replica"): batch}) == set()
            assert await events.read(connection, "c", known) == (batch if is_read else [], 1, 3)

    asyncio.run(scenario())


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=8), st.randoms())
def test_from_wherever_they_come_events_are_one_history(takeovers: list[tuple[int, int]], luck: Random) -> None:
    """Each owner goes on from where it had read to; what the one before wrote from there on is void."""
    history: list[Record] = []
    written: list[Record] = []
    for epoch, (own, late) in enumerate(takeovers):
        history += [at(len(history) + i, epoch) for i in range(own + 1)]
        written += [*history, *(at(len(history) + i, epoch) for i in range(late if epoch + 1 < len(takeovers) else 0))]
    luck.shuffle(written)
    assert events.merged(written) == history
