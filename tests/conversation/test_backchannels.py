"""When the agent murmurs that it listens, and what is made of it."""

import numpy as np
import pytest

from serve_app.conversation.actions import Actions, Log, Murmur, Send
from serve_app.conversation.agent import Agent, ConversationConfig, Persona
from serve_app.conversation.backchannels import GAIN, Backchannels
from serve_app.conversation.client_messages import ConversationInitiation
from serve_app.conversation.decisions import Backchannel, Judgement, Recognise, TakeTurn
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import PATIENCE_S, SPELLING_S
from serve_app.conversation.identity import Identity
from serve_app.conversation.ignore_terms import TAKES
from serve_app.conversation.manners import Manners
from serve_app.conversation.opening import begin
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.playback import CHUNK_S
from serve_app.conversation.server_messages import Audio
from serve_app.conversation.turn_taking import (
    BACKCHANNEL_AT,
    BACKCHANNEL_EVERY,
    BACKCHANNEL_FROM,
    RECOGNISE_AFTER,
)
from tests.conversation.ear import FINISHED, QUIET, UNFINISHED, Ear, frames_ms, samples_ms
from tests.conversation.sounds import LEVEL, sound

LONG, AT, EVERY = samples_ms(BACKCHANNEL_FROM), samples_ms(BACKCHANNEL_AT), samples_ms(BACKCHANNEL_EVERY)
SPEECH = 16_000


# ---- when


def pauses(ear: Ear, speech_ms: int = LONG, *, ending: Ending = Ending.UNFINISHED) -> list[int]:
    """Long speech, and a pause in it: when in the pause the agent murmurs, ms."""
    ear.voice(speech_ms)
    began = ear.ms
    ear.quiet(samples_ms(RECOGNISE_AFTER))
    ear.words(ending=ending)
    taken = ear.quiet(500)
    return [ms - began for ms, decision in taken if isinstance(decision, Backchannel)]


def test_where_the_caller_pauses_in_long_speech_and_is_plainly_not_done() -> None:
    assert pauses(Ear(manners=Manners())) == [AT]


@pytest.mark.parametrize("ending", [Ending.COMPLETE, Ending.UNCLEAR])
def test_not_where_they_may_be_done(ending: Ending) -> None:
    assert pauses(Ear(manners=Manners()), ending=ending) == []


def test_not_in_short_speech() -> None:
    assert pauses(Ear(manners=Manners()), LONG - 20) == []


def test_not_by_an_agent_that_does_not() -> None:
    assert pauses(Ear(manners=QUIET)) == []


def test_not_twice_within_6_s() -> None:
    ear = Ear(manners=Manners())
    assert pauses(ear) == [AT]
    at = ear.ms - 540 + AT
    assert pauses(ear) == []
    ear.voice(at + EVERY - ear.ms - 60)
    assert pauses(ear, 20) == [AT]


@pytest.mark.parametrize(("judgement", "murmurs"), [(UNFINISHED, 1), (FINISHED, 0)])
def test_where_the_words_say_nothing_the_judge_does(judgement: Judgement, *, murmurs: int) -> None:
    ear = Ear(manners=Manners())
    ear.voice(LONG)
    ear.quiet(140)
    ear.judged(judgement)
    ear.quiet(100)
    assert [type(decision) for _, decision in ear.taken].count(Backchannel) == murmurs


def test_the_turn_is_taken_as_if_nothing_had_been_murmured() -> None:
    def heard(manners: Manners) -> list[tuple[int, object]]:
        ear = Ear(manners=manners)
        pauses(ear)
        ear.voice(1000)
        pauses(ear, 1000, ending=Ending.COMPLETE)
        return [(ms, decision) for ms, decision in ear.taken if not isinstance(decision, Backchannel)]

    assert heard(Manners()) == heard(QUIET)
    assert {Recognise, TakeTurn} <= {type(decision) for _, decision in heard(QUIET)}


def test_the_pause_is_good_for_the_murmur_even_for_the_eager() -> None:
    assert min(*PATIENCE_S.values(), SPELLING_S) * 1000 > AT + frames_ms(0.3)


