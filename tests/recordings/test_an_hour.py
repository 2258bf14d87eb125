"""An hour's call takes no more memory than a minute's, neither to record nor to hear."""

import tracemalloc
from pathlib import Path

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.recordings.mixing import Mix
from serve_app.recordings.reel import SEGMENT
from serve_app.recordings.tape import FromAgent, FromCaller, Tape
from tests.recordings.sounds import WIRE, library_in, live_in, speech

HOUR = 3600 * RATE
PORTION = 5 * RATE
A_MINUTE = 2 * SEGMENT  # bytes of one side


def test_an_hour_is_recorded_and_heard_within_the_memory_of_a_minute(tmp_path: Path) -> None:
    library, tape = library_in(tmp_path), Tape(live_in(tmp_path), "conv_1", 0, WIRE)
    caller, voice = np.pad(speech(0.5, 1), (0, PORTION - RATE // 2)), speech(0.5, 2)  # silence is encoded sooner
    tracemalloc.start()
    for at in range(0, HOUR, PORTION):
        tape.write([FromCaller(at, caller), FromAgent(at, voice.tobytes())])
        if at % SEGMENT == 0:
            library.tidy()
    tape.close([])
    library.tidy()
    mix = Mix(library.segments("conv_1"), lambda segment: library.samples("conv_1", segment))
    portion = caller + np.pad(voice, (0, PORTION - len(voice)))
    heard = [np.array_equal(piece, portion) for piece in mix.pieces()]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert heard == [True] * (HOUR // PORTION)
    assert mix.length() == HOUR
    assert peak < 6 * A_MINUTE
