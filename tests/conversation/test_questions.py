from serve_app.conversation.decisions import Judge
from serve_app.conversation.questions import JUDGE_PAUSES_AT, Questions

FIRST, SECOND = JUDGE_PAUSES_AT


def test_a_pause_is_asked_about_at_its_times_and_no_more() -> None:
    questions = Questions()
    asked = [questions.ask_of_pause(quiet, 0, quiet) for quiet in (FIRST - 1, FIRST, SECOND - 1, SECOND, 2 * SECOND)]
    assert asked == [[], [Judge(1, 0, FIRST, overlap=False)], [], [Judge(2, 0, SECOND, overlap=False)], []]


def test_the_next_pause_is_asked_about_anew() -> None:
    questions = Questions()
    questions.ask_of_pause(FIRST, 0, FIRST)
    questions.forget()
    assert questions.ask_of_pause(FIRST, 0, 9 * FIRST) == [Judge(2, 0, 9 * FIRST, overlap=False)]


def test_answers_count_while_they_are_about_the_same_sound() -> None:
    questions = Questions()
    questions.ask(0, 1, overlap=True)
    questions.ask(0, 2, overlap=True)
    assert [questions.counts(id) for id in (0, 1, 2)] == [False, True, True]
    questions.turn_end = 0.9
    questions.forget()
    assert [questions.counts(id) for id in (1, 2, questions.ask(3, 4, overlap=False).id)] == [False, False, True]
    assert questions.turn_end is None
