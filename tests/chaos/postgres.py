"""The database of the server under fault."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from serve_app.store import embedded
from tests.chaos.accounting import Row
from tests.chaos.parts import descendants, send


class Postgres:
    """The database's server, which can be killed, and comes back with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = embedded.start(folder)
        self.url = self._server.url

    def kill(self) -> None:
        """SIGKILL to all of it, as when its machine loses power."""
        pid = int((self._folder / "pgdata" / "postmaster.pid").read_text().split()[0])
        send(signal.SIGKILL, descendants(pid))

    def start(self) -> None:
        self._server.stop()  # gives the folder back
        self._server = embedded.start(self._folder)
        assert self._server.url == self.url

    def stop(self) -> None:
        self._server.stop()

    async def rows(self, conversation_ids: Sequence[str]) -> dict[str, list[Row]]:
        """What is stored of each conversation, in order."""
        connection = await asyncpg.connect(self.url)
        try:
            found = await connection.fetch(
                "SELECT conversation_id, sequence, kind, data FROM events WHERE conversation_id = ANY($1)"
                " ORDER BY conversation_id, sequence",
                list(conversation_ids),
            )
        finally:
            await connection.close()
        rows: dict[str, list[Row]] = {each: [] for each in conversation_ids}
        for row in found:
            rows[row["conversation_id"]].append(Row(row["sequence"], row["kind"], json.loads(row["data"])))
        return rows
