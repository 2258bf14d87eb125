"""Calls in which the agent murmurs while the caller speaks long: it is heard, and otherwise nothing has happened."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from serve_app.conversation.agent import Agent, Hello
from serve_app.conversation.backchannels import GAIN
from serve_app.conversation.decisions import Judgement
from serve_app.conversation.ignore_terms import TAKES
from serve_app.conversation.server_messages import Audio, UserTranscript
from serve_app.conversation.turn_taking import BACKCHANNEL_EVERY, BACKCHANNEL_FROM
from tests.conversation.score import LEVEL, RATE, Call, Piece, agent, conversation_of, tone

LONG_S = BACKCHANNEL_FROM / RATE + 0.5
BEGINNING, END = "eu queria contar uma coisa que aconteceu ontem e", "foi tudo muito estranho"
QUIET_AGENT = agent(hello=Hello(backchannels=False))


def speaks_long(described: Agent | None = None, pause_s: float = 0.6, **others: Any) -> Call:
    """Somebody with a pause in a long sentence."""
    call = Call(described, **others)
    call.silence(1)
    call.says(BEGINNING, seconds=LONG_S)
    call.silence(pause_s)
    return call


def goes_on(call: Call) -> Call:
    call.says(END)
    call.silence(6)
    return call


def sounds(call: Call) -> list[int]:
    """The last sample of each chunk that the agent sent."""
    return [int.from_bytes(message.audio_base_64[-2:], "little") for message in call.messages(Audio)]


def test_it_is_heard_softly_in_the_pause() -> None:
    call = speaks_long()
    assert set(sounds(call)) == {round(LEVEL * GAIN)}
    assert 0.2 <= call.times(Audio)[0] - (1 + LONG_S) <= 0.35
    length = sum(map(len, (message.audio_base_64 for message in call.messages(Audio))))
    assert length == sum(len(piece) for piece in tone(TAKES["pt"][0]) if isinstance(piece, bytes))


def test_it_is_no_turn() -> None:
    call, unmurmured = goes_on(speaks_long()), goes_on(speaks_long(QUIET_AGENT))
    assert not unmurmured.murmured
    assert len(call.murmured) == 1
    assert call.outline() == ["metadata", "audio", *unmurmured.outline()[1:]]
    assert conversation_of(call) == conversation_of(unmurmured)
    assert [entry.kind for entry in call.logged if entry.kind != "backchannel"] == [
        entry.kind for entry in unmurmured.logged
    ]


def test_the_callers_words_are_recognised_as_if_it_had_not_been() -> None:
    call, unmurmured = goes_on(speaks_long()), goes_on(speaks_long(QUIET_AGENT))
    assert call.recognised == unmurmured.recognised
    assert call.times(UserTranscript) == unmurmured.times(UserTranscript)
    [transcript] = call.messages(UserTranscript)
    assert transcript.user_transcript == f"{BEGINNING} {END}"


def test_the_answer_is_at_full_voice() -> None:
    call = goes_on(speaks_long())
    assert sounds(call)[-1] == LEVEL


def test_it_is_on_the_record() -> None:
    [logged] = speaks_long().log("backchannel")
    assert (logged["role"], logged["text"]) == ("agent", TAKES["pt"][0])


def test_who_speaks_very_long_hears_several_and_not_the_same() -> None:
    call = Call()
    call.silence(1)
    for _ in range(6):
        call.says(BEGINNING, seconds=LONG_S)
        call.silence(0.6)
    at = [float(str(entry["time_in_call_secs"])) for entry in call.log("backchannel")]
    assert len(at) == 3
    assert min(later - earlier for earlier, later in pairwise(at)) >= BACKCHANNEL_EVERY / RATE
    assert [murmur.text for murmur in call.murmured] == list(TAKES["pt"][:3])


@pytest.mark.parametrize(("turn_end", "murmurs"), [(0.1, 1), (0.9, 0)])
def test_where_the_words_are_not_there_yet_the_judge_says_whether_they_are_done(
    turn_end: float, *, murmurs: int
) -> None:
    call = Call(judge=lambda _: Judgement(turn_end, 0.0), recogniser_s=0.5)
    call.silence(1)
    call.says("eu queria contar uma coisa que aconteceu", seconds=LONG_S)
    call.silence(0.4)
    assert len(call.murmured) == murmurs


def test_there_is_none_in_a_language_that_we_have_none_in() -> None:
    french = agent()
    config = french.conversation_config
    french = replace(french, conversation_config=replace(config, agent=replace(config.agent, language="fr")))
    call = Call(french, judge=lambda _: Judgement(0.1, 0.0))
    call.language = "fr"
    call.silence(1)
    call.says("je voulais raconter une chose et", seconds=LONG_S)
    call.silence(0.6)
    assert call.judged
    assert not call.murmured


def test_a_sound_that_is_late_is_not_heard_in_the_callers_next_words() -> None:
    call = Call()
    call.silence(1)
    call.voice_s = 3.0
    call.says(BEGINNING, seconds=LONG_S)
    call.silence(0.3)
    call.voice_s = 0.1
    call.types("esquece")
    call.silence(1)
    call.says(BEGINNING, seconds=LONG_S)
    assert call.murmured
    assert not call.log("backchannel")


def test_what_is_left_of_it_gives_way_to_the_answer() -> None:
    def drawn_out(text: str) -> Sequence[Piece]:
        return tone("Uhuuuuuuuuuuuuuuuuuuuuum." if text in TAKES["pt"] else text)

    call = speaks_long(voice=drawn_out, pause_s=0.3)
    assert call.messages(Audio)
    call.voice_s = call.model_s = 0.02
    call.types("esquece")
    call.silence(5)
    levels = sounds(call)
    assert levels == sorted(levels), "one voice after the other"
    assert levels[-1] == LEVEL


def test_an_agent_that_only_writes_murmurs_nothing() -> None:
    call = Call(agent(text_only=True))
    call.types(BEGINNING)
    call.sends_nothing(5)
    assert not call.murmured
