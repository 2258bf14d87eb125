"""Frames that hostile clients send: valid, odd, broken, or no frames at all.

Every choice is the `Random`'s that is passed in: a seed repeats them, and hypothesis has one that it can shrink.
Valid messages are made of the protocol's own types, so a new message is part of every attack from its first day.
"""

import base64
import json
import struct
from collections.abc import Callable, Sequence
from enum import Enum, auto
from random import Random
from typing import Any, NamedTuple

from msgspec import inspect
from websockets.frames import Opcode

from serve_app.conversation import client_messages, protocol

SECRET = "jabuticaba"
"""Is in most of what is typed, and must be in no log."""
WHOLE = 0x80
"""The bit of a frame with which a message ends (RFC 6455, 5.2)."""


class Fate(Enum):
    """What becomes of a conversation when this comes."""

    FINE = auto()  # it goes on, though perhaps with an error event
    ENDS = auto()  # it is refused: an error event, and the close
    EITHER = auto()
    BREAKS = auto()  # the WebSocket library breaks the connection off, below our code


class Frame(NamedTuple):
    """`wire` is what is written; `what`, what to call it should it do harm."""

    fate: Fate
    what: str
    wire: bytes


Message = dict[str, Any]


def wire(opcode: int, data: bytes, bits: int = WHOLE, *, masked: bool = True) -> bytes:
    """A frame as RFC 6455, 5.2 lays it out, allowed or not. The mask is zero, and leaves the data as they are."""
    size, mask = len(data), 0x80 if masked else 0
    if size < 126:
        head = bytes([bits | opcode, mask | size])
    elif size < 1 << 16:
        head = struct.pack("!BBH", bits | opcode, mask | 126, size)
    else:
        head = struct.pack("!BBQ", bits | opcode, mask | 127, size)
    return head + (bytes(4) if masked else b"") + data


def text(fate: Fate, content: str | Message) -> Frame:
    data = (content if isinstance(content, str) else json.dumps(content)).encode(errors="surrogatepass")
    return Frame(fate, repr(data[:300]), wire(Opcode.TEXT, data))


# ---- values

WORDS = (
    "bom dia",
    f"{SECRET} um",
    f"quero uma {SECRET}",
    "{0} {heard} {{name}}",
    "",
    " \n",
    "\0",
    "💥",
    "\u202e\ufeff",
)
MUCH = 1000
"""Characters: a hundred messages of so many are no flood yet."""
LANGUAGES = ("pt", "en", "pt-br", "xx", "", "../..")


def strange(random: Random) -> Any:
    """A value that hardly any field was made for; json.dumps writes NaN, Infinity and lone surrogates as they are."""
    numbers = [0, -1, 0.5, -0.0, 1e308, 2**31, 2**53 + 1, 2**64, -(2**64), 10**400, float("nan"), float("inf")]
    texts = ["", "\0", "\ud800", "💥" * 9, "x" * 20_000]
    nested: Any = SECRET
    for _ in range(random.choice([1, 30, 300])):  # json.dumps could not go much deeper, see `absurd`
        nested = random.choice([[nested], {"x": nested}])
    return random.choice([None, True, False, [], {}, [None], {"": ""}, nested, *texts, *numbers])


def fitting(random: Random, kind: inspect.Type) -> Any:
    """A value that this type allows."""
    match kind:
        case inspect.UnionType(types=types):
            return fitting(random, random.choice(types))
        case inspect.StructType(fields=fields):
            asked = [field for field in fields if field.required or random.randrange(3) == 2]
            return {field.encode_name: fitting(random, field.type) for field in asked}
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return [fitting(random, item) for _ in range(random.randrange(3))]
        case inspect.DictType(value_type=value):
            return {random.choice(["name", SECRET, ""]): fitting(random, value) for _ in range(random.randrange(3))}
        case inspect.LiteralType(values=values):
            return random.choice(values)
        case inspect.StrType(max_length=longest):
            return random.choice([*WORDS, *LANGUAGES, "x" * min(longest or 1, MUCH)])
        case inspect.NoneType():
            return None
        case inspect.BoolType():
            return random.choice([False, True])
        case inspect.IntType(ge=least, le=most) | inspect.FloatType(ge=least, le=most):
            among = [number for number in (0, 1, 9, -1, 2**53) if least is None or number >= least]
            return random.choice([number for number in among if most is None or number <= most])
        case inspect.AnyType() | inspect.RawType():
            return random.choice([None, 7, "12:00", {"hours": [12, None]}])
    raise TypeError(f"no values of {kind}")


