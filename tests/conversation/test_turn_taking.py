from itertools import pairwise

import pytest

from serve_app.conversation.decisions import (
    Decision,
    Discard,
    Duck,
    Interrupt,
    Judge,
    Judged,
    NoWords,
    Prepare,
    Recognise,
    Swell,
    TakeTurn,
    Words,
)
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import PATIENCE_S, SILENCE_S, UNSURE_S
from serve_app.conversation.manners import Manners
from serve_app.conversation.overlap import UNJUDGED_FROM
from serve_app.conversation.questions import JUDGE_PAUSES_AT
from serve_app.conversation.recognition import LEAD_IN, OVERHEAR_EVERY, RECOGNISE_EVERY
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import MAY_BE_A_WORD, RECOGNISE_AFTER
from tests.conversation.ear import (
    FRAME_MS,
    MS,
    REACH,
    UNFINISHED,
    Ear,
    caller,
    frames_ms,
    heard,
    listening,
    pause,
    samples_ms,
    stopped,
    thinking,
    told,
)

SILENCE, UNSURE = frames_ms(SILENCE_S), frames_ms(UNSURE_S)
EAGER = Manners("eager", backchannels=False)


def test_a_turn_is_recognised_at_40_ms_of_quiet_judged_at_140_and_taken_after_250() -> None:
    ear = caller()
    stopped_ms = ear.ms
    ear.quiet(60)
    assert ear.words() == [Prepare()]
    ear.quiet(300)
    onset, end = 500 * MS, stopped_ms * MS
    *before, (taken, decision) = [(ms - stopped_ms, decision) for ms, decision in ear.taken]
    assert before == [
        (40, Recognise(ear.turns.recognition, onset - LEAD_IN, end + RECOGNISE_AFTER)),
        (60, Prepare()),
        (140, Judge(ear.turns.judge, onset, end + JUDGE_PAUSES_AT[0], overlap=False)),
    ]
    assert taken == SILENCE
    assert stopped([decision]) == pytest.approx(stopped_ms / 1000)


def test_the_onset_is_the_detectors_not_the_frames() -> None:
    ear = listening()
    ear.voice(600, late=160)
    [(_, recognise)] = ear.quiet(40)
    assert recognise == Recognise(ear.turns.recognition, 500 * MS - LEAD_IN, 1140 * MS)


def test_the_recogniser_is_given_nothing_from_before_the_call() -> None:
    ear = Ear()
    ear.voice(300)
    [(_, recognise)] = ear.quiet(40)
    assert recognise == Recognise(ear.turns.recognition, 0, 340 * MS)


def test_a_late_transcript_takes_the_turn_as_it_comes() -> None:
    ear = heard()
    stopped_ms = ear.ms - UNSURE
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
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed=True)]


def test_the_caller_may_not_go_on_where_the_agent_may_not_be_interrupted() -> None:
    ear = thinking()
    ear.turns.interruptible = False
    assert ear.voice(500) == []
    assert ear.turns.state is State.THINKING


def test_a_gap_within_a_word_is_no_pause() -> None:
    ear = caller()
    assert ear.quiet(20) == []
    assert ear.voice(20) == []
    assert ear.turns.state is State.CALLER


# ---- recognition


def test_recognition_is_asked_for_at_most_once_in_400_ms() -> None:
    ear = listening()
    for _ in range(20):
        ear.voice(100)
        ear.quiet(60)
    asked = [ms for ms, decision in ear.taken if isinstance(decision, Recognise)]
    assert len(asked) >= 7
    assert min(later - earlier for earlier, later in pairwise(asked)) >= samples_ms(RECOGNISE_EVERY)


@pytest.mark.parametrize(("manners", "asked_at"), [(EAGER, SILENCE), (Manners(), 320)])
def test_a_pause_within_400_ms_of_a_recognition_is_recognised_after_them_or_when_the_turn_ends(
    manners: Manners, asked_at: int
) -> None:
    ear = pause(manners)
    ear.voice(60)
    stopped_ms = ear.ms
    taken = ear.quiet(UNSURE)
    assert [ms - stopped_ms for ms, decision in taken if isinstance(decision, Recognise)] == [asked_at]
    assert ear.turns.state is State.HEARD


def test_without_a_ration_nothing_is_recognised_before_the_turn_ends() -> None:
    ear = Ear(early=False)
    ear.voice(1000)
    taken = ear.quiet(UNSURE)
    assert told(taken, since_ms=1000) == [(UNSURE, Recognise)]
    assert stopped(ear.words()) == pytest.approx(1.0)


