from collections.abc import Callable
from itertools import pairwise

import pytest

from serve_app.conversation.decisions import (
    Decision,
    Discard,
    Duck,
    Interrupt,
    Judge,
    Judgement,
    NoWords,
    Prepare,
    Recognise,
    Swell,
    TakeTurn,
)
from serve_app.conversation.turn_taking import LEAD_IN, State
from tests.conversation.ear import (
    FINISHED,
    FRAME_MS,
    INTERRUPTION,
    MS,
    REACH,
    UNFINISHED,
    Ear,
    caller,
    heard,
    listening,
    pause,
    stopped,
    thinking,
)

EVENTS: dict[str, Callable[[Ear], object]] = {
    "voice": lambda ear: ear.voice(20),
    "one quiet frame": lambda ear: ear.quiet(20),
    "40 ms quiet": lambda ear: ear.quiet(40),
    "silence": lambda ear: ear.quiet(300),
    "gate": lambda ear: ear.noise(60),
    "words": lambda ear: ear.words(),
    "no words": lambda ear: ear.words(words=False),
    "judged an interruption": lambda ear: ear.judged(INTERRUPTION),
    "typed": lambda ear: ear.turns.typed(),
    "first audio": lambda ear: ear.turns.agent_started(),
    "end of answer": lambda ear: ear.turns.agent_finished(),
}

S = State
TABLE = {
    S.LISTENING: {"voice": S.CALLER, "typed": S.THINKING},
    S.CALLER: {"40 ms quiet": S.PAUSE, "silence": S.HEARD, "gate": S.PAUSE, "typed": S.THINKING},
    S.PAUSE: {"voice": S.CALLER, "silence": S.HEARD, "typed": S.THINKING},
    S.HEARD: {"voice": S.CALLER, "words": S.THINKING, "no words": S.LISTENING, "typed": S.THINKING},
    S.THINKING: {"voice": S.CALLER, "first audio": S.AGENT, "end of answer": S.LISTENING},
    S.AGENT: {"voice": S.OVERLAP, "gate": S.OVERLAP, "end of answer": S.LISTENING, "typed": S.THINKING},
    S.OVERLAP: {"silence": S.AGENT, "end of answer": S.LISTENING, "typed": S.THINKING},
}
"""Where each event leads; an event that is not named changes nothing."""


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", State)
def test_the_state_table(state: State, event: str) -> None:
    ear = REACH[state]()
    assert ear.turns.state is state
    EVENTS[event](ear)
    assert ear.turns.state is TABLE[state].get(event, state)


# ---- the caller's turn


def test_a_turn_is_recognised_at_40_ms_of_quiet_judged_at_200_and_taken_after_250() -> None:
    ear = caller()
    stopped_ms = ear.ms
    ear.quiet(60)
    assert ear.words() == [Prepare()]
    ear.quiet(300)
    onset, end = 500 * MS, stopped_ms * MS
    *before, (taken, decision) = [(ms - stopped_ms, decision) for ms, decision in ear.taken]
    assert before == [
        (40, Recognise(ear.turns.recognition, onset - LEAD_IN, end + 40 * MS)),
        (60, Prepare()),
        (200, Judge(ear.turns.judge, onset, end + 200 * MS, overlap=False)),
    ]
    assert taken == 260
    assert stopped([decision]) == pytest.approx(stopped_ms / 1000)


def test_the_onset_is_the_detectors_not_the_frames() -> None:
    ear = listening()
    ear.voice(600, late=160)
    [(_, recognise)] = ear.quiet(40)
    assert recognise == Recognise(ear.turns.recognition, 500 * MS - LEAD_IN, 1140 * MS)


def test_a_turn_that_the_judge_calls_unfinished_waits_350_ms() -> None:
    ear = pause()
    stopped_ms = ear.ms - 60
    ear.words()
    ear.quiet(140)
    ear.judged(UNFINISHED)
    taken = ear.quiet(300)
    assert [ms - stopped_ms for ms, decision in taken if isinstance(decision, TakeTurn)] == [360]


@pytest.mark.parametrize("judgement", [FINISHED, Judgement(turn_end=0.2, interruption=0), INTERRUPTION])
def test_any_other_judgement_holds_nothing_back(judgement: Judgement) -> None:
    ear = pause()
    ear.words()
    ear.quiet(140)
    ear.judged(judgement)
    assert [ms for ms, decision in ear.quiet(300) if isinstance(decision, TakeTurn)] == [1500 + 260]


def test_the_judges_doubt_is_of_one_pause() -> None:
    ear = pause()
    ear.judged(UNFINISHED)
    ear.voice(500)
    stopped_ms = ear.ms
    ear.quiet(60)
    ear.words()
    assert [ms - stopped_ms for ms, decision in ear.quiet(400) if isinstance(decision, TakeTurn)] == [260]


def test_a_late_transcript_takes_the_turn_as_it_comes() -> None:
    ear = heard()
    stopped_ms = ear.ms - 300
    ear.quiet(1000)
    assert stopped(ear.words()) == pytest.approx(stopped_ms / 1000)


def test_the_caller_who_goes_on_in_a_pause_is_one_turn() -> None:
    ear = pause()
    ear.words()
    assert ear.voice(500) == [(ear.ms - 480, Discard())]
    ear.quiet(60)
    assert [d.start for _, d in ear.taken if isinstance(d, Recognise)] == [500 * MS - LEAD_IN, 500 * MS - LEAD_IN]
    ear.words()
    ear.quiet(300)
    assert [type(d) for _, d in ear.taken].count(TakeTurn) == 1


