"""Which conversations a listing is about, and where its next page begins."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from serve_app.errors import ClientError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Text = Annotated[str, Meta(max_length=500)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=50)]
UnixSeconds = Annotated[int, Meta(ge=0, le=253_402_300_799)]  # the year 9999
Seconds = Annotated[int, Meta(ge=0, le=10**9)]
Rating = Annotated[int, Meta(ge=1, le=5)]


class Cursor(NamedTuple):
    """The conversation that a page ended with. When it began, and its id, never change, so no row is lost or shown
    twice, whatever is stored meanwhile."""

    started_at: datetime
    conversation_id: str

    def encoded(self) -> str:
        microseconds = (self.started_at - _EPOCH) // timedelta(microseconds=1)
        return base64.urlsafe_b64encode(f"{microseconds}:{self.conversation_id}".encode()).decode()

    @classmethod
    def decoded(cls, text: str) -> "Cursor":
        """Raises ClientError."""
        try:
            microseconds, _, conversation_id = base64.b64decode(text, b"-_", validate=True).decode().partition(":")
            started_at = _EPOCH + timedelta(microseconds=int(microseconds))
        except (binascii.Error, UnicodeError, ValueError, OverflowError) as e:
            raise ClientError("cursor: take it as it is from next_cursor of the page before") from e
        return cls(started_at, conversation_id)


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ElevenLabs' names. None, and no values: any. Of several values one must fit, of the filters all."""

    cursor: Text | None = None
    page_size: Annotated[int, Meta(ge=1, le=100)] = 30
    sort_direction: Literal["asc", "desc"] = "desc"
    summary_mode: Literal["exclude", "include"] = "exclude"
    """No effect: there are no summaries."""
    agent_id: Text | None = None
    """The agent that the call began with."""
    visited_agent_ids: Texts = ()
    user_id: Text | None = None
    call_start_before_unix: UnixSeconds | None = None
    call_start_after_unix: UnixSeconds | None = None
    call_duration_min_secs: Seconds | None = None
    call_duration_max_secs: Seconds | None = None
    call_successful: Literal["success", "failure", "unknown", "error"] | None = None
    """Calls are not analysed: of all of them it is unknown."""
    exclude_statuses: tuple[Literal["initiated", "in-progress", "processing", "done", "failed"], ...] = ()
    termination_reasons: Texts = ()
    rating_min: Rating | None = None
    rating_max: Rating | None = None
    has_feedback_comment: bool | None = None
    tool_names: Texts = ()
    tool_names_successful: Texts = ()
    tool_names_errored: Texts = ()
    include_invalid_tool_calls: bool = False
    """Calls that never reached the tool count, too."""
    main_languages: Texts = ()
    search: Text | None = None
    """Words of calls that are over: quoted, next to each other; with a "-", none of them."""
    conversation_initiation_source: Text | None = None
    conversation_product_type: Literal["agents", "speech_engine"] | None = None
    """There are agents alone."""
    text_only: bool | None = None
    dynamic_variable_params: Texts = ()
    """name:op:value; op is eq, neq, gt, gte, lt, lte or in (values apart by |). eq without a value: not given."""
    dynamic_variable_filter: Text | None = None
    """One more of those."""
