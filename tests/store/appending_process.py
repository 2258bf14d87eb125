"""`python -m tests.store.appending_process DATABASE_URL JOURNAL CALLS`: a replica that logs until it is killed.

A line of its output, a sequence number, says that this event of every call has been appended.
"""

import asyncio
import sys
from contextlib import aclosing
from itertools import count
from pathlib import Path

from serve_app.store.database import Database
from serve_app.store.log import JournaledLog
from tests.store.samples import audio, started


async def main(url: str, root: Path, calls: int) -> None:
    async with aclosing(Database(url)) as database, aclosing(JournaledLog(database, root)) as log:
        log.start()
        for sequence in count():
            for call in range(calls):
                name = f"c{call}"
                log.append(audio(name, sequence) if sequence else started(name))
            print(sequence, flush=True)
            await asyncio.sleep(0.002)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
