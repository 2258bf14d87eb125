from dataclasses import replace

from tests.feel.outcome import Outcome
from tests.feel.rates import Share, changed, equal_timer, overlaps, pauses, percentile, timer
from tests.feel.score import Kind, Noise, Score, Speech, Voice
from tests.feel.table import line, report, wrong

SPEECH = Speech("espera", Voice("pt-br"))
PAUSE = Score("pause", Kind.PAUSE, "pt", (SPEECH, SPEECH), pause_s=0.5)
INTERRUPTION = Score("interruption", Kind.INTERRUPTION, "pt", (SPEECH,))
NOISE = Score("noise", Kind.NOISE, "en", (Noise("cough", 0.5, -20, 1),))


def paused(pause_s: float, answer: float = 0.3, *, cut_in: bool = False) -> Outcome:
    """They speak until 1.0 s, and again until 3.0 s."""
    silences = ((1.0, 1.0 + pause_s), (3.0, float("inf")))
    return Outcome(PAUSE, cut_in=cut_in, answer=answer, silences=silences, end=3.0)


def test_a_timer_cuts_into_pauses_longer_than_itself_and_is_that_much_late() -> None:
    found = timer([paused(0.3), paused(0.5), paused(0.7)], 0.45)
    assert found.cut_in == Share(2, 3)
    assert [round(answer, 6) for answer in found.answers] == [0.45] * 3


def test_a_timer_of_the_same_speed_is_the_longest_that_is_no_slower() -> None:
    length_ms, found = equal_timer([paused(0.3), paused(0.5)], 0.4)
    assert length_ms == 400
    assert found.cut_in == Share(1, 2)


def test_a_timer_is_late_after_a_speech_that_the_detector_lost_early() -> None:
    lost = replace(paused(0.3), silences=((1.0, 1.3), (2.8, float("inf"))))
    assert [round(answer, 6) for answer in timer([lost], 0.45).answers] == [0.25]
    assert timer([lost], 0.15).cut_in == Share(1, 1)


def test_overlaps_are_counted_by_whether_the_agent_stopped() -> None:
    heeded = Outcome(INTERRUPTION, ducked=0.07, stopped=0.3, answered=True)
    late = Outcome(INTERRUPTION, ducked=0.09, stopped=0.5)
    found = overlaps([heeded, late, Outcome(INTERRUPTION), Outcome(INTERRUPTION, missing=True), paused(0.3)])
    assert (found.stopped, found.late, found.unanswered) == (Share(2, 3), Share(1, 2), Share(1, 2))
    assert (found.stops, found.ducks, found.missing) == ([0.3, 0.5], [0.07, 0.09], 1)


def test_pauses_are_counted_by_whether_the_agent_cut_in() -> None:
    found = pauses([paused(0.3), paused(0.5, cut_in=True), Outcome(INTERRUPTION, stopped=0.3)])
    assert found.cut_in == Share(1, 2)
    assert found.answers == [0.3, 0.3]


def test_the_judges_part_is_counted_apart_for_pauses_and_overlaps() -> None:
    outcomes = [replace(paused(0.3), changes=(("pause", True), ("pause", False), ("overlap", True)))]
    assert (changed(outcomes, "pause"), changed(outcomes, "overlap")) == (Share(1, 2), Share(1, 1))


def test_percentiles() -> None:
    assert percentile([], 0.95) is None
    assert percentile(range(100), 0.95) == 95
    assert percentile([3.0], 1.0) == 3.0


def test_what_is_wrong_is_said() -> None:
    assert wrong(Outcome(INTERRUPTION)) == "missed"
    assert wrong(Outcome(INTERRUPTION, stopped=0.3)) == "never answered"
    assert wrong(Outcome(INTERRUPTION, stopped=0.3, answered=True)) == ""
    assert wrong(Outcome(NOISE, stopped=0.3)) == "stopped"
    assert wrong(Outcome(NOISE, began_turns=1)) == "noise began a turn"
    assert wrong(paused(0.5, cut_in=True)) == "cut in"


def test_a_report_shows_rates_by_language_line_and_voice() -> None:
    told = report([paused(0.3), paused(0.6, cut_in=True), Outcome(INTERRUPTION, stopped=0.3, answered=True)])
    assert "| turn-taking | 1/2    | 50.0 |" in told
    assert "| interruptions | 1/1 " in told
    assert "| pt-br " in told
    assert "300 ms: as quick" in told
    assert line(paused(0.5)).startswith("ok ")
