"""What callers think of a whole call, said after it. What they think of one answer comes over the log."""

import asyncio
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serve_app.observability.redaction import Redactor
from serve_app.store.database import Database, RefusedError

_REDACTS = "SELECT metadata->'redact' FROM conversations WHERE id = $1"

_GIVE = """
UPDATE conversations SET overall_score = coalesce($2, overall_score), rating = coalesce($3, rating),
    comment = coalesce($4, comment)
WHERE id = $1
"""


class Opinion(msgspec.Struct, frozen=True):
    """None: not said. `rating`: the best is 5. PostgreSQL holds no NUL."""

    feedback: Literal["like", "dislike"] | None = None
    rating: Annotated[int, Meta(ge=1, le=5)] | None = None
    comment: Annotated[str, Meta(max_length=2000, pattern=r"^[^\0]*$")] | None = None


class Opinions:
    """`redactor`: for comments on conversations whose agents ask for it."""

    def __init__(self, database: Database, redactor: Redactor | None = None) -> None:
        self._database = database
        self._redactor = redactor or Redactor()

    async def give(self, conversation_id: str, opinion: Opinion) -> bool:
        """What is said anew counts. False: there is no such conversation. Raises StoreError."""
        try:
            async with self._database.connection() as connection:
                if opinion.comment:
                    kinds = await connection.fetchval(_REDACTS, conversation_id)
                    opinion = await asyncio.to_thread(self._redacted, opinion, kinds or "[]")
                updated = await connection.execute(_GIVE, conversation_id, *msgspec.structs.astuple(opinion))
        except RefusedError:  # an id that PostgreSQL cannot hold is nobody's
            return False
        return bool(updated == "UPDATE 1")

    def _redacted(self, opinion: Opinion, kinds: str) -> Opinion:
        """`kinds`: a JSON list."""
        named = msgspec.json.decode(kinds, type=list[str])
        if not named or opinion.comment is None:
            return opinion
        return msgspec.structs.replace(opinion, comment=self._redactor.only(named).redact(opinion.comment))
