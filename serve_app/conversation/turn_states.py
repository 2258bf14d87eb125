"""The states of turn-taking, and where each event leads."""

from collections.abc import Mapping
from enum import Enum, auto


class State(Enum):
    LISTENING = auto()  # nobody speaks
    CALLER = auto()  # the caller speaks
    PAUSE = auto()  # the caller is quiet, perhaps done
    HEARD = auto()  # the caller is done, the words are awaited
    THINKING = auto()  # the turn is the agent's, nothing audible yet
    AGENT = auto()  # the agent speaks
    OVERLAP = auto()  # the agent speaks, ducked, and the caller may be interrupting


class Event(Enum):
    VOICE = "voice"
    QUIET = "40 ms quiet"
    SILENCE = "enough silence"
    WORDS = "words"
    UNFINISHED = "words that go on"
    NO_WORDS = "no words"
    FIRST_AUDIO = "first audio"
    SOUND = "sound"
    FALSE_ALARM = "false alarm"
    INTERRUPTION = "interruption"
    INTERRUPTED = "interruption that is over"
    END_OF_ANSWER = "end of answer"
    HANDOVER = "end of answer amid speech"
    OWN_ACCORD = "typed, or own accord"


S, E = State, Event
TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    S.LISTENING: {E.VOICE: S.CALLER},
    S.CALLER: {E.QUIET: S.PAUSE, E.SILENCE: S.HEARD},
    S.PAUSE: {E.VOICE: S.CALLER, E.SILENCE: S.HEARD},
    S.HEARD: {E.VOICE: S.CALLER, E.WORDS: S.THINKING, E.UNFINISHED: S.PAUSE, E.NO_WORDS: S.LISTENING},
    S.THINKING: {E.VOICE: S.CALLER, E.FIRST_AUDIO: S.AGENT, E.END_OF_ANSWER: S.LISTENING},
    S.AGENT: {
        E.SOUND: S.OVERLAP,
        E.INTERRUPTION: S.CALLER,
        E.INTERRUPTED: S.PAUSE,
        E.END_OF_ANSWER: S.LISTENING,
        E.HANDOVER: S.CALLER,
    },
    S.OVERLAP: {
        E.FALSE_ALARM: S.AGENT,
        E.INTERRUPTION: S.CALLER,
        E.END_OF_ANSWER: S.LISTENING,
        E.HANDOVER: S.CALLER,
    },
}
"""From each state, where an event leads. OWN_ACCORD leads to THINKING from every one. What is not here cannot happen:
a KeyError."""
