"""Echo: is what the caller's microphone hears our own voice, back from a loudspeaker?

Two measures, at half the caller's rate: telephone band is all that may come back. Where in the last 0.7 s our voice
might be found: the peak of the normalised cross-correlation of the two waves. How much of what is heard it explains
there: the energy that a linear filter (a loudspeaker, a room, a line) can make of our voice, by the magnitude-squared
coherence of Welch's averaged spectra (Carter, Knapp and Nuttall 1973). The second is what tells an echo from a caller
who speaks over one: at equal loudness our voice explains no more than half.

The figures below were chosen on synthetic rooms (RT60 0-400 ms), overdriven loudspeakers and telephone lines, with
human and synthetic voices: there our voice explains more than half of 91-96 % of the windows with 100 ms of echo in
them, but only of 3 in 4 where the room is louder than the loudspeaker itself.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples

LIKELY = 0.5
"""From here on it is our voice rather than the caller's."""
WINDOW = round(0.2 * RATE)
"""What is judged at once. A shorter one is like our voice at one of so many delays by chance; a longer one is late."""
REACH = round(0.7 * RATE)
"""The longest delay: network, jitter buffers, a Bluetooth loudspeaker and the room."""

_KEPT = 2 * RATE  # of our voice: REACH, what is judged, and what is sent ahead of its time
_JITTER = round(0.1 * RATE)  # what begins this close to the end of what was played before follows it without a gap
_ALIKE = 0.4  # a caller's correlation with our voice reaches this by chance in 1 of 100 windows
_AGREEMENT = round(0.005 * RATE / 2)  # two findings of one delay; two chance ones differ by more
_FRAME = 192  # 24 ms: longer ones explain more of a room's echo, and more of anything by chance
_HOP = _FRAME // 4
_HANN = np.hanning(_FRAME).astype(np.float32)
_FAINT = 1e-3  # of the loudest: what is fainter explains nothing
_TINY = 1e-9  # digital silence is like nothing, and divides nothing

_Wave = NDArray[np.float32]


class Echo:
    """One call's. It hears what we play before it sounds, and learns by how much the echo comes later."""

    def __init__(self) -> None:
        self._voice: Samples = np.zeros(_KEPT, np.int16)  # its last sample is before `_end`
        self._end = 0
        self._spoken_until = 0
        self._delay: int | None = None  # of the echo, in samples at half RATE
        self._suspected: int | None = None  # a delay found last time

    def played(self, samples: Samples, at: int) -> None:
        """Our voice at 16 kHz; it sounds from the caller's sample `at` on. What was to sound from there on will not."""
        if abs(at - self._spoken_until) <= _JITTER:
            at = self._spoken_until  # the two clocks are compared through a network: our voice itself has no jitter
        self._spoken_until = at + len(samples)
        self._wind(at)
        self._wind(self._spoken_until)
        kept = samples[-_KEPT:]
        self._voice[_KEPT - len(kept) :] = kept

    def likeness(self, heard: Samples, end: int) -> float:
        """Which share of the caller's audio, WINDOW samples at 16 kHz up to its sample `end`, our voice explains: 0..1;
        from LIKELY on it is an echo. 0 until two windows agree on the delay."""
        if end - WINDOW - REACH >= self._spoken_until:
            return 0.0
        self._wind(max(end, self._end))
        until = _KEPT - (self._end - end)
        voice = self._voice[max(until - WINDOW - REACH, 0) : max(until, 0)]
        if len(heard) < WINDOW or len(voice) < WINDOW + REACH or not voice.any():
            return 0.0
        return self._explained(_halved(heard), _halved(voice))

    def _explained(self, heard: _Wave, voice: _Wave) -> float:
        known = 0.0 if self._delay is None else _share(heard, _delayed(voice, self._delay))
        if known >= LIKELY:
            return known
        delay, alike = _most_alike(heard, voice)
        if alike < _ALIKE:
            return known
        found = _share(heard, _delayed(voice, delay))
        if found < LIKELY:
            return known
        agreed = self._suspected is not None and abs(delay - self._suspected) <= _AGREEMENT
        self._suspected = delay
        if not agreed:
            return known
        self._delay = delay
        return found

    def _wind(self, end: int) -> None:
        """Let what is kept end there: forget what comes later, or add silence."""
        ahead, back = min(end - self._end, _KEPT), min(self._end - end, _KEPT)
        if ahead > 0:
            self._voice[:-ahead] = self._voice[ahead:]
            self._voice[-ahead:] = 0
        elif back > 0:
            self._voice[back:] = self._voice[:-back]
            self._voice[:back] = 0
        self._end = end


def _halved(samples: Samples) -> _Wave:
    """At half the rate, about the mean. The mean of two samples is filter enough: voices are faint where it is not."""
    even = samples[len(samples) % 2 :].astype(np.float32)
    even -= even.mean()
    return even[::2] + even[1::2]


def _delayed(voice: _Wave, delay: int) -> _Wave:
    end = len(voice) - delay
    return voice[end - WINDOW // 2 : end]


def _most_alike(heard: _Wave, voice: _Wave) -> tuple[int, float]:
    """At which delay `heard` is most like `voice`, which ends when it ends, and how much: 0..1.

    Of differences, which weigh high tones more: what is low hums on for long, and is like itself at many delays.
    """
    wave, ours = np.diff(heard), np.diff(voice)
    size = 1 << (len(ours) - 1).bit_length()
    spectrum = np.fft.rfft(ours, size) * np.fft.rfft(wave, size).conj()
    alike = np.abs(np.fft.irfft(spectrum, size)[: len(ours) - len(wave) + 1])
    energy = np.concatenate(([0.0], np.cumsum(ours.astype(np.float64) ** 2)))
    power = energy[len(wave) :] - energy[: -len(wave)]
    alike /= np.sqrt(np.maximum(power, _FAINT * power.max()) * wave.dot(wave)) + _TINY
    best = int(alike.argmax())
    return len(alike) - 1 - best, float(alike[best])


def _share(heard: _Wave, voice: _Wave) -> float:
    """Which share of `heard` a filter shorter than _FRAME can make of `voice`, sample by sample beside it."""
    theirs, ours = _spectra(heard), _spectra(voice)
    common = np.abs((theirs * ours.conj()).sum(axis=0)) ** 2
    power = _power(ours)
    explained = common / (power + _FAINT * power.max() + _TINY)
    return min(float(explained.sum() / (_power(theirs).sum() + _TINY)), 1.0)


def _spectra(wave: _Wave) -> NDArray[np.complexfloating]:
    return np.fft.rfft(sliding_window_view(wave, _FRAME)[::_HOP] * _HANN)


def _power(spectra: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    power: NDArray[np.floating] = (spectra.real**2 + spectra.imag**2).sum(axis=0)
    return power
