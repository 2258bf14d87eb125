"""The frame-level voice detector: is the caller speaking in these 20 ms, and since when?

Three judges, each for what it is good at. Energy over an adaptive floor is sharp: it says when sound starts and stops.
WebRTC's VAD is quick: with energy it is the gate, which ducks the agent and wakes Silero. Silero is right: without it
there is no speech, but it starts 50-300 ms late and ends 50-250 ms late, so energy sets the ends of what it confirms.

Figures without a source below were chosen on human and synthetic speech, clean and with noise at -60..-40 dBFS.
"""

from typing import NamedTuple

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import FULL_SCALE, Samples, level_db
from serve_app.audio.silero import WINDOW_SAMPLES, Silero

_WEBRTC_MODE = 2  # 15 ms to a word's first "voice"; mode 3 takes 60
_WEBRTC_SETTLED = round(0.16 * RATE)  # until then a new detector calls faint noise voice
_ONSET_REACH = round(0.4 * RATE)  # how far before Silero's word speech may have begun: its worst delay is 0.3 s
_LOWEST_FLOOR_DB = -70.0  # quieter lines are all the same: what is louder than this and the margin may be a voice


class Frame(NamedTuple):
    """The verdict on one frame.

    end: samples at 16 kHz from the start of the call to the end of this frame.
    loud: above the energy gate.
    gate: loud, and WebRTC calls it voice. Early and cheap; it decides nothing.
    voiced: this frame is speech. False from the first frame in which the voice can no longer be heard.
    onset: on the first voiced frame of a region of speech, the sample where that speech really began.
    score: how sure Silero is, 0..1; 0 while it sleeps.
    level: of this frame, dBFS, a DC offset not counted.
    floor: the line's noise as it is known by now, dBFS; -70 at the least.
    echo: how sure it is that what sounds here is our own voice coming back, 0..1.
    """

    end: int
    loud: bool
    gate: bool
    voiced: bool
    onset: int | None
    score: float = 0.0
    level: float = _LOWEST_FLOOR_DB
    floor: float = _LOWEST_FLOOR_DB
    echo: float = 0.0


class FrameDetector:
    """One call's detector: it hears every frame, in order."""

    def __init__(self) -> None:
        self._webrtc = webrtcvad.Vad(_WEBRTC_MODE)
        self._energy = _EnergyGate()
        self._confirmation = _Confirmation()
        self._end = 0
        self._voiced_until = 0
        self._in_region = False

    def process(self, samples: Samples) -> Frame:
        """Judge the next FRAME_SAMPLES at 16 kHz."""
        self._end += FRAME_SAMPLES
        level = level_db(samples)
        loud = self._energy.process(level, self._end, self._confirmation.standing)
        # WebRTC models the noise as it goes: it hears every frame, also those whose answer is not used.
        voice = self._webrtc.is_speech(samples.tobytes(), RATE) and self._end > _WEBRTC_SETTLED
        gate = loud and voice
        confirmed = self._confirmation.process(samples, gate)
        onset = self._onset() if confirmed and not self._in_region else None
        self._in_region = self._confirmation.standing and (self._in_region or confirmed)
        # The frame that opens a region counts even if the word is over by now: a short "sim" must not get lost.
        voiced = onset is not None or (self._in_region and self._energy.audible)
        if voiced:
            self._voiced_until = self._end
        return Frame(self._end, loud, gate, voiced, onset, self._confirmation.score, level, self._energy.floor)

    def _onset(self) -> int:
        return max(self._energy.loud_since, self._voiced_until, self._end - _ONSET_REACH)


_ENTER_DB, _STAY_DB = 8.0, 5.0  # over the floor: to become loud, and to remain so within speech
_FLOOR_FALL = 0.2  # share of the way down to a quieter frame: one dropout must not empty the floor
_FLOOR_RISE_DB = 0.3  # a frame: 15 dB a second, which a second of Silero's hesitation survives
_FLOOR_RISE_VOICED_DB = 0.04  # a frame, while the caller speaks
_VOICE_DEPTH_DB = 27.0  # how far a word's end may sink below the voice; what is weaker is the room's echo
_VOICE_DECAY_DB = 0.2  # a frame: who speaks ever softer is still heard
_LOUD_GAP = round(0.1 * RATE)  # a stop's closure, as in "stop": sound before it belongs to the same word


