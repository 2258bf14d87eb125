import logging
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import AudioFormat
from serve_app.audio.resample import Resampler
from serve_app.recordings.live import LiveFolder
from serve_app.recordings.segments import Side
from serve_app.recordings.tape import Cut, FromAgent, Note, Tape
from serve_app.recordings.voice import HELD
from tests.recordings.sounds import (
    CHUNK,
    WIRE,
    from_agent,
    from_caller,
    heard,
    library_in,
    live_in,
    on_silence,
    one_side,
    speech,
)

CALL_UNTIL_KILLED = """
import sys
from pathlib import Path
from serve_app.recordings.tape import FromAgent, FromCaller, Tape
from tests.recordings.sounds import RATE, WIRE, live_in, speech

tape, caller, agent = Tape(live_in(Path(sys.argv[1])), "conv_1", 0, WIRE), speech(60.0, 1), speech(60.0, 2)
for start in range(0, len(caller), RATE // 4):
    end = start + RATE // 4
    tape.write([FromCaller(start, caller[start:end]), FromAgent(start, agent[start:end].tobytes())])
    print(end, flush=True)
input()
"""


def record(folder: Path, *writes: list[Note], epoch: int = 0, wire: AudioFormat = WIRE) -> None:
    """Each of `writes` is what came in a quarter of a second."""
    tape = Tape(live_in(folder), "conv_1", epoch, wire)
    for notes in writes:
        tape.write(notes)
    tape.close([])


def in_time(*sides: Iterable[Note]) -> list[Note]:
    return sorted(chain(*sides), key=lambda note: note.at)


def test_both_sides_sound_where_they_sounded(tmp_path: Path) -> None:
    caller, greeting, answer = speech(4.0, 1), speech(1.0, 2), speech(1.4, 3)
    record(
        tmp_path,
        in_time(from_agent(greeting, 1234), from_caller(caller[:30_000])),
        in_time(from_caller(caller[30_000:], 30_000), from_agent(answer, 40_321)),
    )
    agent = on_silence(len(caller), (1234, greeting), (40_321, answer))
    np.testing.assert_array_equal(heard(library_in(tmp_path)), caller + agent)


def test_where_both_are_too_loud_it_is_clipped(tmp_path: Path) -> None:
    loud = np.array([30_000, -30_000, 100], np.int16)
    record(tmp_path, [*from_caller(loud), *from_agent(loud)])
    assert heard(library_in(tmp_path)).tolist() == [32_767, -32_768, 200]


def test_what_an_interrupted_agent_did_not_say_is_not_there(tmp_path: Path) -> None:
    voice, fade = speech(2.0, 1), speech(0.06, 2)
    cut = 2 * RATE - 3000
    record(tmp_path, [*from_agent(voice), Cut(cut), *from_agent(fade, cut)])
    np.testing.assert_array_equal(heard(library_in(tmp_path)), np.concatenate([voice[:cut], fade]))


def test_an_interruption_after_the_last_word_changes_nothing(tmp_path: Path) -> None:
    voice = speech(1.0)
    record(tmp_path, [*from_agent(voice), Cut(len(voice) + 5)])
    np.testing.assert_array_equal(heard(library_in(tmp_path)), voice)


def test_jitter_tears_no_hole_into_a_voice(tmp_path: Path) -> None:
    voice = speech(2.0)
    late = [FromAgent(max(at + 1000 * (-1) ** count, 0), audio) for count, (at, audio) in enumerate(from_agent(voice))]
    record(tmp_path, late[:25], late[25:])
    sound = one_side(library_in(tmp_path), Side.AGENT)
    np.testing.assert_array_equal(sound[-len(voice) :], voice)
    assert len(sound) <= len(voice) + 1000


