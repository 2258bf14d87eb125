"""How loud the caller usually is, and whether the present speech is theirs by that."""

from serve_app.audio.detector import Frame
from serve_app.conversation.overlap import FAINT_DB

LEVEL_FOLLOW = 0.05
"""Share a voiced frame moves the caller's usual level: it settles in half a second of speech."""


class Loudness:
    """`usual_db`: of full scale, None: not known yet. `faint`: the present speech is much weaker."""

    def __init__(self) -> None:
        self.usual_db: float | None = None
        self.faint = False

    def begin(self) -> None:
        """The caller begins to speak: faintly, until it is heard otherwise."""
        self.faint = self.usual_db is not None

    def note(self, frame: Frame) -> None:
        """A voiced one."""
        if self.usual_db is None:
            self.usual_db = frame.level
        self.faint = self.faint and frame.level < self.usual_db - FAINT_DB
        if not self.faint:
            self.usual_db += LEVEL_FOLLOW * (frame.level - self.usual_db)
