"""What callers think of a whole call, said after it. What they think of one answer comes over the log."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serve_app.store.database import Database, RefusedError

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
    def __init__(self, database: Database) -> None:
        self._database = database

    async def give(self, conversation_id: str, opinion: Opinion) -> bool:
        """What is said anew counts. False: there is no such conversation. Raises StoreError."""
        try:
            async with self._database.connection() as connection:
                updated = await connection.execute(_GIVE, conversation_id, *msgspec.structs.astuple(opinion))
        except RefusedError:  # an id that PostgreSQL cannot hold is nobody's
            return False
        return bool(updated == "UPDATE 1")
