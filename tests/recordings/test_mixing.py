import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.audio.pcm import Samples
from serve_app.recordings.mixing import PIECE, Mix
from serve_app.recordings.segments import Segment, Side
from tests.recordings.sounds import on_silence, speech


def mix(recorded: dict[Segment, Samples], pieces: int = 1) -> Mix:
    return Mix(recorded, lambda segment: iter(np.array_split(recorded[segment], pieces)))


@given(
    st.dictionaries(
        st.builds(Segment, st.just(0), st.integers(0, 3 * PIECE), st.just(0), st.sampled_from(Side)),
        st.integers(0, PIECE),
        max_size=5,
    ),
    st.integers(1, 5),
)
def test_a_segment_sounds_from_its_place_until_the_next(lengths: dict[Segment, int], pieces: int) -> None:
    recorded = {
        segment: np.full(length, 1 + count, np.int16) for count, (segment, length) in enumerate(lengths.items())
    }
    expected = {side: np.zeros(5 * PIECE, np.int16) for side in Side}
    for segment in sorted(recorded):
        track = expected[segment.side]
        track[segment.begins :] = 0
        track[segment.begins :][: len(recorded[segment])] = recorded[segment]
    mixed = mix(recorded, pieces)
    found = list(mixed.pieces())
    whole = np.concatenate([np.empty(0, np.int16), *found])
    assert all(len(piece) == PIECE for piece in found[:-1])
    assert len(whole) == mixed.length()
    np.testing.assert_array_equal(whole, sum(expected.values())[: len(whole)])
    assert not sum(expected.values())[len(whole) :].any()


def test_nothing_is_no_mix() -> None:
    assert (list(mix({}).pieces()), mix({}).length()) == ([], 0)


def test_both_too_loud_are_clipped_not_wrapped() -> None:
    loud = np.array([20_000, -20_000], np.int16)
    (piece,) = mix({Segment(0, 0, 0, side): loud for side in Side}).pieces()
    assert piece.tolist() == [32_767, -32_768]


@pytest.mark.parametrize("begins", [0, 1, PIECE, 10 * PIECE + 7])
def test_silence_before_it_is_silence(begins: int) -> None:
    samples = speech(0.5)
    pieces = mix({Segment(0, begins, 0, Side.AGENT): samples}).pieces()
    np.testing.assert_array_equal(np.concatenate(list(pieces)), on_silence(begins + len(samples), (begins, samples)))