# ---- messages

OPENING: Message = {"type": "conversation_initiation_client_data"}
TEXT_ONLY: Message = {**OPENING, "conversation_config_override": {"conversation": {"text_only": True}}}
OPENINGS = ("conversation_initiation_client_data", "enclave_setup_config")
"""What they ask for may be refused."""


def audio(pcm: bytes) -> Message:
    return {"user_audio_chunk": base64.b64encode(pcm).decode()}


def sound(random: Random) -> bytes:
    """A lump of 20 to 200 ms: silence, a hum, or noise."""
    pattern = random.choice([b"\0\0", b"\x05\0\xfb\xff", bytes(random.randrange(256) for _ in range(8))])
    return pattern * (random.choice([640, 1600, 6400]) // len(pattern))


def message(random: Random, kind: str) -> Message:
    """A valid one."""
    fields: Message = fitting(random, inspect.type_info(client_messages.CLIENT_MESSAGES[kind]))
    return {"type": kind, **fields}


def lasting(random: Random) -> Message:
    """One that no conversation ends with."""
    if random.randrange(2):
        return audio(sound(random))
    return message(random, random.choice([kind for kind in client_messages.CLIENT_MESSAGES if kind not in OPENINGS]))


def any_message(random: Random) -> Message:
    return message(random, random.choice([*client_messages.CLIENT_MESSAGES]))


# ---- frames


def valid(random: Random) -> Frame:
    return text(Fate.FINE, lasting(random))


def unknown(random: Random) -> Frame:
    """What a newer client might send."""
    kind = random.choice(["", "newer", "audio", "error", "ping", "x" * 1000, "💥"])
    return text(Fate.FINE, {"type": kind, "text": random.choice(WORDS), "event_id": 2**64, "more": [{"x": None}] * 9})


def in_pieces(random: Random) -> Frame:
    """Fragments, with a ping between them, as RFC 6455, 5.4 allows."""
    data = json.dumps(lasting(random)).encode()
    at = random.randrange(len(data))
    pieces = wire(Opcode.TEXT, data[:at], 0) + wire(Opcode.PING, b"!") + wire(Opcode.CONT, data[at:])
    return Frame(Fate.FINE, f"in pieces: {data[:300]!r}", pieces)


def control(random: Random) -> Frame:
    opcode = random.choice([Opcode.PING, Opcode.PONG])
    return Frame(Fate.FINE, opcode.name, wire(opcode, bytes(random.choice([0, 4, 125]))))


def opening_late(random: Random) -> Frame:
    return text(Fate.EITHER, message(random, random.choice(OPENINGS)))


def overriding(random: Random) -> Frame:
    """An opening message with one field of those that can be overridden, and any value."""
    path, kind = [], inspect.type_info(client_messages.ConfigOverride)
    while isinstance(kind, inspect.StructType):
        field = random.choice(kind.fields)
        path.append(field.encode_name)
        assert isinstance(field.type, inspect.UnionType)
        kind = next(each for each in field.type.types if not isinstance(each, inspect.NoneType))
    return text(Fate.EITHER, overridden(path, random.choice([fitting(random, kind), strange(random)])))


def overridden(path: Sequence[str], value: Any) -> Message:
    for name in reversed(path):
        value = {name: value}
    return {**OPENING, "conversation_config_override": value}


def absurd(random: Random) -> Frame:
    """An opening message whose types are right: how far, and how deep, is not for them to say."""
    if random.randrange(2):
        return text(Fate.EITHER, overridden(["conversation", "max_duration_seconds"], 10 ** random.choice([2, 9, 400])))
    depth = random.choice([*range(50, 1000, 50), *range(970, 1000)])
    field = random.choice(["tool_mock_config", "custom_llm_extra_body"])
    deep = '{"x":' * depth + "1" + "}" * depth
    return text(Fate.EITHER, f'{{"type":"{OPENING["type"]}","{field}":{deep}}}')


def twisted(random: Random) -> Frame:
    """A message of which one field is missing, foreign, or not what it should be."""
    whole = random.choice([lasting, any_message])(random)
    field = random.choice([*whole, "more"])
    whole[field] = strange(random)
    if random.randrange(4) == 3:
        del whole[field]
    return text(Fate.EITHER, whole)


def odd_audio(random: Random) -> Frame:
    """Half a sample too much, for those who hear PCM."""
    return text(Fate.EITHER, audio(bytes(random.choice([1, 3, 641, 32_001]))))


def cut_off(random: Random) -> Frame:
    whole = json.dumps(lasting(random))
    return text(Fate.ENDS, whole[: random.randrange(len(whole))])


NO_MESSAGES = (
    "", " ", "hello", "null", "true", "7", '"audio"', "[]", '[{"type":"pong"}]', "{}", '{"event_id":1}', '{"type":7}',
    '{"type":null}', '{"type":["pong"]}', '{"type":"pong","event_id":1}{}', "{'type':'pong'}", '{"type":"pong",}',
    '{"type":"pong","event_id":NaN}', '{"type":"pong","event_id":-Infinity}', '{"type":"pong","event_id":"one"}',
    '{"type":"pong","event_id":1e999}', '{"type":"pong","event_id":' + "9" * 5000 + "}", '\ufeff{"type":"pong"}',
    '{"type":"user_message","text":"\\ud800"}', '{"type":"user_message","text":["x"]}',
    '{"type":"newer","x":' + "[" * 100_000 + "]" * 100_000 + "}", '{"type":"newer","x":' + '{"x":' * 50_000,
    '{"user_audio_chunk":7}', '{"user_audio_chunk":[0]}', '{"user_audio_chunk":null}', '{"user_audio_chunk":"!!!!"}',
    '{"user_audio_chunk":"AAA"}', '{"user_audio_chunk":"_-_-"}', '{"user_audio_chunk":"A==="}',
    '{"user_audio_chunk":"AAAA\\n"}', '{"user_audio_chunk":"AA==AA=="}', '{"user_audio_chunk":"áááá"}',
)  # fmt: skip


def no_message(random: Random) -> Frame:
    return text(Fate.ENDS, random.choice(NO_MESSAGES))


def oversize(random: Random) -> Frame:
    kind, size = random.choice(
        [("newer", protocol.LONGEST_MESSAGE), ("user_message", client_messages.LONGEST_TEXT + 1)]
    )
    return text(Fate.ENDS, {"type": kind, "text": "x" * size})


def lengthy(random: Random) -> Frame:
    kind = random.choice(["user_message", "contextual_update"])
    return text(Fate.FINE, {"type": kind, "text": "x" * client_messages.LONGEST_TEXT})


def binary(random: Random) -> Frame:
    data = random.choice([b"", bytes(640), b'{"type":"pong","event_id":1}'])
    return Frame(Fate.ENDS, f"binary {data[:30]!r}", wire(Opcode.BINARY, data))


NO_WEBSOCKET = {
    "no mask": wire(Opcode.TEXT, b"{}", masked=False),
    "reserved bits": wire(Opcode.TEXT, b"{}", WHOLE | 0x70),
    "a reserved opcode": wire(0x3, b"{}"),
    "a ping in pieces": wire(Opcode.PING, b"", 0),
    "a long ping": wire(Opcode.PING, bytes(126)),
    "nothing to go on with": wire(Opcode.CONT, b"{}"),
    "a piece of another": wire(Opcode.TEXT, b"{", 0) + wire(Opcode.TEXT, b"}"),
    "no UTF-8": wire(Opcode.TEXT, b'{"type":"\xff"}'),
    "a surrogate in UTF-8": wire(Opcode.TEXT, b'{"type":"\xed\xa0\x80"}'),
    "more than there is memory": bytes([WHOLE | Opcode.TEXT, 0xFF]) + struct.pack("!Q", 1 << 62) + bytes(4),
    "half a close code": wire(Opcode.CLOSE, b"\x03"),
    "a close code that is none": wire(Opcode.CLOSE, struct.pack("!H", 1005)),
}


def no_websocket(random: Random) -> Frame:
    what = random.choice([*NO_WEBSOCKET])
    return Frame(Fate.BREAKS, what, NO_WEBSOCKET[what])


Makers = Sequence[Callable[[Random], Frame]]
COMMON: Makers = (valid, valid, valid, valid, unknown, in_pieces, control)
ODD: Makers = (twisted, overriding, opening_late, odd_audio, lengthy)
BROKEN: Makers = (cut_off, no_message, oversize, binary, no_websocket)


def frame(random: Random, one_in: int) -> Frame:
    """One in so many is odd or broken: most of these end their conversation, and what comes after them is not read."""
    return random.choice([*ODD, *BROKEN] if random.randrange(one_in) == one_in - 1 else COMMON)(random)
