"""What can go wrong with ElevenLabs, by name."""

import asyncio
import socket
import struct
from enum import Enum, auto

MULTI, SINGLE, HTTP = "multi-stream-input", "stream-input", "stream/with-timestamps"
WAYS = frozenset({MULTI, SINGLE, HTTP})


class Fault(Enum):
    """A status is an error message and close 1008 on a socket that was open before."""

    BAD_KEY = auto()  # HTTP 401
    FORBIDDEN = auto()  # HTTP 403
    RATE_LIMIT = auto()  # HTTP 429
    SERVER_ERROR = auto()  # HTTP 500
    REFUSED = auto()  # nobody listens, and every open connection is reset: the process is gone
    ERROR = auto()  # instead of audio an error message and close 1008; HTTP 400
    IDLE = auto()  # the inactivity timeout of sockets is over at once: an error message and close 1008
    STALL = auto()  # no audio
    STALL_MIDWAY = auto()  # one piece of audio, then nothing
    RESET = auto()  # one piece of audio, then the connection is reset
    HALF_OPEN = auto()  # nothing is read, answered or closed any more, for ever; pings neither
    EARLY_CLOSE = auto()  # one piece of audio, then an end that is none of the protocol's
    NO_AUDIO = auto()  # a proper end at once
    MALFORMED = auto()  # not JSON


STATUSES = {
    Fault.BAD_KEY: (401, "invalid_api_key"),
    Fault.FORBIDDEN: (403, "missing_permissions"),
    Fault.RATE_LIMIT: (429, "too_many_concurrent_requests"),
    Fault.SERVER_ERROR: (500, "internal_server_error"),
    Fault.ERROR: (400, "quota_exceeded"),
}


async def for_ever() -> None:
    """Until the connection is gone: its handler is cancelled then."""
    await asyncio.Event().wait()


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Close with RST, as the kernel does for a process that was killed with bytes unread."""
    if isinstance(transport, asyncio.Transport) and not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
