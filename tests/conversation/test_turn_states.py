"""The state changes as TRANSITIONS says: all that stands there happens, and nothing else does."""

from collections.abc import Callable

import pytest

from serve_app.conversation.decisions import Words
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import UNSURE_S
from serve_app.conversation.overlap import JUDGE_WITHIN, UNJUDGED_FROM
from serve_app.conversation.turn_states import TRANSITIONS, Event, State
from serve_app.conversation.turn_taking import OVERLAP_OVER
from tests.conversation.ear import INTERRUPTION, KEEPS, REACH, Ear, frames_ms, samples_ms

UNSURE = frames_ms(UNSURE_S)


def speaks_on(ear: Ear) -> None:
    """Past the swell: it was no murmur."""
    ear.voice(samples_ms(UNJUDGED_FROM))


def says_one_word(ear: Ear) -> None:
    """Too short to interrupt by its sound; then it is recognised."""
    ear.voice(240)
    ear.quiet(samples_ms(JUDGE_WITHIN + OVERLAP_OVER) - 240)
    ear.words()


def is_interrupted_by_the_judge(ear: Ear) -> None:
    ear.voice(200)
    ear.judged(INTERRUPTION)


def speaks_up_to_the_end_of_the_answer(ear: Ear) -> None:
    ear.voice(200)
    ear.turns.agent_finished()


def speaks_over_what_may_not_be_interrupted(ear: Ear) -> None:
    ear.turns.interruptible, ear.turns.manners = False, KEEPS
    speaks_up_to_the_end_of_the_answer(ear)


S, E = State, Event
WAYS: dict[tuple[State, Event], Callable[[Ear], object]] = {
    (S.LISTENING, E.VOICE): lambda ear: ear.voice(20),
    (S.CALLER, E.QUIET): lambda ear: ear.quiet(40),
    (S.CALLER, E.SILENCE): lambda ear: ear.tick(),
    (S.PAUSE, E.VOICE): lambda ear: ear.voice(20),
    (S.PAUSE, E.SILENCE): lambda ear: ear.quiet(UNSURE),
    (S.HEARD, E.VOICE): lambda ear: ear.voice(20),
    (S.HEARD, E.WORDS): lambda ear: ear.words(),
    (S.HEARD, E.UNFINISHED): lambda ear: ear.words(ending=Ending.UNFINISHED),
    (S.HEARD, E.NO_WORDS): lambda ear: ear.words(Words.NONE),
    (S.THINKING, E.VOICE): lambda ear: ear.voice(20),
    (S.THINKING, E.FIRST_AUDIO): lambda ear: ear.turns.agent_started(),
    (S.THINKING, E.END_OF_ANSWER): lambda ear: ear.turns.agent_finished(),
    (S.AGENT, E.SOUND): lambda ear: ear.noise(60),
    (S.AGENT, E.INTERRUPTION): speaks_on,
    (S.AGENT, E.INTERRUPTED): says_one_word,
    (S.AGENT, E.END_OF_ANSWER): lambda ear: ear.turns.agent_finished(),
    (S.AGENT, E.HANDOVER): speaks_over_what_may_not_be_interrupted,
    (S.OVERLAP, E.FALSE_ALARM): lambda ear: ear.quiet(300),
    (S.OVERLAP, E.INTERRUPTION): is_interrupted_by_the_judge,
    (S.OVERLAP, E.END_OF_ANSWER): lambda ear: ear.turns.agent_finished(),
    (S.OVERLAP, E.HANDOVER): speaks_up_to_the_end_of_the_answer,
}
"""How each is brought about."""


@pytest.mark.parametrize(("state", "event"), [(state, event) for state in State for event in TRANSITIONS[state]])
def test_every_transition_is_made(state: State, event: Event) -> None:
    ear = REACH[state]()
    assert ear.turns.state is state
    WAYS[state, event](ear)
    assert ear.turns.hops[-1] == (state, TRANSITIONS[state][event])


INPUTS: dict[str, Callable[[Ear], object]] = {
    "voice": lambda ear: ear.voice(20),
    "one quiet frame": lambda ear: ear.quiet(20),
    "40 ms quiet": lambda ear: ear.quiet(40),
    "silence": lambda ear: ear.quiet(UNSURE),
    "gate": lambda ear: ear.noise(60),
    "words": lambda ear: ear.words(),
    "words that go on": lambda ear: ear.words(ending=Ending.UNFINISHED),
    "a backchannel": lambda ear: ear.words(Words.BACKCHANNEL),
    "no words": lambda ear: ear.words(Words.NONE),
    "judged an interruption": lambda ear: ear.judged(INTERRUPTION),
    "typed": lambda ear: ear.turns.typed(),
    "own accord": lambda ear: ear.turns.answering(),
    "first audio": lambda ear: ear.turns.agent_started(),
    "end of answer": lambda ear: ear.turns.agent_finished(),
    "a moment": lambda ear: ear.tick(ear.now + 0.1),
}
AT_ANY_TIME = {"typed": S.THINKING, "own accord": S.THINKING}
TABLE = {
    S.LISTENING: {"voice": S.CALLER},
    S.CALLER: {"40 ms quiet": S.PAUSE, "silence": S.HEARD, "gate": S.PAUSE},
    S.PAUSE: {"voice": S.CALLER, "silence": S.HEARD},
    S.HEARD: {
        "voice": S.CALLER,
        "words": S.THINKING,
        "words that go on": S.PAUSE,
        "a backchannel": S.THINKING,
        "no words": S.LISTENING,
    },
    S.THINKING: {"voice": S.CALLER, "first audio": S.AGENT, "end of answer": S.LISTENING},
    S.AGENT: {"voice": S.OVERLAP, "gate": S.OVERLAP, "end of answer": S.LISTENING},
    S.OVERLAP: {"silence": S.AGENT, "end of answer": S.LISTENING},
}
"""Where each input leads; one that is not named changes nothing."""


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("state", State)
def test_the_state_table(state: State, name: str) -> None:
    ear = REACH[state]()
    INPUTS[name](ear)
    assert ear.turns.state is {**TABLE[state], **AT_ANY_TIME}.get(name, state)