def test_a_voice_that_pauses_for_long_begins_again_where_it_says(tmp_path: Path) -> None:
    first, second = speech(0.5, 1), speech(0.5, 2)
    record(tmp_path, [*from_agent(first)], [], [*from_agent(second, 200 * RATE)])
    expected = on_silence(200 * RATE + len(second), (0, first), (200 * RATE, second))
    np.testing.assert_array_equal(heard(library_in(tmp_path)), expected)


@pytest.mark.parametrize("wire", [AudioFormat("pcm", 24_000), AudioFormat("pcm", 44_100), AudioFormat("ulaw", 8000)])
def test_other_formats_of_the_voice_are_resampled_and_begin_exactly(tmp_path: Path, wire: AudioFormat) -> None:
    audio = wire.encode(speech(2.0)[: wire.rate])
    size = wire.bytes_for(0.040)
    chunks = [audio[start : start + size] for start in range(0, len(audio), size)]
    record(tmp_path, [FromAgent(5000 + count * CHUNK, chunk) for count, chunk in enumerate(chunks)], wire=wire)
    sound = one_side(library_in(tmp_path), Side.AGENT)
    resampler = Resampler(wire.rate, RATE)
    whole = np.concatenate([resampler.process(wire.decode(audio)), resampler.flush()])
    assert not sound[:5000].any()
    assert abs(len(sound) - 5000 - len(audio) // wire.bytes_per_sample * RATE / wire.rate) <= 1
    np.testing.assert_allclose(sound[5000:], whole, atol=2)  # where chunks are cut, roundings differ


def test_a_microphone_that_was_off_takes_nothing_away(tmp_path: Path) -> None:
    """The caller's time line stands still while the agent speaks for seconds; what both say later stays together."""
    question, reply, answer = speech(5.0, 1), speech(2.0, 2), speech(1.0, 3)
    record(
        tmp_path,
        [*from_agent(question)],
        [*from_caller(reply)],
        [*from_agent(answer, len(reply))],
    )
    library = library_in(tmp_path)
    begins = len(question) - CHUNK  # when the agent's last chunk began: as near as anybody knows
    np.testing.assert_array_equal(one_side(library, Side.CALLER)[begins:], reply)
    expected = on_silence(begins + len(reply) + len(answer), (0, question), (begins + len(reply), answer))
    np.testing.assert_array_equal(one_side(library, Side.AGENT), expected)


def test_a_line_that_stalled_moves_nothing(tmp_path: Path) -> None:
    """What the caller said meanwhile comes at once, and sounds where it was said."""
    voice, caller = speech(5.0, 1), speech(5.5, 2)
    record(tmp_path, [*from_agent(voice)], [*from_caller(caller)])
    np.testing.assert_array_equal(one_side(library_in(tmp_path), Side.CALLER), caller)


def test_a_resumed_call_goes_on_from_where_the_caller_does(tmp_path: Path) -> None:
    """What the first replica recorded beyond that is sent again, and replaced."""
    caller, lost, voice, again = speech(8.0, 1), speech(2.0, 2), speech(4.0, 3), speech(3.0, 4)
    goes_on = 4 * RATE
    record(tmp_path, [*from_caller(np.concatenate([caller[:goes_on], lost])), *from_agent(voice, 2 * RATE)])
    record(tmp_path, [*from_caller(caller[goes_on:], goes_on), *from_agent(again, 5 * RATE)], epoch=1)
    library = library_in(tmp_path)
    np.testing.assert_array_equal(one_side(library, Side.CALLER), caller)
    agent = on_silence(len(caller), (2 * RATE, voice[: 2 * RATE]), (5 * RATE, again))
    np.testing.assert_array_equal(one_side(library, Side.AGENT), agent)


def test_after_a_resume_a_microphone_that_had_been_off_is_remembered(tmp_path: Path) -> None:
    question, reply, rest = speech(5.0, 1), speech(2.0, 2), speech(1.0, 3)
    record(tmp_path, [*from_agent(question)], [*from_caller(reply)])
    record(tmp_path, [*from_caller(rest, len(reply))], epoch=1)
    begins = len(question) - CHUNK
    caller = one_side(library_in(tmp_path), Side.CALLER)
    np.testing.assert_array_equal(caller[begins:], np.concatenate([reply, rest]))


def test_minutes_are_as_continuous_as_seconds(tmp_path: Path) -> None:
    caller = speech(150.0)
    parts = np.split(caller, range(RATE // 4, len(caller), RATE // 4))
    record(tmp_path, *([*from_caller(part, count * RATE // 4)] for count, part in enumerate(parts)))
    library = library_in(tmp_path)
    assert len(library.segments("conv_1")) == 3
    np.testing.assert_array_equal(heard(library), caller)


def test_audio_that_was_recorded_already_is_not_recorded_twice(tmp_path: Path) -> None:
    caller = speech(2.0)
    record(tmp_path, [*from_caller(caller[:20_000])], [*from_caller(caller[10_000:], 10_000)])
    np.testing.assert_array_equal(heard(library_in(tmp_path)), caller)


@given(
    utterances=st.lists(st.tuples(st.integers(1700, 90_000), st.integers(1, 20_000), st.integers(0, HELD)), max_size=6),
    portion=st.integers(1, 30),
)
def test_whatever_an_agent_says_and_does_not_say(
    tmp_path_factory: pytest.TempPathFactory, utterances: list[tuple[int, int, int]], portion: int
) -> None:
    """Anywhere, each cut off by up to half a second before its end, written down in any portions."""
    folder = tmp_path_factory.mktemp("call")
    notes: list[Note] = []
    sound = np.empty(0, np.int16)
    for pause, length, cut in utterances:
        voice = speech(length / RATE, seed=length)
        at, kept = len(sound) + pause, max(length - cut, 0)
        notes += [*from_agent(voice, at), Cut(at + kept)]
        sound = np.concatenate([sound, np.zeros(pause, np.int16), voice[:kept]])
    record(folder, *(notes[start : start + portion] for start in range(0, len(notes), portion)))
    np.testing.assert_array_equal(np.trim_zeros(heard(library_in(folder)), "b"), np.trim_zeros(sound, "b"))


def test_a_full_disk_ends_the_recording_and_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caller = speech(3.0)
    tape = Tape(live_in(tmp_path), "conv_1", 0, WIRE)
    tape.write([*from_caller(caller[:RATE])])
    with files_of_at_most(3 * RATE):
        tape.write([*from_caller(caller[RATE : 2 * RATE], RATE)])
        assert tape.failed
        tape.write([*from_caller(caller[2 * RATE :], 2 * RATE)])
        tape.close([])
    (said,) = caplog.records
    assert said.levelno == logging.ERROR
    assert said.getMessage() == "the recording of conversation conv_1 ends here: File too large"
    kept = heard(library_in(tmp_path))
    assert RATE <= len(kept) <= 3 * RATE // 2
    np.testing.assert_array_equal(kept, caller[: len(kept)])


def test_a_disk_that_is_nearly_full_is_left_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tape = Tape(LiveFolder(tmp_path / "live", reserved_bytes=1 << 60), "conv_1", 0, WIRE)
    tape.write([*from_caller(speech(1.0))])
    tape.close([])
    assert "MiB are left on the disk" in caplog.text
    assert not heard(library_in(tmp_path)).any()


def test_of_a_process_that_is_killed_half_a_second_of_the_agent_is_lost(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", CALL_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout
        recorded = next(end for end in map(int, process.stdout) if end >= 20 * RATE)
        process.kill()
    library = library_in(tmp_path)
    library.tidy()
    assert live_in(tmp_path).files() == []
    for side, sound, held in ((Side.CALLER, speech(60.0, 1), 0), (Side.AGENT, speech(60.0, 2), HELD)):
        kept = one_side(library, side)
        assert len(kept) >= recorded - held
        np.testing.assert_array_equal(kept, sound[: len(kept)])


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The kernel refuses to write beyond, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
