"""Calls in which the caller speaks over the agent: what interrupts it, and what does not."""

from collections.abc import Callable
from typing import Any

import pytest

from serve_app.audio.echo import LIKELY
from serve_app.audio.framing import RATE
from serve_app.conversation.agent import Agent, Hello, Turn
from serve_app.conversation.decisions import Judgement
from serve_app.conversation.manners import Strategy
from serve_app.conversation.overlap import FAINT_DB, JUDGE_FROM, SURELY_FROM, UNJUDGED_FROM, WORDS_FROM
from serve_app.conversation.playback import DUCK_GAIN
from serve_app.conversation.server_messages import AgentResponseCorrection, Audio, Interruption, UserTranscript
from tests.conversation.score import LEVEL, Call, agent

FIRST = "Uma frase comprida que ainda vai durar um bom tempo."
SECOND = "E depois dela vem outra que também não é curta."
THIRD = "E mais uma que ninguém vai ouvir."
STORY = f"{FIRST} {SECOND} {THIRD}"
ONE_SWELL = {LEVEL, LEVEL * DUCK_GAIN}


def tells(story: str = STORY, *, overlap: Strategy = "overlap_aware", turn: dict[str, Any] | None = None) -> Agent:
    patient: dict[str, Any] = {"turn_timeout": 30.0, "initial_wait_time": 300.0}
    return agent(story, turn=Turn(**patient, **(turn or {})), hello=Hello(overlap=overlap))


def call(described: Agent | None = None, *, score: float | None = None, after: float = 1.0, **others: Any) -> Call:
    """The agent tells its story, and `after` that the caller is about to say something."""
    judge: Callable[[int], Judgement] | None = None if score is None else lambda _: Judgement(0.5, score)
    call = Call(described or tells(), judge=judge, **others)
    call.silence(after)
    return call


def levels(call: Call) -> set[int]:
    """Of the chunks' last samples: how loud the agent was."""
    return {int.from_bytes(message.audio_base_64[-2:], "little", signed=True) for message in call.messages(Audio)}


def sound(call: Call) -> int:
    return sum(len(message.audio_base_64) for message in call.messages(Audio))


def assert_undisturbed(told: Call, story: str = STORY) -> None:
    """Nothing came of it but a lower voice for a moment."""
    undisturbed = call(tells(story))
    undisturbed.silence(15)
    told.silence(15)
    assert told.outline() == ["metadata", f"agent: {story}", "audio"]
    assert sound(told) == sound(undisturbed)


# ---- the judge


def test_the_judge_interrupts_at_its_first_answer() -> None:
    told = call(score=0.9)
    began = told.now
    told.says("espera um pouco")
    assert told.times(Interruption)[0] - began == pytest.approx(JUDGE_FROM / RATE + told.judge_s)
    assert told.log("judgement") == [
        {"of": "overlap", "rules": "undecided", "decided": "interruption", "changed": True}
    ]


def test_what_the_judge_calls_a_murmur_is_swelled_over() -> None:
    told = call(score=0.1)
    told.says("", seconds=0.3)
    assert_undisturbed(told)
    assert levels(told) >= ONE_SWELL
    assert told.log("judgement") == [
        {"of": "overlap", "rules": "false_alarm", "decided": "false_alarm", "changed": False}
    ]


@pytest.mark.parametrize(
    ("score", "recogniser_s", "length"),
    [(None, None, UNJUDGED_FROM), (0.1, 0.05, WORDS_FROM), (0.1, None, SURELY_FROM)],
)
def test_who_goes_on_interrupts_by_words_or_by_the_length_of_it(
    score: float | None, recogniser_s: float | None, length: int
) -> None:
    told = call(score=score, recogniser_s=recogniser_s)
    began = told.now
    told.says("eu queria falar de outra coisa")
    told.recogniser_s = 0.05
    [cut] = told.times(Interruption)
    assert length / RATE <= cut - began <= length / RATE + 0.1
    told.silence(4)
    assert told.outline()[-3] == "user: eu queria falar de outra coisa"
    assert len(told.messages(UserTranscript)) == 1


def test_a_judge_that_comes_too_late_changes_nothing() -> None:
    told = call(score=0.9)
    told.judge_s = 1.0
    told.says("", seconds=0.3)
    assert_undisturbed(told)


# ---- words