class _EnergyGate:
    """A frame's level against the noise floor, and against the caller's own voice."""

    def __init__(self) -> None:
        self.audible = False  # loud, and not too far below the voice
        self.loud_since = 0  # first sample of the present or latest loud run
        self.floor = _LOWEST_FLOOR_DB
        self._loud_until = -_LOUD_GAP - 1
        self._voice = _LOWEST_FLOOR_DB

    def process(self, level: float, end: int, speech: bool) -> bool:
        """Take the level of the frame that ends at `end`, and whether speech is likely; return whether it is loud."""
        loud = level > self.floor + (_STAY_DB if speech and self.audible else _ENTER_DB)
        if loud:
            start = end - FRAME_SAMPLES
            if start - self._loud_until > _LOUD_GAP:
                self.loud_since = start
            self._loud_until = end
        self._voice = max(self._voice - _VOICE_DECAY_DB, level if speech else _LOWEST_FLOOR_DB)
        self.audible = loud and level > self._voice - _VOICE_DEPTH_DB
        self._move_floor(level, voiced=speech and self.audible)
        return loud

    def _move_floor(self, level: float, *, voiced: bool) -> None:
        if level < self.floor:
            self.floor = max(self.floor + _FLOOR_FALL * (level - self.floor), _LOWEST_FLOOR_DB)
        else:
            self.floor = min(self.floor + (_FLOOR_RISE_VOICED_DB if voiced else _FLOOR_RISE_DB), level)


_REPLAY = 9 * WINDOW_SAMPLES  # 288 ms: what the gate may have missed, and enough for the network to settle
_AWAKE_FRAMES = 15  # after the gate closes: a soft syllable is not worth another replay
_SPEECH, _DOUBT = 0.5, 0.35  # Silero's own thresholds: to call it speech, and to call it over
_STANDING_WINDOWS = 5  # 160 ms of doubt end a region: 32 ms would break a third of human phrases in two
_DC_FOLLOW = 0.05  # share a frame: 0.13 of full scale made Silero 160 ms later on one microphone


class _Confirmation:
    """Silero, asleep in silence. When the gate opens it hears the last 288 ms again, then all that follows."""

    def __init__(self) -> None:
        self.score = 0.0  # of the latest window
        self._silero = Silero()
        self._heard: NDArray[np.float32] = np.zeros(RATE, np.float32)
        self._written = _REPLAY  # a call begins after silence
        self._judged = 0
        self._awake_frames = 0
        self._standing_windows = 0
        self._dc = 0.0

    @property
    def standing(self) -> bool:
        """Silero thought of speech lately."""
        return self._standing_windows > 0

    def process(self, samples: Samples, gate: bool) -> bool:
        """Take a frame; return whether Silero, if awake, now calls it speech."""
        self._keep(samples)
        if gate and not self._awake_frames:
            self._silero.reset()
            self._judged = self._written - _REPLAY
        self._awake_frames = _AWAKE_FRAMES if gate else max(self._awake_frames - 1, 0)
        if self._awake_frames:
            return self._listen()
        self._standing_windows, self.score = 0, 0.0
        return False

    def _keep(self, samples: Samples) -> None:
        if self._written + FRAME_SAMPLES > len(self._heard):
            self._forget()
        wave = self._heard[self._written : self._written + FRAME_SAMPLES]
        np.multiply(samples, np.float32(1 / FULL_SCALE), out=wave)
        self._dc += _DC_FOLLOW * (float(np.add.reduce(wave)) / FRAME_SAMPLES - self._dc)
        np.subtract(wave, np.float32(self._dc), out=wave)
        self._written += FRAME_SAMPLES

    def _forget(self) -> None:
        """Move what a replay may need to the front of the buffer, once in 0.7 s."""
        gone = self._written - _REPLAY
        self._heard[:_REPLAY] = self._heard[gone : self._written]
        self._written = _REPLAY
        self._judged -= gone

    def _listen(self) -> bool:
        confirmed = False
        while self._written - self._judged >= WINDOW_SAMPLES:
            window = self._heard[self._judged : self._judged + WINDOW_SAMPLES]
            self.score = probability = float(self._silero.process(window))
            self._judged += WINDOW_SAMPLES
            confirmed = confirmed or probability >= _SPEECH
            self._standing_windows = _STANDING_WINDOWS if probability >= _DOUBT else max(self._standing_windows - 1, 0)
        return confirmed
