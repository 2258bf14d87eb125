"""Thirty minutes of dialogue, frame by frame, in the time it takes to say hello."""

import time
from collections.abc import Sequence

import pytest

from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentResponseCorrection,
    Audio,
    Interruption,
    UserTranscript,
)
from tests.conversation.score import Call, Piece, agent, tone

EXCHANGES = 120
"""Of 14 s each: 5.1 s of caller, 7.6 s of agent, and silence. In every fifth, of 19 s, the answer is interrupted."""
QUESTION = "pergunta número {} sobre as coisas que eu queria saber da sua loja antes de comprar alguma"
ANSWER = "Sim, isso é verdade. A nossa loja tem de tudo um pouco, e o preço é bom. Posso ajudar em mais alguma coisa?"


def model(_: str) -> list[Piece]:
    return [f"{word} " for word in ANSWER.split()]


def half_an_hour() -> Call:
    sounds: dict[str, Sequence[Piece]] = {}  # made once: the voice is no part of what is measured
    call = Call(agent(max_duration_seconds=1900), model=model, voice=lambda text: sounds.setdefault(text, tone(text)))
    for number in range(EXCHANGES):
        call.says(QUESTION.format(number))
        if number % 5 < 4:
            call.silence(14.0 - 5.1)
        else:
            call.silence(3.0)
            call.says("espera um pouco")
            call.silence(19.0 - 5.1 - 3.0 - 0.9)
    return call


def test_half_an_hour_passes_in_about_a_second() -> None:
    began = time.process_time()
    call = half_an_hour()
    spent = time.process_time() - began
    assert call.now == pytest.approx(1800)
    interruptions = EXCHANGES // 5
    assert len(call.messages(UserTranscript)) == EXCHANGES + interruptions
    assert len(call.messages(AgentResponse)) == EXCHANGES + interruptions
    assert len(call.messages(Interruption)) == len(call.messages(AgentResponseCorrection)) == interruptions
    assert [turn["text"] for turn in call.log("user_turn")][:2] == [QUESTION.format(0), QUESTION.format(1)]
    assert len(call.messages(Audio)) > 120 * 5 / 0.040
    assert len(call.thought[-1].messages) == 2 * (EXCHANGES + interruptions) - 1
    assert spent < 5
