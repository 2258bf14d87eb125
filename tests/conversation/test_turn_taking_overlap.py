from serve_app.audio.framing import FRAME_SAMPLES
from serve_app.conversation.decisions import Duck, Interrupt, Judge, NoWords, Recognise, Swell, TakeTurn
from serve_app.conversation.turn_taking import JUDGE_WITHIN, LEAD_IN, State
from tests.conversation.ear import BACKCHANNEL, INTERRUPTION, MS, speaking


def test_noise_ducks_after_60_ms_and_swells_back_when_it_is_over() -> None:
    ear = speaking()
    began = ear.ms
    ear.noise(80)
    ear.quiet(400)
    assert [(ms - began, d) for ms, d in ear.taken if ms > began] == [(60, Duck()), (280, Swell())]


def test_two_frames_of_noise_do_nothing() -> None:
    ear = speaking()
    for _ in range(10):
        assert ear.noise(40) == []
        assert ear.quiet(20) == []


def test_constant_noise_ducks_once() -> None:
    ear = speaking()
    taken = ear.noise(10_000)
    assert [decision for _, decision in taken] == [Duck(), Swell()]
    ear.quiet(240)
    assert [decision for _, decision in ear.noise(100)] == [Duck()], "after quiet, new noise is a new matter"


def test_constant_noise_with_short_gaps_ducks_once() -> None:
    ear = speaking()
    for _ in range(50):
        ear.noise(300)
        ear.quiet(60)
    assert [type(d) for _, d in ear.taken].count(Duck) == 1


def test_speech_over_the_agent_ducks_at_once_and_interrupts_at_240_ms() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(240)
    over = [(ms - began, d) for ms, d in ear.taken if ms > began]
    assert [(ms, type(d)) for ms, d in over] == [(20, Duck), (100, Judge), (200, Judge), (240, Interrupt)]
    assert ear.turns.state is State.CALLER


def test_speech_counts_from_its_onset_even_if_it_is_confirmed_late() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(400, late=280)
    over = [(ms - began, type(d)) for ms, d in ear.taken if ms > began]
    assert over == [(60, Duck), (300, Interrupt)]


def test_speech_through_constant_noise_interrupts() -> None:
    ear = speaking()
    ear.noise(2000)
    assert [type(d) for _, d in ear.voice(300) if not isinstance(d, Judge)] == [Duck, Interrupt]


def test_a_short_sound_swells_back_and_nothing_is_lost() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(200)
    ear.quiet(400)
    over = [(ms - began, type(d)) for ms, d in ear.taken if ms > began and not isinstance(d, Judge)]
    assert over == [(20, Duck), (360, Swell)]
    assert ear.turns.state is State.AGENT


def test_the_judge_interrupts_from_120_ms_of_speech() -> None:
    ear = speaking()
    ear.voice(100)
    assert ear.judged(INTERRUPTION) == []
    ear.voice(20)
    assert ear.judged(BACKCHANNEL) == []
    assert ear.judged(INTERRUPTION) == [Interrupt()]
    assert ear.turns.state is State.CALLER


def test_an_overlap_is_decided_within_350_ms() -> None:
    ear = speaking()
    began = ear.ms
    ear.frames(600, lambda i: (True, i % 80 < 40 and 100 <= i < 200, None))
    ends = [ms - began for ms, d in ear.taken if ms > began and isinstance(d, Swell | Interrupt)]
    assert ends[0] * MS <= JUDGE_WITHIN + FRAME_SAMPLES


def test_what_interrupts_is_part_of_the_next_turn() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(800)
    ear.quiet(60)
    assert [d.start for _, d in ear.taken if isinstance(d, Recognise)][-1] == began * MS - LEAD_IN


def test_an_interruption_without_words_is_owed_an_answer() -> None:
    ear = speaking()
    ear.voice(260)
    ear.quiet(300)
    assert ear.words(words=False) == [NoWords(owed=True)]


def test_an_answer_that_ends_while_the_caller_speaks_leaves_the_floor_to_the_caller() -> None:
    ear = speaking()
    ear.voice(100)
    ear.turns.agent_finished()
    assert ear.turns.state is State.CALLER
    ear.voice(300)
    ear.quiet(300)
    assert [type(d) for d in ear.words()] == [TakeTurn]


def test_what_was_recognised_before_an_answer_does_not_count_after_it() -> None:
    ear = speaking()
    ear.voice(100)
    ear.turns.agent_finished()
    decisions = ear.turns.tick(ear.now + 10)
    assert [type(d) for d in decisions] == [Recognise]
    assert ear.turns.state is State.HEARD


def test_an_agent_that_may_not_be_interrupted_is_not() -> None:
    ear = speaking(interruptible=False)
    assert ear.voice(2000) == []
    assert ear.turns.state is State.AGENT
    ear.turns.agent_finished()
    ear.voice(1000)
    ear.quiet(300)
    assert [type(d) for d in ear.words()] == [TakeTurn]


def test_speech_that_goes_on_when_the_overlap_must_be_decided_interrupts() -> None:
    """Noise opened the gate long before: of the 350 ms only the last 140 are speech."""
    ear = speaking()
    began = ear.ms
    ear.noise(200)
    ear.voice(160)
    assert [(ms - began, type(d)) for ms, d in ear.taken if ms > began][-1] == (360, Interrupt)
