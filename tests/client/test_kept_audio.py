import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve_app.audio.pcm import AudioFormat
from serve_app.client.kept_audio import KEPT_S, KeptAudio

FORMAT = AudioFormat("pcm", 8000)
MS = FORMAT.bytes_for(0.001)
KEPT = FORMAT.bytes_for(KEPT_S)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("speak"), st.integers(1, 4000)),  # ms
        st.tuples(st.just("send"), st.integers(1, 20)),  # messages
        st.tuples(st.just("lose"), st.integers(0, 12_000)),  # ms of what was sent that never arrived
    ),
    max_size=40,
)


class Server:
    """Has what arrived."""

    def __init__(self) -> None:
        self.heard = bytearray()

    @property
    def heard_ms(self) -> int:
        return len(self.heard) // MS


@given(STEPS)
def test_nothing_is_doubled_and_what_is_gone_is_told(steps: list[tuple[str, int]]) -> None:
    kept, server, spoken, lost = KeptAudio(FORMAT), Server(), bytearray(), 0.0
    for step, amount in [*steps, ("lose", 0), ("send", 100)]:
        if step == "speak":
            audio = noise(amount, len(spoken))
            spoken += audio
            kept.push(audio)
        elif step == "send":
            send(kept, server, amount)
        else:
            del server.heard[max(0, len(server.heard) - amount * MS) :]
            lost += kept.rewind(server.heard_ms)
    lost += kept.rewind(server.heard_ms)
    assert len(server.heard) + FORMAT.bytes_for(lost) == len(spoken)
    assert server.heard.endswith(spoken[-KEPT:] if lost else spoken)


TURNS = st.lists(
    st.one_of(
        st.tuples(st.just("speak"), st.integers(1, 4000)),
        st.tuples(st.just("send"), st.integers(1, 20)),
        st.tuples(st.sampled_from(["close", "answer"]), st.just(0)),
    ),
    max_size=40,
)


@given(TURNS)
def test_another_conversation_hears_all_since_the_last_turn_that_was_answered(steps: list[tuple[str, int]]) -> None:
    kept, server, spoken = KeptAudio(FORMAT), Server(), bytearray()
    closed = answered = 0
    for step, amount in steps:
        if step == "speak":
            audio = noise(amount, len(spoken))
            send(kept, server, 100)  # never more unsent than is kept
            spoken += audio
            kept.push(audio)
        elif step == "send":
            send(kept, server, amount)
        elif step == "close":
            kept.turn_closed()
            closed = len(server.heard)
        else:
            kept.turn_answered()
            answered = closed
    lost_s, another = kept.restart(), Server()
    send(kept, another, 100)
    unanswered = spoken[answered:]
    assert another.heard == unanswered[-KEPT:]
    assert FORMAT.bytes_for(lost_s) == len(unanswered) - len(another.heard)
    assert kept.restart() == 0, "of the new conversation nothing is gone"


def test_a_turn_that_its_next_server_wants_again_is_not_answered_yet() -> None:
    kept, server, another = KeptAudio(FORMAT), Server(), Server()
    kept.push(noise(200, 1))
    send(kept, server, 1)
    kept.turn_closed()
    kept.turn_answered()
    assert kept.rewind(150) == 0
    assert kept.restart() == 0
    send(kept, another, 1)
    assert another.heard == noise(200, 1)[150 * MS :]


def noise(ms: int, seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(ms * MS)


def send(kept: KeptAudio, server: Server, messages: int) -> None:
    for _ in range(messages):
        message = kept.take()
        assert len(message) <= FORMAT.bytes_for(0.25)
        server.heard += message


def test_a_server_that_claims_too_much_gets_nothing_twice() -> None:
    kept, server = KeptAudio(FORMAT), Server()
    kept.push(noise(100, 1))
    assert kept.rewind(5000) == 0
    send(kept, server, 1)
    assert server.heard == b""
    kept.push(noise(100, 2))
    send(kept, server, 1)
    assert server.heard == noise(100, 2)
