"""Whether an event loop has so much to do that another call would spoil those that go on."""

from collections import deque

SAMPLES = 200
"""At one each 50 ms: the last 10 s, or more when they are late."""
SHARE = 0.95
HIGH_S = 0.100
"""What 5 % of the samples exceed is heard: sound is sent 60 ms ahead of when it is played."""
WELL_S = 0.050
"""Lower than HIGH_S: after strain 95 % of a whole window must be this good, so that it does not come and go."""


class Strain:
    def __init__(self) -> None:
        self.is_high = False
        self._late_s: deque[float] = deque(maxlen=SAMPLES)

    def observe(self, late_s: float) -> None:
        """The loop woke a timer this much too late. A stall counts once, however long it is: it is over."""
        self._late_s.append(late_s)
        if len(self._late_s) == SAMPLES:
            usual = sorted(self._late_s)[int(SHARE * SAMPLES)]
            self.is_high = usual > (WELL_S if self.is_high else HIGH_S)
