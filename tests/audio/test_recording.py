import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve_app.audio.framing import RATE
from serve_app.audio.recording import Recording

HELD = 64
lumps = st.lists(st.integers(0, 150), max_size=30)


def record(lengths: list[int]) -> tuple[Recording, np.ndarray]:
    """A recording that holds HELD samples, and all that was ever appended to it."""
    recording = Recording(seconds=HELD / RATE)
    call = (np.arange(sum(lengths)) % 32768).astype(np.int16)
    for lump in np.split(call, np.cumsum(lengths)[:-1]) if lengths else []:
        recording.append(lump)
    return recording, call


@given(lumps, st.integers(-100, 5000), st.integers(-100, 5000))
def test_slices_are_what_was_said_as_far_as_it_is_held(lengths: list[int], start: int, end: int) -> None:
    recording, call = record(lengths)
    first = max(start, len(call) - HELD, 0)
    assert recording.slice(start, end) == call[first : max(end, first)].tobytes()


@given(lumps)
def test_start_and_end_count_from_the_beginning_of_the_call(lengths: list[int]) -> None:
    recording, call = record(lengths)
    assert (recording.start, recording.end) == (max(len(call) - HELD, 0), len(call))
    assert (recording.samples(recording.start, recording.end) == call[-HELD:]).all()


def test_a_slice_stays_as_it_was_when_the_recording_goes_on() -> None:
    recording, call = record([HELD])
    before = recording.slice(0, 10)
    for _ in range(10):
        recording.append(np.full(50, -1, np.int16))
    assert before == call[:10].tobytes()
