import pytest

from tests.feel.caller import AFTER_S, BEGINS_S, STOP_WITHIN_S, Caller, Event
from tests.feel.clips import clip
from tests.feel.outcome import outcome
from tests.feel.score import Echo, Kind, Line, Noise, Score, Speech, Voice

SPEECH = Speech("espera", Voice("pt-br"))
QUESTION = Speech("quanto custa?", Voice("pt-br"))
COUGH = Noise("cough", 0.4, -20, 7)
PAUSE = Score("pause", Kind.PAUSE, "pt", (SPEECH, SPEECH), pause_s=0.5)
OVERLAP = Score("overlap", Kind.INTERRUPTION, "pt", (SPEECH,), first=QUESTION, at_s=1.0)
TRUE_END = BEGINS_S + 2 * clip(SPEECH).seconds + 0.5
FRAME_S = 0.020


def play(score: Score, *events: tuple[float, str, float]) -> Caller:
    """What comes from the server at those seconds: (when, what, how loud)."""
    caller, coming = Caller(score), sorted(events)
    while not caller.done:
        caller.frame()
        while coming and coming[0][0] <= caller.now:
            caller.hear(Event(*coming.pop(0)))
    return caller


def voice(since: float, until: float, level: float) -> list[tuple[float, str, float]]:
    return [(since + 0.04 * i, "audio", level) for i in range(round((until - since) / 0.04))]


def test_a_pause_lies_between_two_parts() -> None:
    caller = play(PAUSE)
    assert caller.onset == BEGINS_S
    assert caller.end == pytest.approx(TRUE_END, abs=0.001)
    assert caller.now == pytest.approx(caller.end + AFTER_S, abs=2 * FRAME_S)


def test_an_answer_ends_the_wait() -> None:
    caller = play(PAUSE, (TRUE_END + 0.3, "user_transcript", 0), (TRUE_END + 0.4, "agent_response", 0))
    found = outcome(caller)
    assert caller.now < TRUE_END + 0.5
    assert found.answer == pytest.approx(0.3, abs=0.001)
    assert (found.cut_in, found.missing) == (False, False)


def test_a_turn_before_the_true_end_cuts_in() -> None:
    found = outcome(play(PAUSE, (1.5, "user_transcript", 0), (1.7, "audio", 0.2)))
    assert (found.cut_in, found.spoke_over, found.murmured, found.missing) == (True, True, False, True)


def test_a_murmur_takes_no_turn() -> None:
    found = outcome(play(PAUSE, (1.5, "audio", 0.1), (TRUE_END + 0.3, "user_transcript", 0)))
    assert (found.cut_in, found.spoke_over, found.murmured) == (False, False, True)


def test_an_overlap_begins_so_long_into_the_answer() -> None:
    caller = play(OVERLAP, *voice(4.0, 8.0, 0.2))
    assert caller.asked == pytest.approx(BEGINS_S + clip(QUESTION).seconds, abs=0.001)
    assert caller.onset == pytest.approx(5.0, abs=0.001)
    assert caller.end == pytest.approx(5.0 + clip(SPEECH).seconds, abs=0.001)


def test_the_duck_and_the_stop_count_from_the_onset() -> None:
    events = [*voice(4.0, 5.06, 0.2), *voice(5.08, 5.3, 0.05), (5.3, "interruption", 0), (6.0, "agent_response", 0)]
    found = outcome(play(OVERLAP, *events))
    assert found.ducked == pytest.approx(0.08, abs=0.001)
    assert found.stopped == pytest.approx(0.3, abs=0.001)
    assert found.answered


def test_an_interruption_that_comes_too_late_is_missed() -> None:
    end = 5.0 + clip(SPEECH).seconds
    found = outcome(play(OVERLAP, *voice(4.0, 8.0, 0.2), (end + STOP_WITHIN_S + 0.01, "interruption", 0)))
    assert found.stopped is None


def test_an_agent_that_never_speaks_is_not_spoken_over() -> None:
    found = outcome(play(OVERLAP))
    assert found.missing
    assert found.stopped is None


def test_a_noise_is_heard_alone_first() -> None:
    score = Score("noise", Kind.NOISE, "pt", (COUGH,), first=QUESTION, at_s=1.0)
    caller = play(score, (1.9, "agent_response", 0), *voice(6.0, 9.0, 0.2))
    assert caller.asks == pytest.approx(BEGINS_S + 0.4 + 1.2, abs=0.001)
    assert outcome(caller).began_turns == 1


def test_an_echo_needs_no_other_sound() -> None:
    score = Score("echo", Kind.NOISE, "pt", (), Line(echo=Echo(-20, 0.1, 1)), first=QUESTION)
    found = outcome(play(score, *voice(4.0, 8.0, 0.2), (6.0, "interruption", 0)))
    assert found.stopped == pytest.approx(2.0, abs=0.001)
    assert found.ducked is None
