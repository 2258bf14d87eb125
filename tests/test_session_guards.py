"""A session whose agent is guarded: the model that looks at callers' words, and the one whose words are looked at."""

import asyncio

from serve_app.conversation.agent import Agent
from serve_app.conversation.lines import line
from serve_app.conversation.past import Past
from serve_app.errors import ProviderError
from tests.caller import ANSWER, INITIATION, Call, agent, play
from tests.conversation.guarded import ATTACK, GIVEN_AWAY, PROMPT, guarded
from tests.fakes.ports import ScriptedGuard, ScriptedModel
from tests.test_session_protocol import changed, typed

DEFLECTED = line("deflected", "pt")
QUESTION = "como está o tempo?"


def described() -> Agent:
    return guarded(changed(agent(), prompt=PROMPT))


def heard(call: Call) -> list[str]:
    return [event["agent_response"] for event in call.wire.events("agent_response")]


async def a_question(call: Call) -> None:
    await call.sends(INITIATION)
    await call.sends(typed(QUESTION))
    await asyncio.sleep(6)


def test_a_verdict_in_time_takes_the_place_of_the_answer() -> None:
    call = play(a_question, described(), guard=ScriptedGuard(delay_s=0.005))
    assert heard(call) == [DEFLECTED]
    assert call.model.cancelled == 1, "and the model is not listened to"


def test_words_that_are_no_attack_are_answered() -> None:
    guard = ScriptedGuard(is_attack=False)
    call = play(a_question, described(), guard=guard)
    assert heard(call) == [ANSWER]
    assert guard.words == [QUESTION]


def test_a_guard_that_fails_or_hangs_holds_nothing_up() -> None:
    for guard in (ScriptedGuard(fault=ProviderError("down")), ScriptedGuard(hangs=True)):
        call = play(a_question, described(), guard=guard)
        assert heard(call) == [ANSWER]


def test_an_agent_without_guardrails_asks_no_model() -> None:
    guard = ScriptedGuard()
    assert heard(play(a_question, guard=guard)) == [ANSWER]
    assert guard.words == []


def test_a_model_that_gives_its_prompt_away_is_stopped() -> None:
    call = play(a_question, described(), model=ScriptedModel(GIVEN_AWAY, token_s=0.2))
    assert heard(call)[-1] == DEFLECTED
    assert call.model.cancelled == 1
    assert not any("outros bancos" in clause for clause in call.speaker.said)


def test_whoever_goes_on_elsewhere_keeps_what_was_withheld() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.sends(typed(ATTACK))
        await asyncio.sleep(6)
        await call.sends(typed(QUESTION))
        await asyncio.sleep(3)

    call = play(score, described())
    past = Past(call.log.entries, last_event_id=1_000)
    there = Call(described())
    there.session._conversation._begin(past.initiation, 0.0)
    dialogue = there.session._conversation.answering.dialogue
    past.recall(there.session._conversation._identity, dialogue, but=None)
    assert dialogue.messages()[:-1] == call.model.asked[-1], "as the model was told it there"
    assert ATTACK not in str(dialogue.messages())