def test_the_caller_who_goes_on_while_words_are_awaited_is_one_turn() -> None:
    ear = heard()
    assert ear.voice(20) == [(ear.ms, Discard())]
    assert ear.turns.state is State.CALLER


def test_the_caller_who_goes_on_before_the_answer_is_heard_is_owed_one() -> None:
    ear = thinking()
    assert ear.voice(200) == [(ear.ms - 180, Discard())]
    ear.quiet(300)
    assert ear.words(words=False) == [NoWords(owed=True)]


def test_a_gap_within_a_word_is_no_pause() -> None:
    ear = caller()
    assert ear.quiet(20) == []
    assert ear.voice(20) == []
    assert ear.turns.state is State.CALLER


def test_recognition_is_asked_for_at_most_once_in_400_ms() -> None:
    ear = listening()
    for _ in range(20):
        ear.voice(100)
        ear.quiet(60)
    asked = [ms for ms, decision in ear.taken if isinstance(decision, Recognise)]
    assert len(asked) >= 7
    assert min(later - earlier for earlier, later in pairwise(asked)) >= 400


def test_a_pause_within_400_ms_of_a_recognition_is_recognised_when_the_turn_ends() -> None:
    ear = pause()
    ear.voice(60)
    stopped_ms = ear.ms
    taken = ear.quiet(300)
    assert [ms - stopped_ms for ms, decision in taken if isinstance(decision, Recognise)] == [260]


def test_a_pause_in_which_nothing_was_begun_discards_nothing() -> None:
    ear = pause()
    ear.voice(60)
    assert ear.quiet(60) == []
    assert ear.turns.state is State.PAUSE
    assert ear.voice(20) == []


def test_reports_of_an_earlier_recognition_are_void() -> None:
    ear = pause()
    earlier = ear.turns.recognition
    ear.voice(500)
    ear.quiet(300)
    assert ear.turns.recognised(earlier, words=True, now=ear.now) == []
    assert ear.turns.state is State.HEARD


def test_a_second_report_of_a_recognition_is_void() -> None:
    ear = pause()
    assert ear.words() == [Prepare()]
    assert ear.words(words=False) == []
    assert TakeTurn in [type(decision) for _, decision in ear.quiet(300)]


@pytest.mark.parametrize(("speech_ms", "owed"), [(300, False), (580, False), (600, True), (1000, True)])
def test_a_cough_is_passed_over_and_long_speech_without_words_is_not(speech_ms: int, *, owed: bool) -> None:
    ear = listening()
    ear.voice(speech_ms)
    ear.quiet(300)
    assert ear.words(words=False) == [NoWords(owed)]
    assert ear.turns.state is State.LISTENING


def test_a_turn_that_our_fault_left_unheard_is_owed_an_answer() -> None:
    ear = listening()
    ear.voice(200)
    ear.quiet(300)
    ear.turns.owe()
    assert ear.words(words=False) == [NoWords(owed=True)]


def test_silence_is_counted_in_audio_however_it_arrives() -> None:
    def positions(lump_ms: int) -> list[tuple[int, Decision]]:
        ear = Ear(lump_ms=lump_ms)
        ear.quiet(500)
        ear.voice(700)
        ear.quiet(100)
        ear.voice(330)
        ear.quiet(220)
        ear.judged(UNFINISHED)
        ear.quiet(300)
        assert ear.words()
        ear.turns.agent_started()
        ear.noise(300)
        ear.quiet(300)
        ear.voice(500)
        return [(ms, TakeTurn(0) if isinstance(d, TakeTurn) else d) for ms, d in ear.taken]

    one_by_one = positions(FRAME_MS)
    assert {Recognise, Discard, Judge, TakeTurn, Duck, Swell, Interrupt} == {type(d) for _, d in one_by_one}
    assert positions(250) == one_by_one == positions(32)


# ---- typed messages


@pytest.mark.parametrize("state", State)
def test_a_typed_message_is_a_turn_in_any_state(state: State) -> None:
    ear = REACH[state]()
    speaks = state in (State.AGENT, State.OVERLAP)
    assert ear.turns.typed() == [Interrupt() if speaks else Discard()]
    assert ear.turns.state is State.THINKING
    assert ear.words() == [], "what was being recognised is void"


def test_an_open_gate_holds_the_decision_until_silero_has_spoken() -> None:
    """200 ms of pause, then a word that is confirmed 100 ms after its onset: still one turn."""
    ear = caller()
    ear.quiet(200)
    assert not [d for _, d in ear.voice(400, late=100) if isinstance(d, TakeTurn)]
    assert ear.turns.state is State.CALLER


def test_noise_holds_the_decision_only_so_long() -> None:
    ear = caller()
    began = ear.ms
    ear.quiet(60)
    ear.words()
    assert [ms - began for ms, d in ear.noise(600) if isinstance(d, TakeTurn)] == [360]


@pytest.mark.parametrize("lump_ms", [20, 100, 260])
def test_the_caller_stopped_when_it_was_said_not_when_its_lump_came(lump_ms: int) -> None:
    ear = Ear(lump_ms=lump_ms)
    ear.quiet(500)
    ear.voice(1000)
    ear.quiet(300)
    assert stopped(ear.words()) == pytest.approx(1.5)