# ---- what


def backchannels(language: str = "pt") -> tuple[Backchannels, Outgoing]:
    described = Agent("Bia", ConversationConfig(Persona(language)))
    out = Outgoing()
    out.events = frozenset({"audio"})
    return Backchannels(out, Identity(begin(described, ConversationInitiation(), {}), {})), out


def wanted(backchannels: Backchannels, out: Outgoing) -> list[str]:
    backchannels.want(SPEECH)
    return [action.text for action in out.take() if isinstance(action, Murmur)]


def audio(actions: Actions) -> list[bytes]:
    return [a.message.audio_base_64 for a in actions if isinstance(a, Send) and isinstance(a.message, Audio)]


@pytest.mark.parametrize("language", TAKES)
def test_each_take_comes_in_turn(language: str) -> None:
    murmurs, out = backchannels(language)
    said = [text for _ in range(2 * len(TAKES[language])) for text in wanted(murmurs, out)]
    assert said == [*TAKES[language], *TAKES[language]]
    assert len(TAKES[language]) > 2


def test_regions_murmur_as_their_language_does() -> None:
    assert wanted(*backchannels("pt-br")) == [TAKES["pt"][0]]


def test_there_are_none_in_a_language_that_we_have_none_in() -> None:
    assert wanted(*backchannels("ja")) == []


def test_its_sound_leaves_in_time_at_low_gain() -> None:
    murmurs, out = backchannels()
    murmurs.want(SPEECH)
    murmurs.begin(sound(0.4).audio, 10.0, SPEECH)
    first = audio(out.take())
    assert len(first) == 2, "a lead of 60 ms"
    now, rest = 10.0, []
    while (due := murmurs.deadline()) < float("inf"):
        assert due > now
        now = due
        murmurs.tick(now, SPEECH)
        rest += audio(out.take())
    whole = np.frombuffer(b"".join(first + rest), np.int16)
    assert len(whole) == 0.4 * 16_000
    assert set(whole) == {round(LEVEL * GAIN)}
    assert now == pytest.approx(10.0 + 0.4 - CHUNK_S - 0.060, abs=0.02)


def test_it_is_on_the_record() -> None:
    murmurs, out = backchannels()
    murmurs.want(SPEECH)
    out.take()
    murmurs.begin(sound(0.4).audio, 10.0, SPEECH)
    [logged] = [action for action in out.take() if isinstance(action, Log)]
    assert logged == Log("backchannel", {"role": "agent", "text": "Uhum.", "time_in_call_secs": 10.0})


@pytest.mark.parametrize("speech", [None, SPEECH + 320])
def test_a_sound_that_comes_when_the_speech_is_over_is_dropped(speech: int | None) -> None:
    murmurs, out = backchannels()
    murmurs.want(SPEECH)
    out.take()
    murmurs.begin(sound(0.4).audio, 10.0, speech)
    assert out.take() == []
    assert murmurs.deadline() == float("inf")


@pytest.mark.parametrize("speech", [None, SPEECH + 320])
def test_what_is_left_of_it_is_dropped_when_the_caller_has_ended(speech: int | None) -> None:
    murmurs, out = backchannels()
    murmurs.want(SPEECH)
    murmurs.begin(sound(0.4).audio, 10.0, SPEECH)
    out.take()
    murmurs.tick(10.1, speech)
    assert out.take() == []
    assert murmurs.deadline() == float("inf")


def test_a_sound_that_nobody_wanted_is_not_made() -> None:
    murmurs, out = backchannels()
    murmurs.begin(sound(0.4).audio, 10.0, None)
    murmurs.begin(sound(0.4).audio, 10.0, SPEECH)
    assert out.take() == []


def test_a_voice_without_a_sound_says_nothing() -> None:
    murmurs, out = backchannels()
    murmurs.want(SPEECH)
    murmurs.begin(b"", 10.0, SPEECH)
    assert audio(out.take()) == []
    assert murmurs.deadline() == float("inf")
