from collections import Counter
from itertools import pairwise

import pytest

from tests.feel import held_out, tuned
from tests.feel.score import Cut, Echo, Kind, Noise, Score, Sound, Speech

TUNED, HELD_OUT = tuned.MATERIAL.scores(), held_out.MATERIAL.scores()
EVERYTHING = TUNED + HELD_OUT


def counted(scores: tuple[Score, ...]) -> Counter[Kind]:
    return Counter(score.kind for score in scores)


def test_there_are_enough_of_each_kind() -> None:
    kinds = counted(EVERYTHING)
    assert kinds[Kind.PAUSE] >= 200
    assert kinds[Kind.INTERRUPTION] >= 80
    assert kinds[Kind.BACKCHANNEL] >= 80
    assert kinds[Kind.NOISE] >= 60


def test_a_quarter_of_each_kind_is_held_out() -> None:
    everything, held = counted(EVERYTHING), counted(HELD_OUT)
    assert all(held[kind] >= everything[kind] / 4 for kind in Kind)


def test_every_score_has_a_name_of_its_own() -> None:
    assert len({score.name for score in EVERYTHING}) == len(EVERYTHING)


def test_a_score_is_the_same_each_time() -> None:
    assert tuned.MATERIAL.scores() == TUNED


def test_what_is_held_out_shares_no_sound_with_what_is_tuned() -> None:
    assert not sounds(TUNED) & sounds(HELD_OUT)
    assert not voices(TUNED) & voices(HELD_OUT)
    assert not recordings(TUNED) & recordings(HELD_OUT)
    assert not seeds(TUNED) & seeds(HELD_OUT)


@pytest.mark.parametrize("kind", [Kind.INTERRUPTION, Kind.PAUSE])
def test_what_is_held_out_is_said_in_other_words(kind: Kind) -> None:
    assert not texts(TUNED, kind) & texts(HELD_OUT, kind)


def test_pauses_are_of_every_length() -> None:
    for scores in (TUNED, HELD_OUT):
        lengths = sorted(score.pause_s for score in scores if score.kind is Kind.PAUSE)
        assert (lengths[0], lengths[-1]) == (0.2, 1.0)
        assert max(b - a for a, b in pairwise(lengths)) < 0.05


def test_each_kind_is_heard_over_every_line_and_in_both_languages() -> None:
    lines = {score.line.name for score in TUNED} - {"echo"}
    for kind in Kind:
        assert {score.line.name for score in TUNED if score.kind is kind} - {"echo"} == lines
        assert {score.language for score in TUNED if score.kind is kind} == {"pt", "en"}


def test_interruptions_are_of_every_length() -> None:
    cuts = [s for score in EVERYTHING for s in score.sounds if isinstance(s, Cut) and score.kind is Kind.INTERRUPTION]
    lengths = [cut.end - cut.start for cut in cuts]
    assert min(lengths) < 0.3
    assert 2.0 < max(lengths) <= 3.0


def everything_heard(scores: tuple[Score, ...]) -> list[Sound]:
    backgrounds = [score.line.background for score in scores if score.line.background]
    questions = [score.first for score in scores if score.first]
    return [*backgrounds, *questions, *(sound for score in scores for sound in score.sounds)]


def sounds(scores: tuple[Score, ...]) -> set[Sound]:
    return set(everything_heard(scores))


def voices(scores: tuple[Score, ...]) -> set[str]:
    return {each.voice.name for each in everything_heard(scores) if isinstance(each, Speech)} - {"hummed"}


def recordings(scores: tuple[Score, ...]) -> set[str]:
    return {each.file for each in everything_heard(scores) if isinstance(each, Cut)}


def seeds(scores: tuple[Score, ...]) -> set[int]:
    echoes: list[Echo] = [score.line.echo for score in scores if score.line.echo]
    noises = [each for each in everything_heard(scores) if isinstance(each, Noise)]
    hums = [each for each in everything_heard(scores) if isinstance(each, Speech) and each.voice.name == "hummed"]
    return {each.seed for each in echoes} | {each.seed for each in noises} | {each.take for each in hums}


def texts(scores: tuple[Score, ...], kind: Kind) -> set[str]:
    return {score.text.lower() for score in scores if score.kind is kind}
