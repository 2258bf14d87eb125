"""A fixed sample of the scores in virtual time, held to the rates of the whole with a margin: `make feel` plays all."""

from functools import cache
from statistics import median

from tests.feel import tuned
from tests.feel.clips import available
from tests.feel.outcome import Outcome
from tests.feel.rates import Overlaps, changed, equal_timer, overlaps, pauses
from tests.feel.score import Kind
from tests.feel.virtual import play

OF_EACH_KIND = {Kind.INTERRUPTION: 14, Kind.BACKCHANNEL: 12, Kind.NOISE: 12, Kind.PAUSE: 22}
ANSWER_S = 0.650
"""Median after true ends, of so few: of all of them it is 0.35 to 0.4."""


def test_interruptions_are_heeded_in_time() -> None:
    found = of(Kind.INTERRUPTION)
    assert found.stopped.of - found.stopped.count <= 1
    assert median(found.stops) <= 0.350
    assert found.unanswered.count == 0


def test_the_voice_is_lowered_at_once() -> None:
    assert median(of(Kind.INTERRUPTION).ducks) <= 0.100


def test_listening_noise_stops_nobody() -> None:
    assert of(Kind.BACKCHANNEL).stopped.count <= 1


def test_noise_neither_stops_nor_begins_a_turn() -> None:
    found = of(Kind.NOISE)
    assert found.stopped.count <= 1
    assert found.began_turns == 0


def test_pauses_are_cut_into_half_as_often_as_by_a_timer_of_the_same_speed() -> None:
    outcomes = played(Kind.PAUSE)
    found = pauses(outcomes)
    assert median(found.answers) <= ANSWER_S
    _, timer = equal_timer(outcomes, median(found.answers))
    assert found.cut_in.count <= 0.6 * timer.cut_in.count


def test_the_judge_has_a_say() -> None:
    everything = [outcome for kind in OF_EACH_KIND for outcome in played(kind)]
    assert changed(everything, "pause").count > 0


def of(kind: Kind) -> Overlaps:
    return overlaps(played(kind))


@cache
def played(kind: Kind) -> list[Outcome]:
    """So many of the kind, from all over the set."""
    scores = [score for score in tuned.MATERIAL.scores() if score.kind is kind and all(map(available, score.sounds))]
    count = OF_EACH_KIND[kind]
    return [play(scores[i * len(scores) // count]) for i in range(count)]
