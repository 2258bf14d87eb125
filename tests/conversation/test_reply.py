import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.agent import Voice
from serve_app.conversation.playback import CHARS_PER_SECOND, SpeechChunk
from serve_app.conversation.reply import CLAUSES_AHEAD, Reply
from serve_app.conversation.turn_metrics import TurnMetrics

PCM = AudioFormat.parse("pcm_16000")


def new_reply() -> Reply:
    return Reply(1, "pt", Voice(agent_output_audio_format="pcm_16000"), TurnMetrics())


def sound(text: str) -> SpeechChunk:
    return SpeechChunk(PCM.silence(PCM.bytes_for(len(text) / CHARS_PER_SECOND)))


def speak(reply: Reply, now: float) -> list[str]:
    """The voice gives all that is asked for, at once."""
    asked = reply.next_clauses(now)
    for number, clause, *_ in asked:
        reply.spoken(number, sound(clause.text), now)
        reply.clause_whole(number)
    return [wanted.clause.text for wanted in asked]


def test_clauses_are_asked_for_two_at_a_time_as_they_are_spoken() -> None:
    reply = new_reply()
    reply.token("Um dois três. Quatro. Cinco. Seis.", 0)
    reply.end(0)
    asked = reply.next_clauses(0)
    assert [(wanted.number, wanted.clause.text) for wanted in asked] == [(0, "Um dois três."), (1, "Quatro.")]
    assert len(asked) == CLAUSES_AHEAD
    assert reply.next_clauses(0) == []
    reply.playback.release()
    reply.spoken(0, SpeechChunk(PCM.silence(640)), 1)
    reply.clause_whole(0)
    reply.playback.take(1)
    assert [(wanted.number, wanted.clause.text) for wanted in reply.next_clauses(1)] == [(2, "Cinco.")]


def test_the_playback_is_closed_when_the_last_clause_is_asked_for() -> None:
    reply = new_reply()
    reply.playback.release()
    reply.token("Um. Dois. ", 0)
    speak(reply, 0)
    reply.playback.take(0)
    assert not reply.playback.finished(60)
    reply.end(0)
    now = 0.0
    while not reply.playback.finished(now):
        now += 0.02
        reply.playback.take(now)
        speak(reply, now)
    assert reply.heard(now) == "Um. Dois."


def test_white_space_around_the_answer_is_not_part_of_it() -> None:
    reply = new_reply()
    for token in ("\n", " ", " Olá", ", tudo", " bem? ", "\n"):
        reply.token(token, 0)
    reply.end(0)
    assert reply.text == "Olá, tudo bem?"
    [wanted] = reply.next_clauses(0)
    assert wanted.clause.text == reply.text


@pytest.mark.parametrize(("answer", "wordless"), [(" ...\n", True), ("", True), ("Oi.", False), (" 3", False)])
def test_an_answer_without_a_word_is_known_at_its_end(answer: str, *, wordless: bool) -> None:
    reply = new_reply()
    reply.token(answer, 0)
    reply.end(0)
    reply.next_clauses(0)
    assert reply.wordless is wordless


def test_the_stages_are_stamped_once() -> None:
    reply = new_reply()
    reply.token("Um dois", 1)
    reply.token(" três. Quatro", 2)
    reply.next_clauses(2.5)
    reply.spoken(0, sound("a"), 3)
    reply.spoken(0, sound("a"), 4)
    reply.end(5)
    reply.next_clauses(6)
    stamps = reply.metrics
    assert (stamps.first_token, stamps.first_clause, stamps.voice_asked) == (1, 2, 2.5)
    assert (stamps.first_speech, stamps.answer_complete) == (3, 5)


TOKENS = st.sampled_from(["um", " dois", " três,", " quatro.", "\n", "  ", " seis!", " R$ 3,50", "—"])


@settings(max_examples=60, deadline=None)
@given(st.lists(TOKENS, max_size=20), st.floats(0, 5))
def test_what_was_heard_is_a_prefix_in_whole_words(tokens: list[str], stops: float) -> None:
    reply = new_reply()
    reply.playback.release()
    for token in tokens:
        reply.token(token, 0)
    reply.end(0)
    now, heard = 0.0, ""
    while now <= stops:
        speak(reply, now)
        reply.playback.take(now)
        earlier, heard = heard, reply.heard(now)
        assert heard.startswith(earlier)
        assert reply.text.startswith(heard)
        assert heard.split() == reply.text.split()[: len(heard.split())]
        now += 0.06


def test_an_answer_that_played_to_its_end_was_heard_whole() -> None:
    reply = new_reply()
    reply.playback.release()
    reply.token("Um dois três, quatro. Cinco seis.", 0)
    reply.end(0)
    now = 0.0
    while not reply.playback.finished(now):
        speak(reply, now)
        reply.playback.take(now)
        now += 0.02
    assert reply.heard(now) == reply.text