def test_a_pause_in_which_nothing_was_begun_discards_nothing() -> None:
    ear = pause()
    ear.voice(60)
    assert ear.quiet(60) == []
    assert ear.turns.state is State.PAUSE
    assert ear.voice(20) == []


def test_reports_of_an_earlier_recognition_are_void() -> None:
    ear = pause()
    earlier = ear.asked(Recognise)
    ear.voice(500)
    ear.quiet(UNSURE)
    assert ear.turns.recognised(earlier, Words.SPEECH, ear.now) == []
    assert ear.turns.state is State.HEARD


def test_a_second_report_of_a_recognition_is_void() -> None:
    ear = pause()
    assert ear.words() == [Prepare()]
    assert ear.words(Words.NONE) == []
    assert TakeTurn in [type(decision) for _, decision in ear.quiet(300)]


def test_who_speaks_long_is_overheard_every_second_if_somebody_looks() -> None:
    ear = listening()
    ear.turns.overhears = True
    taken = told(ear.voice(3500), since_ms=500)
    every = samples_ms(OVERHEAR_EVERY)
    assert [ms for ms, _ in taken] == [every, 2 * every, 3 * every]
    newest = ear.turns.overheard
    assert newest == 3
    ear.quiet(UNSURE)
    ear.words()
    assert ear.turns.overheard == 0, "the turn is over: what was overheard is void"


# ---- audio in lumps


def test_silence_is_counted_in_audio_however_it_arrives() -> None:
    def positions(lump_ms: int) -> list[tuple[int, Decision]]:
        ear = Ear(lump_ms=lump_ms)
        ear.quiet(500)
        ear.voice(700)
        ear.quiet(100)
        ear.voice(340)
        ear.quiet(220)
        ear.judged(UNFINISHED)
        ear.quiet(frames_ms(PATIENCE_S["normal"]))
        assert ear.words()
        ear.turns.agent_started()
        ear.noise(300)
        ear.quiet(300)
        ear.voice(samples_ms(UNJUDGED_FROM))
        # An overlap leaves the judge its time on the loop clock too: the agent may swell back a lump later.
        taken = [(0 if isinstance(d, Swell) else ms, d) for ms, d in ear.taken]
        return [(ms, TakeTurn(0) if isinstance(d, TakeTurn) else d) for ms, d in taken]

    one_by_one = positions(FRAME_MS)
    assert {Recognise, Discard, Judge, Judged, TakeTurn, Duck, Swell, Interrupt} == {type(d) for _, d in one_by_one}
    assert positions(250) == one_by_one == positions(32)


@pytest.mark.parametrize("lump_ms", [20, 100, 260])
def test_the_caller_stopped_when_it_was_said_not_when_its_lump_came(lump_ms: int) -> None:
    ear = Ear(lump_ms=lump_ms)
    ear.quiet(500)
    ear.voice(1000)
    ear.quiet(UNSURE)
    assert stopped(ear.words()) == pytest.approx(1.5)


# ---- noise in a pause


def test_an_open_gate_holds_the_decision_until_silero_has_spoken() -> None:
    """200 ms of pause, then a word that is confirmed 100 ms after its onset: still one turn."""
    ear = pause()
    ear.words()
    ear.quiet(140)
    assert told(ear.voice(400, late=100), since_ms=1700) == [(120, Discard)]
    assert ear.turns.state is State.CALLER


def test_noise_holds_the_decision_only_so_long() -> None:
    ear = pause()
    began = ear.ms - 60
    ear.words()
    assert told(ear.noise(600), began) == [(60 + samples_ms(MAY_BE_A_WORD) + FRAME_MS, TakeTurn)]


def test_noise_that_began_long_before_holds_nothing() -> None:
    ear = Ear()
    ear.noise(1000)
    ear.voice(1000)
    began = ear.ms
    ear.noise(60)
    ear.words()
    assert told(ear.noise(600), began) == [(SILENCE, TakeTurn)]


def test_a_word_after_all_of_the_patience_is_still_the_same_turn() -> None:
    ear = pause()
    ear.words(ending=Ending.UNFINISHED)
    ear.quiet(frames_ms(PATIENCE_S["normal"]) - 60 - FRAME_MS)
    began = ear.ms
    assert told(ear.voice(500, late=280), began) == [(300, Discard)]


# ---- typed messages


@pytest.mark.parametrize("state", State)
def test_a_typed_message_is_a_turn_in_any_state(state: State) -> None:
    ear = REACH[state]()
    speaks = state in (State.AGENT, State.OVERLAP)
    assert ear.turns.typed() == [Interrupt() if speaks else Discard()]
    assert ear.turns.state is State.THINKING
    assert ear.words() == [], "what was being recognised is void"
