"""How a client comes back to its conversation: what it sends, and what this replica can find out about it."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from serve_app.conversation.past import Past
from serve_app.errors import ClientError, StoreError, Unavailable, UnknownHere
from serve_app.ports import ConversationLog
from serve_app.tickets import Ticket, ticket_of

TRY_AGAIN = "the conversation cannot be moved here at the moment: try again"


class Return(NamedTuple):
    """What the client's URL says: the messages up to `last_event_id` have reached it."""

    conversation_id: str
    token: str
    last_event_id: int

    @staticmethod
    def of(query: Mapping[str, str]) -> "Return":
        """Raises ClientError."""
        conversation_id, last_event_id = query.get("conversation_id", ""), query.get("last_event_id", "0")
        if not conversation_id:
            raise ClientError("which conversation? Add conversation_id to the URL, next to resume_token")
        if not last_event_id.isdecimal() or len(last_event_id) > 15:
            raise ClientError("last_event_id is no event_id: send the highest one received, 0 if there was none")
        return Return(conversation_id, query["resume_token"], int(last_event_id))


class Known(NamedTuple):
    """A conversation that may go on here."""

    past: Past
    ticket: Ticket

    @property
    def tenant(self) -> str:
        return str(self.past.started["tenant"])

    @property
    def agent_id(self) -> str:
        """Of the agent that it began with."""
        return str(self.past.started["agent_id"])

    @property
    def agent_ids(self) -> set[str]:
        """Of all that it was transferred to, too."""
        transfers = (event for event in self.past.events if event.kind == "transfer")
        return {self.agent_id, *(str(event.data["agent_id"]) for event in transfers)}


async def look_up(back: Return, log: ConversationLog) -> Known:
    """Raises ClientError for whoever may not come in, UnknownHere among them, and Unavailable where trying again may
    help."""
    past = await _past(back, log)
    ticket = ticket_of(back.token, past.started.get("resume"), time.time())
    _check_goes_on(past)
    return Known(past, ticket)


async def take_over(known: Known, back: Return, log: ConversationLog) -> Past:
    """It is this replica's from now on; its past, with what its owner has written until then. Raises the same."""
    try:
        taken = await log.take_over(back.conversation_id, known.past.epoch + 1)
    except StoreError as e:
        raise Unavailable(TRY_AGAIN) from e
    if not taken:
        raise Unavailable(TRY_AGAIN)
    past = await _past(back, log)
    _check_goes_on(past)
    return past


async def _past(back: Return, log: ConversationLog) -> Past:
    try:
        events = await log.events(back.conversation_id)
    except StoreError as e:
        raise Unavailable(TRY_AGAIN) from e
    if not events or events[0].kind != "started":
        raise UnknownHere("no such conversation is known here: begin another")
    return Past(events, back.last_event_id)


def _check_goes_on(past: Past) -> None:
    if past.is_over:
        raise ClientError("the conversation is over")
