import pytest

from serve_app.audio.detector import Frame
from serve_app.audio.framing import FRAME_SAMPLES
from serve_app.conversation.manners import Strategy
from serve_app.conversation.overlap import (
    AUDIBLE_DB,
    FAINT_DB,
    INTERRUPTS,
    JUDGE_EVERY,
    JUDGE_FROM,
    JUDGE_UNTIL,
    JUDGE_WITHIN,
    QUIET_AGAIN,
    SURELY_FROM,
    UNJUDGED_FROM,
    VOICED_FROM,
    Overlap,
    Verdict,
)

BEGAN = 160_000
VOICE_DB, FLOOR_DB = -25.0, -60.0
AWARE: Strategy = "overlap_aware"
YES, NO = Verdict.INTERRUPTION, Verdict.FALSE_ALARM


class Sound:
    """An overlap, frame by frame."""

    def __init__(self, usual_db: float | None = VOICE_DB, *, level: float = VOICE_DB, floor: float = FLOOR_DB) -> None:
        self.overlap = Overlap(BEGAN, usual_db)
        self.end = BEGAN
        self.level, self.floor = level, floor

    def voice(self, samples: int) -> "Sound":
        return self._frames(samples, gate=True, voiced=True)

    def noise(self, samples: int) -> "Sound":
        return self._frames(samples, gate=True, voiced=False)

    def quiet(self, samples: int) -> "Sound":
        return self._frames(samples, gate=False, voiced=False)

    def _frames(self, samples: int, *, gate: bool, voiced: bool) -> "Sound":
        for _ in range(samples // FRAME_SAMPLES):
            begins, self.end = self.end, self.end + FRAME_SAMPLES
            onset = begins if voiced and not self.overlap.speech else None
            self.overlap.note(Frame(self.end, gate, gate, voiced, onset, level=self.level, floor=self.floor))
        return self

    def verdict(self, strategy: Strategy = AWARE, score: float | None = None) -> Verdict | None:
        return self.overlap.verdict(self.end, strategy, score)


def test_it_is_undecided_for_350_ms_and_a_false_alarm_then() -> None:
    assert Sound().voice(JUDGE_WITHIN - FRAME_SAMPLES).verdict() is None
    assert Sound().voice(JUDGE_WITHIN + FRAME_SAMPLES).verdict() is NO


def test_it_is_over_after_200_ms_of_quiet() -> None:
    assert Sound().voice(VOICED_FROM).quiet(QUIET_AGAIN - FRAME_SAMPLES).verdict() is None
    assert Sound().voice(FRAME_SAMPLES).quiet(QUIET_AGAIN).verdict() is NO


def test_noise_is_sound_that_goes_on() -> None:
    sound = Sound().voice(VOICED_FROM).noise(FRAME_SAMPLES)
    assert sound.overlap.quiet(sound.end) == 0


def test_speech_that_goes_on_is_an_interruption_and_for_longer_against_the_judge() -> None:
    assert Sound().voice(UNJUDGED_FROM).verdict() is YES
    assert Sound().voice(UNJUDGED_FROM - FRAME_SAMPLES).verdict() is NO
    assert Sound().voice(SURELY_FROM).verdict(score=0.0) is YES
    assert Sound().voice(SURELY_FROM - FRAME_SAMPLES).verdict(score=0.0) is NO


def test_noise_that_goes_on_is_none() -> None:
    assert Sound().noise(4 * SURELY_FROM).verdict(score=1.0) is NO


def test_speech_counts_from_where_the_detector_says_it_began() -> None:
    sound = Sound()
    sound.end = BEGAN + SURELY_FROM
    sound.overlap.note(Frame(sound.end, True, True, True, BEGAN, level=VOICE_DB, floor=FLOOR_DB))
    assert sound.overlap.speech == SURELY_FROM
    assert sound.verdict() is YES


def test_it_is_one_sound_though_the_detector_lost_it_for_a_moment() -> None:
    sound = Sound().voice(VOICED_FROM).quiet(3 * FRAME_SAMPLES)
    sound.end += FRAME_SAMPLES
    sound.overlap.note(Frame(sound.end, True, True, True, sound.end - FRAME_SAMPLES, level=VOICE_DB, floor=FLOOR_DB))
    assert sound.overlap.speech == VOICED_FROM + 4 * FRAME_SAMPLES


@pytest.mark.parametrize(
    ("speech", "score", "verdict"),
    [
        (VOICED_FROM, INTERRUPTS, YES),
        (VOICED_FROM, INTERRUPTS - 0.01, None),
        (VOICED_FROM - FRAME_SAMPLES, 1.0, None),
    ],
)
def test_the_judges_score_interrupts_from_120_ms_of_speech(speech: int, score: float, verdict: Verdict | None) -> None:
    assert Sound().voice(speech).verdict(score=score) is verdict


def test_who_yields_immediately_needs_no_judge() -> None:
    assert Sound().voice(VOICED_FROM).verdict("yield_immediately") is YES
    assert Sound().voice(VOICED_FROM - FRAME_SAMPLES).verdict("yield_immediately") is None


@pytest.mark.parametrize("score", [None, 0.0, 1.0])
@pytest.mark.parametrize("strategy", ["overlap_aware", "yield_immediately", "hold_floor"])
def test_a_voice_much_weaker_than_the_callers_is_a_false_alarm(strategy: Strategy, score: float | None) -> None:
    assert Sound(level=VOICE_DB - FAINT_DB - 1).voice(4 * SURELY_FROM).verdict(strategy, score) is NO
    assert Sound(level=VOICE_DB - FAINT_DB + 1).voice(4 * SURELY_FROM).verdict(strategy, score) is YES


def test_where_the_callers_level_is_not_known_the_noise_is_the_measure() -> None:
    assert Sound(None, level=FLOOR_DB + AUDIBLE_DB - 1).voice(SURELY_FROM).overlap.faint
    assert not Sound(None, level=FLOOR_DB + AUDIBLE_DB + 1).voice(SURELY_FROM).overlap.faint


def test_one_loud_frame_makes_no_loud_voice() -> None:
    sound = Sound(level=VOICE_DB).voice(FRAME_SAMPLES)
    sound.level = VOICE_DB - 2 * FAINT_DB
    assert sound.voice(SURELY_FROM).overlap.faint


def test_how_loud_noise_is_says_nothing_of_the_voice() -> None:
    sound = Sound(level=0.0).noise(SURELY_FROM)
    sound.level = VOICE_DB - FAINT_DB - 1
    assert sound.voice(SURELY_FROM).overlap.faint


def test_noise_alone_is_no_voice() -> None:
    assert Sound(level=0.0).noise(SURELY_FROM).overlap.faint


def test_its_words_are_asked_for_until_all_of_them_are() -> None:
    sound = Sound().voice(VOICED_FROM)
    assert not sound.overlap.asked
    sound.overlap.recognised_until = sound.end
    assert sound.overlap.asked
    assert sound.noise(SURELY_FROM).overlap.asked
    assert not sound.voice(FRAME_SAMPLES).overlap.asked


def test_the_judge_is_asked_again_and_again_for_half_a_second() -> None:
    sound, asked = Sound(), []
    while sound.end - BEGAN < 3 * JUDGE_UNTIL:
        sound.voice(FRAME_SAMPLES)
        if sound.overlap.to_be_judged(sound.end):
            sound.overlap.judged_at = sound.end
            asked.append(sound.end - BEGAN)
    assert asked == list(range(JUDGE_FROM, JUDGE_UNTIL, JUDGE_EVERY))
