"""The recogniser of dialogues in real time: it knows what each caller has said, and finds an utterance among it."""

import numpy as np

from serve_app.audio.framing import RATE, Framer
from serve_app.audio.pcm import Samples
from serve_app.audio.resample import Resampler
from tests.feel.caller import Caller

DITHER = 4
"""The resampler dithers: what was a telephone's is never the same twice, by a step or two."""
CLUES = 16


class Recorded:
    """A caller's audio as the server gets to have it: at 16 kHz, in whole frames."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.pcm = bytearray()
        self._format = caller.microphone.format
        self._resampler = Resampler(self._format.rate, RATE)
        self._framer = Framer()

    def send(self, audio: bytes) -> None:
        for frame in self._framer.push(self._resampler.process(self._format.decode(audio))):
            self.pcm += frame.astype("<i2", copy=False).tobytes()

    @property
    def samples(self) -> Samples:
        return np.frombuffer(bytes(self.pcm), np.int16)

    def find(self, utterance: Samples) -> int | None:
        """The sample at which the utterance begins: the loudest of its samples tell where to look."""
        heard, sought = self.samples.astype(int), utterance.astype(int)
        starts = np.arange(len(heard) - len(sought) + 1)
        for sample in np.argsort(np.abs(sought))[: -CLUES - 1 : -1]:
            starts = starts[np.abs(heard[starts + sample] - sought[sample]) <= DITHER]
        for start in map(int, starts):
            if np.abs(heard[start : start + len(sought)] - sought).max() <= DITHER:
                return start
        return None


class Recogniser:
    """`strangers`: utterances of nobody."""

    def __init__(self) -> None:
        self.strangers = 0
        self._live: list[Recorded] = []

    def listen(self, recorded: Recorded) -> None:
        self._live.append(recorded)

    def forget(self, recorded: Recorded) -> None:
        self._live.remove(recorded)

    def hear(self, utterance: bytes) -> str:
        """The words of an utterance (s16le, 16 kHz): those that were said in it, and no more."""
        samples = np.frombuffer(utterance, np.int16)
        for recorded in list(self._live):
            start = recorded.find(samples)
            if start is not None:
                return recorded.caller.microphone.transcript(start, start + len(samples))
        self.strangers += 1
        return ""
