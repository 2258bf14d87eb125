import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve_app.audio.framing import FRAME_SAMPLES, Framer

CALL = np.arange(10 * FRAME_SAMPLES + 7).astype(np.int16)


@given(st.lists(st.integers(0, len(CALL)), max_size=40).map(sorted))
def test_any_lumps_give_the_same_frames(cuts: list[int]) -> None:
    framer = Framer()
    frames = [frame for lump in np.split(CALL, cuts) for frame in framer.push(lump)]
    assert [len(frame) for frame in frames] == [FRAME_SAMPLES] * 10
    assert (np.concatenate(frames) == CALL[: 10 * FRAME_SAMPLES]).all()


def test_a_frame_comes_with_the_lump_that_completes_it() -> None:
    framer = Framer()
    assert framer.push(CALL[:319]) == []
    assert len(framer.push(CALL[319:320])) == 1
