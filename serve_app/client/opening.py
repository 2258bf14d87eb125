"""The first words over a new line: the client's opening message, and the server's metadata."""

import asyncio
from collections.abc import Sequence

import msgspec

from serve_app.client.line import NO_CLOSE_FRAME, Address, Dial, Line, LineLost
from serve_app.client.way_back import COME_BACK, OPENS_WITHIN_S
from serve_app.conversation.server_messages import SERVER_MESSAGES, ConversationInitiationMetadata, ServerMessage

NOT_UNDERSTOOD = 1002
ELSEWHERE_AFTER_S = 3.0
"""A server that has not answered by then is left for the next one; the last one gets OPENS_WITHIN_S."""


async def begin_somewhere(
    addresses: Sequence[Address], dial: Dial, opening: str
) -> tuple[Address, Line, ConversationInitiationMetadata]:
    """At the first of them that takes the conversation. Raises LineLost: the last one's, or a refusal."""
    *first, last = addresses
    for address in first:
        try:
            return address, *await begin(dial, address.to_open(), ELSEWHERE_AFTER_S, opening)
        except LineLost as e:
            if e.code not in COME_BACK:
                raise
    return last, *await begin(dial, last.to_open(), OPENS_WITHIN_S, opening)


async def begin(
    dial: Dial, url: str, within: float, opening: str | None = None
) -> tuple[Line, ConversationInitiationMetadata]:
    """Open a line, say `opening`, and wait for the metadata, which comes first: all of it `within` so many seconds.
    Raises LineLost."""
    try:
        async with asyncio.timeout(within):
            line = await dial(url)
            return line, await _begun(line, opening)
    except TimeoutError as e:
        raise LineLost(NO_CLOSE_FRAME, f"no answer within {within:.0f} s") from e


async def _begun(line: Line, opening: str | None) -> ConversationInitiationMetadata:
    try:
        if opening:
            await line.send(opening)
        begun = decode(await line.recv())
        if isinstance(begun, ConversationInitiationMetadata):
            return begun
        raise LineLost(NOT_UNDERSTOOD, "the server did not begin with the conversation's metadata")
    except (LineLost, asyncio.CancelledError):
        line.abort()
        raise


def decode(frame: str) -> ServerMessage | None:
    """None: a kind we do not know. Raises LineLost for what is no message: there is no talking to that server."""
    try:
        fields = _MESSAGE.decode(frame)
        kind = SERVER_MESSAGES.get(msgspec.json.decode(fields["type"], type=str))
        return msgspec.json.decode(fields[kind.ENVELOPE] if kind.ENVELOPE else b"{}", type=kind) if kind else None
    except (msgspec.DecodeError, KeyError) as e:
        raise LineLost(NOT_UNDERSTOOD, f"the server's message is none of the protocol's: {e}") from e


_MESSAGE = msgspec.json.Decoder(dict[str, msgspec.Raw])
