"""Frames: the 20 ms in which the caller's audio is judged, whatever lumps it arrives in."""

import numpy as np

from serve_app.audio.pcm import Samples

RATE = 16000  # what the detector, the recogniser and the turn judge listen at
FRAME_SAMPLES = RATE // 50


class Framer:
    """Cuts lumps of 16 kHz audio of any length into frames of FRAME_SAMPLES, and keeps what is left over."""

    def __init__(self) -> None:
        self._rest: Samples = np.empty(0, np.int16)

    def push(self, lump: Samples) -> list[Samples]:
        """Take a lump, return the frames it completes."""
        held = np.concatenate((self._rest, lump))
        whole = len(held) - len(held) % FRAME_SAMPLES
        self._rest = held[whole:]
        return list(held[:whole].reshape(-1, FRAME_SAMPLES))
