"""The frames between the server and a voice's child. What the child does with them is tested with the voices."""

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.voices.voice_child import Done, Failed, Ready, Reply, Request, Say, Sound, Stop, frame, read_frame

MESSAGES: list[Request | Reply] = [
    Say(1, "Olá", ("pt-br", "en-us"), 1.2),
    Stop(1),
    Ready(22_050),
    Sound(1, b"\x00\x01" * 100, ((0, 0), (4, 120))),
    Sound(1, b""),
    Done(1),
    Failed(1, "why"),
    Failed(None, "why"),
]


def test_messages_come_out_as_they_went_in() -> None:
    stream = io.BytesIO(b"".join(map(frame, MESSAGES)))
    decoder = msgspec.msgpack.Decoder(Request | Reply)
    assert [decoder.decode(read_frame(stream) or b"") for _ in MESSAGES] == MESSAGES
    assert read_frame(stream) is None


@given(st.integers(0, 200))
def test_half_a_message_is_none(size: int) -> None:
    whole = frame(MESSAGES[3])
    assert (read_frame(io.BytesIO(whole[:size])) is None) == (size < len(whole))


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_one_frame(message: Request | Reply) -> None:
    stream = io.BytesIO(frame(message))
    assert read_frame(stream) is not None
    assert stream.read() == b""
