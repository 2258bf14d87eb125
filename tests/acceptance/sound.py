"""What a client has played, against what it was sent."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serve_app.audio.pcm import FULL_SCALE, AudioFormat, Samples
from tests.acceptance.javascript import Recording
from tests.acceptance.tap import TappedConnection

WINDOW_S = 0.010


def assert_played_whole(recording: Recording, line: TappedConnection) -> None:
    """The same samples in the same order; zeros apart, which stand also where the line was late."""
    played = np.rint(recording.samples * FULL_SCALE).astype(np.int16)
    expected, heard = nonzero(sent_audio(line)), nonzero(played)
    assert len(expected), "no audio was sent"
    assert np.array_equal(heard, expected), f"{len(expected)} samples were sent, {len(heard)} were played"


def seconds_cut_off(recording: Recording, line: TappedConnection) -> float:
    """What is missing at the end, where digital silence was sent. Negative: more of it was played than was sent."""
    return (silence_at_the_end(sent_audio(line)) - silence_at_the_end(recording.samples)) / recording.rate


def silence_at_the_end(samples: NDArray[Any]) -> int:
    """How many zeros there are."""
    return len(samples) - 1 - int(np.flatnonzero(samples)[-1])


def sent_audio(line: TappedConnection) -> Samples:
    """All the server has sent on a connection, decoded."""
    metadata, *events = [message.event for message in line.server.messages]
    name = metadata["conversation_initiation_metadata_event"]["agent_output_audio_format"]
    chunks = [event["audio_event"]["audio_base_64"] for event in events if event["type"] == "audio"]
    return AudioFormat.parse(name).decode(b"".join(map(base64.b64decode, chunks)))


def nonzero(samples: Samples) -> Samples:
    found: Samples = samples[samples != 0]
    return found


def loudest_db(samples: NDArray[np.float32], rate: int) -> float:
    """RMS level of the loudest 10 ms, in dB of full scale; no less than -120."""
    window = round(WINDOW_S * rate)
    windows = samples[: len(samples) // window * window].reshape(-1, window)
    return float(10 * np.log10(np.mean(windows**2, axis=1).max(initial=1e-12)))