def test_a_word_after_the_swell_interrupts() -> None:
    told = call(score=0.1)
    told.says("espera!", seconds=0.3)
    stopped = told.now
    told.silence(0.4)
    [cut] = told.times(Interruption)
    assert cut - stopped <= 0.250
    told.silence(5)
    assert told.outline()[-4:] == [
        f"heard: {FIRST.partition(' que')[0]}",
        "user: espera!",
        "agent: Você disse espera!.",
        "audio",
    ]


def test_its_words_are_recognised_once() -> None:
    told = call()
    told.says("espera!", seconds=0.3)
    told.silence(5)
    assert len(told.recognised) == 1
    assert len(told.messages(UserTranscript)) == 1


@pytest.mark.parametrize("word", ["uhum", "Tá.", "sei, sei", "Certo...", "ok"])
def test_listening_noise_is_ignored(word: str) -> None:
    told = call()
    told.says(word, seconds=0.3)
    assert_undisturbed(told)
    [ignored] = told.log("backchannel")
    assert (ignored["role"], ignored["text"]) == ("user", word)


def test_what_was_ignored_is_not_what_the_judge_reads_next() -> None:
    told = call()
    told.says("uhum", seconds=0.3)
    told.silence(1)
    assert told.conversation.context["words"] == ""


def test_listening_noise_is_ignored_as_often_as_it_comes() -> None:
    told = call()
    for _ in range(4):
        told.says("uhum", seconds=0.3)
        told.silence(0.7)
    assert_undisturbed(told)
    assert len(told.log("backchannel")) == 4


def test_the_next_turn_is_its_own_words() -> None:
    told = call(tells(FIRST))
    told.says("uhum", seconds=0.3)
    told.silence(6)
    told.says("quero um café")
    told.silence(4)
    assert [m.user_transcript for m in told.messages(UserTranscript)] == ["quero um café"]


TERMS: list[tuple[dict[str, Any], str, bool]] = [
    ({"interruption_ignore_terms": ("prossiga",)}, "Prossiga!", True),
    ({"interruption_ignore_terms": ("prossiga",)}, "uhum", True),
    ({"interruption_ignore_terms": ("prossiga",), "merge_with_default_ignore_terms": False}, "prossiga", True),
    ({"interruption_ignore_terms": ("prossiga",), "merge_with_default_ignore_terms": False}, "uhum", False),
    ({}, "prossiga", False),
    ({}, "got it", False),
    ({"interruption_ignore_term_languages": ("en",)}, "got it", True),
    ({"interruption_ignore_term_languages": ("en",)}, "entendi", False),
]


@pytest.mark.parametrize(("turn", "word", "ignored"), TERMS)
def test_the_agents_own_terms(turn: dict[str, Any], word: str, *, ignored: bool) -> None:
    told = call(tells(turn=turn))
    told.says(word, seconds=0.3)
    told.silence(5)
    assert len(told.messages(Interruption)) == (0 if ignored else 1)
    assert len(told.log("backchannel")) == (1 if ignored else 0)


def test_after_the_agent_has_ended_a_murmur_is_an_answer() -> None:
    told = call(tells("Posso marcar?"))
    told.silence(2)
    told.says("uhum", seconds=0.3)
    told.silence(3)
    assert told.outline()[-3:] == ["user: uhum", "agent: Você disse uhum.", "audio"]


# ---- other voices


def after_a_turn(**others: Any) -> Call:
    """It is known how loud the caller is; the agent tells its story for an answer."""
    told = Call(model=lambda _: [STORY], **others)
    told.silence(1)
    told.says("conta uma história?")
    told.silence(3)
    return told


def test_a_television_does_not_interrupt_without_words() -> None:
    told = after_a_turn(judge=lambda _: Judgement(0.5, 0.9))
    told.level_db -= FAINT_DB + 5
    told.says("", seconds=4)
    told.silence(12)
    assert not told.messages(Interruption)
    assert not told.messages(AgentResponseCorrection)


def test_a_soft_voice_is_heard_by_its_words() -> None:
    told = after_a_turn()
    told.level_db -= FAINT_DB + 5
    told.says("espera um pouco")
    told.silence(4)
    assert len(told.messages(Interruption)) == 1
    assert told.outline()[-3] == "user: espera um pouco"


def test_our_own_voice_coming_back_is_nobody() -> None:
    told = call(score=0.9)
    told.ours = LIKELY
    told.says("uma frase comprida que ainda vai", seconds=3)
    assert_undisturbed(told)
    assert levels(told) == {LEVEL}
    assert not told.recognised
