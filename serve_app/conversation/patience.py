"""How long is too long: of silence, and of the call itself."""

from enum import Enum, auto

from serve_app.conversation.agent import ConversationConfig, Turn

SPEAK_UPS = 2
"""Times in a row that the agent speaks up into silence: a third time would be nagging."""
TRANSPORT_S = 60.0
"""Without anything from the user, not even silence: the microphone's line is dead (ElevenLabs' threshold)."""


class Overdue(Enum):
    SPEAK_UP = auto()  # the caller has said nothing for long: the agent takes the turn
    SILENCE = auto()  # nor for longer: the call ends
    TIME_UP = auto()  # the call has lasted as long as it may
    TRANSPORT = auto()  # nothing comes from the client any more


class Patience:
    """Seconds on the loop clock. `idle` is whether nobody speaks, and nothing is about to be said."""

    def __init__(self, config: ConversationConfig, now: float) -> None:
        rules = config.conversation
        self.adopt(config.turn)
        self._time_up = now + rules.max_duration_seconds
        self._text_only = rules.text_only
        self._idle_since = self._silent_since = self._received_at = now
        self._begun = False  # anybody has said anything
        self._spoken_up = 0

    def adopt(self, turn: Turn) -> None:
        """Wait as long as this agent does."""
        self._turn_s = turn.turn_timeout
        self._first_s = turn.initial_wait_time or turn.turn_timeout
        self._silence_s = turn.silence_end_call_timeout if turn.silence_end_call_timeout > 0 else float("inf")

    def received(self, now: float) -> None:
        """Audio, or a message of the user's, came."""
        self._received_at = now

    def resumed(self, now: float, *, begun: bool) -> None:
        """The caller is back: whatever was waited for is waited for anew, but for the end of the call's time. `begun`:
        somebody has said something."""
        self.received(now)
        self.user_was_active(now)
        self._begun = begun

    def user_was_active(self, now: float) -> None:
        """They are busy with something."""
        self._idle_since = self._silent_since = now

    def user_spoke(self, now: float) -> None:
        """Or typed."""
        self.user_was_active(now)
        self._spoken_up = 0

    def quiet_from(self, now: float) -> None:
        """Somebody has just stopped speaking. That the agent spoke up into silence did not end the silence."""
        self._begun = True
        self._idle_since = now
        if not self._spoken_up:
            self._silent_since = now

    def wait(self) -> None:
        """Do not speak up before the caller does."""
        self._spoken_up = SPEAK_UPS

    def spoke_up(self) -> None:
        self._spoken_up += 1

    def finished(self) -> None:
        """The goodbye is being said: nothing more can last too long."""
        self._time_up = float("inf")

    def deadline(self, *, idle: bool) -> float:
        return min(self._moments(idle).values())

    def overdue(self, now: float, *, idle: bool) -> Overdue | None:
        """What has lasted too long by now; the gravest, if several have."""
        due = [what for what, at in self._moments(idle).items() if at <= now]
        return due[0] if due else None

    def _moments(self, idle: bool) -> dict[Overdue, float]:
        """In order of gravity. A person may think about a text for minutes: there silence is no sign of anything."""
        never = float("inf")
        listening = idle and not self._text_only
        speak_up = self._idle_since + (self._turn_s if self._begun else self._first_s)
        return {
            Overdue.TIME_UP: self._time_up,
            Overdue.TRANSPORT: never if self._text_only else self._received_at + TRANSPORT_S,
            Overdue.SILENCE: self._silent_since + self._silence_s if listening else never,
            Overdue.SPEAK_UP: speak_up if listening and self._spoken_up < SPEAK_UPS else never,
        }
