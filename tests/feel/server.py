"""The server of the dialogues in real time: started as `make run` starts it, with providers on loopback ports."""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec

from serve_app.store import embedded
from tests.acceptance.server import running_server
from tests.fakes.groq_server import Behaviour, FakeGroq
from tests.feel.agents import agent, agent_id, answer
from tests.feel.outcome import Changes
from tests.feel.recogniser import Recogniser
from tests.feel.score import Score
from tests.feel.virtual import FIRST_SOUND_S, FIRST_TOKEN_S, RECOGNISED_S
from tests.feel.voices import FeelVoices

WRITTEN_WITHIN_S = 1.0
"""The log goes to the database in batches."""


@dataclass(frozen=True)
class Served:
    ws_url: str
    recogniser: Recogniser
    database_url: str

    def changes(self) -> dict[str, Changes]:
        """Of each conversation, the decisions that the judge had a part in."""
        return asyncio.run(self._changes())

    async def _changes(self) -> dict[str, Changes]:
        await asyncio.sleep(WRITTEN_WITHIN_S)
        connection = await asyncpg.connect(self.database_url)
        rows = await connection.fetch(
            "SELECT conversation_id, data->>'of' AS of, (data->>'changed')::boolean AS changed"
            " FROM events WHERE kind = 'judgement' ORDER BY conversation_id, sequence"
        )
        await connection.close()
        changes: dict[str, list[tuple[str, bool]]] = defaultdict(list)
        for row in rows:
            changes[row["conversation_id"]].append((row["of"], row["changed"]))
        return {conversation_id: tuple(all_of_it) for conversation_id, all_of_it in changes.items()}


@contextmanager
def serving(scores: Iterable[Score]) -> Iterator[Served]:
    """A server that is ready, with the agents for these scores."""
    recogniser = Recogniser()
    groq = FakeGroq(hear=recogniser.hear, answer=answer)
    groq.behaviours = {"stt": Behaviour(delay_s=RECOGNISED_S), "chat": Behaviour(delay_s=FIRST_TOKEN_S)}
    with tempfile.TemporaryDirectory(prefix="hello-") as folder, groq, FeelVoices(delay_s=FIRST_SOUND_S) as voices:
        database = embedded.start(Path(folder) / "postgres")
        settings = {
            "AGENTS_DIR": str(_agents(Path(folder) / "agents", scores)),
            "DATABASE_URL": database.url,
            "GROQ_API_KEY": "key-of-a-simulator",
            "GROQ_BASE_URL": groq.url,
            "ELEVENLABS_API_KEY": "key-of-a-simulator",
            "ELEVENLABS_BASE_URL": voices.url,
        }
        try:
            with running_server(Path(folder), **settings) as server:
                yield Served(server.ws_url, recogniser, database.url)
        finally:
            database.stop()


def _agents(folder: Path, scores: Iterable[Score]) -> Path:
    """JSON is YAML. The server wants an agent that is called "default"."""
    folder.mkdir()
    agents = {agent_id(score): agent(score) for score in scores}
    for name, one in [("default", next(iter(agents.values()))), *agents.items()]:
        (folder / f"{name}.yaml").write_bytes(msgspec.json.encode(one))
    return folder
