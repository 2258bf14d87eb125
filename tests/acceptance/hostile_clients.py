"""Hostile clients: what each connection asks for, sends and does in the end, and what the server made of it."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from enum import Enum, auto
from itertools import count
from random import Random
from typing import NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Opcode

from tests.acceptance.hostile import (
    OPENING,
    SECRET,
    Fate,
    Frame,
    Message,
    absurd,
    audio,
    frame,
    opening_late,
    overridden,
    overriding,
    text,
    wire,
)

LASTING_AGENTS = ("default", "default", "default", "default", "english", "phone", "studio", "tools")
BRIEF_AGENTS = ("brief", "bare", "private")
"""They end, or refuse, every conversation of ours."""
NOBODY = ("", "agent_id=", "agent_id=nobody", "agent_id=..%2Fdefault", f"agent_id={SECRET * 300}", "agent_id=%00%FF")
FORGED = ("x", "%00", "a.b", "eyJhZ2VudF9pZCI6ImRlZmF1bHQifQ.c2lnbmVk", "x" * 3000)
"""Signatures."""
LUMP, PAUSE_S = 5, 0.15  # frames in a row, and then a pause: within what a client may send
ANSWERED_WITHIN_S = 20.0
HUNG_UP = 4321
"""The code of the clients' own close frames."""


class Leave(Enum):
    """What a client does when it has sent all."""

    SAYS_ITS_LAST = auto()  # which is refused, so all before it was read; and goes on
    HANGS_UP = auto()  # by a close frame, and goes on
    VANISHES = auto()  # a TCP reset


class Attack(NamedTuple):
    """What one connection asks for and sends. `lasts`: the conversation, as far as the agent is concerned."""

    query: str
    lasts: bool
    frames: list[Frame]
    leave: Leave
    pause_s: float = PAUSE_S

    @property
    def harmless(self) -> bool:
        return self.lasts and all(each.fate is Fate.FINE for each in self.frames)

    @property
    def culprits(self) -> list[str]:
        """The first frames that can have ended it."""
        return [self.query, *[each.what for each in self.frames if each.fate is not Fate.FINE][:3]]


class End(NamedTuple):
    """What the server made of it: its messages, and its close frame, if one came. `written`: frames, until the
    connection was gone."""

    attack: Attack
    written: int
    messages: list[str | bytes]
    close: Close | None


LAST = text(Fate.ENDS, {"type": "feedback", "event_id": 1, "score": "the last"})
LAST_REASON = "Invalid enum value 'the last'"
"""Whoever gets to read it refuses it in these words, and nothing else here."""
CLOSE = Frame(Fate.ENDS, "close", wire(Opcode.CLOSE, struct.pack("!H", HUNG_UP)))
AFTERWARDS = [text(Fate.FINE, {"type": "user_message", "text": SECRET}), text(Fate.FINE, audio(bytes(640)))]


# ---- what they are


def flood(content: Message, times: int) -> Attack:
    """Valid messages, but more of them than anybody can mean."""
    frames = [text(Fate.FINE, OPENING), *[text(Fate.ENDS, content)] * times]
    return Attack("agent_id=default", True, frames, Leave.SAYS_ITS_LAST, 0.0)


FLOODS = (
    flood(audio(b""), 2500),
    flood(audio(bytes(32_000)), 45),  # seconds
    flood({"type": "user_activity"}, 300),
    flood({"type": "pong", "event_id": 1}, 300),
    flood({"type": "contextual_update", "text": SECRET * 1000}, 300),
    flood({"type": "user_message", "text": SECRET}, 300),
)
BETWEEN_FLOODS = 20
"""Other connections."""


def asked(random: Random) -> tuple[str, bool]:
    """A query, and whether a conversation comes of it that lasts."""
    match random.randrange(16):
        case 13:
            return f"agent_id={random.choice(BRIEF_AGENTS)}", False
        case 14:
            return random.choice(NOBODY), False
        case 15:
            name = random.choice(["conversation_signature", "token"])
            return f"agent_id=default&{name}={random.choice(FORGED)}", False
    return f"agent_id={random.choice(LASTING_AGENTS)}&source={SECRET}", True


def opening(random: Random) -> list[Frame]:
    """Right, odd, wrong, or left out."""
    right, text_only = text(Fate.FINE, OPENING), text(Fate.EITHER, overridden(["conversation", "text_only"], True))
    odd = random.choice([opening_late, overriding, absurd])(random)
    return random.choice([[right], [right], [right], [right], [text_only], [odd], [odd], []])


def attack(random: Random, length: int) -> Attack:
    """So many frames. As many of a short one's are odd or broken as of a long one's: about one."""
    query, lasts = asked(random)
    frames = [*opening(random), *(frame(random, one_in=length) for _ in range(length))]
    return Attack(query, lasts, frames, random.choice([*[Leave.SAYS_ITS_LAST] * 3, *Leave]))


def attacks(random: Random, length: int) -> Iterator[Attack]:
    """For ever: frames of all kinds, `length` a connection, and every flood now and then."""
    for number in count():
        which, rest = divmod(number, BETWEEN_FLOODS)
        yield attack(random, length) if rest else FLOODS[which % len(FLOODS)]


# ---- what they do


async def strike(ws_url: str, attack: Attack) -> End:
    """One connection, to its end. Raises TimeoutError if the server does not end it."""
    url = f"{ws_url}/v1/convai/conversation?{attack.query}"
    async with connect(url, max_size=None, compression=None, ping_interval=None) as ws:
        hearing = asyncio.create_task(_hear(ws))
        written = await _write(ws, attack)
        if attack.leave is Leave.VANISHES:
            _reset(ws)
        else:
            last = LAST if attack.leave is Leave.SAYS_ITS_LAST else CLOSE
            written += sum(_put(ws, each) for each in (last, *AFTERWARDS))
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            messages = await hearing
        return End(attack, written, messages, ws.protocol.close_rcvd)


async def _write(ws: ClientConnection, attack: Attack) -> int:
    written = 0
    for number, each in enumerate(attack.frames, start=1):
        written += _put(ws, each)
        if number % LUMP == 0:
            await asyncio.sleep(attack.pause_s)
    return written


def _put(ws: ClientConnection, each: Frame) -> bool:
    """Past the library, which would refuse to send most of it."""
    if ws.transport.is_closing():
        return False
    ws.transport.write(each.wire)
    return True


async def _hear(ws: ClientConnection) -> list[str | bytes]:
    messages: list[str | bytes] = []
    while True:
        try:
            messages.append(await ws.recv())
        except ConnectionClosed:
            return messages


def _reset(ws: ClientConnection) -> None:
    connection = ws.transport.get_extra_info("socket")
    if connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ws.transport.abort()
