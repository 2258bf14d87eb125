import numpy as np
import pytest

from tests.acceptance.caller import RATE
from tests.acceptance.sound_card import BUFFERED_S, Loudspeaker

CHUNK_S = 0.040
CHUNK = np.ones(round(CHUNK_S * RATE), np.int16)


class Clock:
    now_s = 7.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loudspeaker(clock: Clock) -> Loudspeaker:
    return Loudspeaker(clock.now, clock.sleep)


def test_whoever_writes_is_held_to_the_pace_of_the_sound(clock: Clock, loudspeaker: Loudspeaker) -> None:
    for number in range(10):
        loudspeaker.write((number * CHUNK).tobytes())
    assert clock.now_s == pytest.approx(7.0 + 10 * CHUNK_S - BUFFERED_S)
    assert np.array_equal(loudspeaker.recording(), np.concatenate([number * CHUNK for number in range(10)]))


def test_what_comes_late_comes_after_a_silence(clock: Clock, loudspeaker: Loudspeaker) -> None:
    loudspeaker.write(CHUNK.tobytes())
    clock.sleep(CHUNK_S + 0.5)
    loudspeaker.write(CHUNK.tobytes())
    clock.sleep(CHUNK_S + 0.25)
    silences = [np.zeros(round(seconds * RATE), np.int16) for seconds in (0.5, 0.25)]
    assert np.array_equal(loudspeaker.recording(), np.concatenate([CHUNK, silences[0], CHUNK, silences[1]]))
