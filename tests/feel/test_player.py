"""The player, against an agent that is not ours."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from serve_app.agent_files import load_agents
from tests.fakes.agent_server import AgentServer, Line
from tests.feel import tuned
from tests.feel.agents import agent, agent_id, answer
from tests.feel.player import FRAME_S, Performance, perform
from tests.feel.recogniser import Recogniser
from tests.feel.score import Kind, Score, Speech, Voice
from tests.feel.script import ANSWERS, SHORT_ANSWERS
from tests.feel.server import Served

SPEECH = Speech("espera", Voice("pt-br"))
OVERLAP = Score("overlap", Kind.INTERRUPTION, "pt", (SPEECH,), at_s=0.5)
PAUSE = Score("pause", Kind.PAUSE, "pt", (SPEECH, SPEECH), pause_s=0.5)
GREETING, REPLY = Line("", "Olá!", seconds=3.0), Line("espera", "Pois não?", seconds=0.4)


@pytest.mark.parametrize("score", [OVERLAP, PAUSE], ids=lambda score: score.name)
def test_a_score_is_played_in_real_time(score: Score) -> None:
    greeting, lines = (GREETING, [REPLY]) if score is OVERLAP else (None, [REPLY, REPLY])

    async def play() -> tuple[Performance, AgentServer]:
        async with AgentServer(lines, greeting=greeting) as server:
            [performance] = await perform([score], Served(server.url, Recogniser(), ""))
            return performance, server

    performance, server = asyncio.run(play())
    found = performance.outcome
    assert server.agent_ids[0] == agent_id(score)
    assert server.kinds_received()[:2] == ["conversation_initiation_client_data", "pong"]
    assert len(performance.lateness) * FRAME_S > found.length
    if score is OVERLAP:  # it stops at 60 ms of loudness, and answers what was said
        assert found.stopped is not None
        assert 0.02 < found.stopped < 1.0
        assert found.answered
    else:  # and takes the turn after 300 ms of quiet
        assert found.cut_in
        assert found.answer is not None
        assert 0.2 < found.answer < 1.5
        assert len(found.silences) >= 2


def test_the_agents_of_all_scores_can_be_served(tmp_path: Path) -> None:
    scores = tuned.MATERIAL.scores()
    for score in scores:
        (tmp_path / f"{agent_id(score)}.yaml").write_bytes(msgspec.json.encode(agent(score)))
    agents = load_agents(tmp_path, {})
    assert all(agents[agent_id(score)] == agent(score) for score in scores)


def test_a_talkative_agent_answers_its_first_question_at_length() -> None:
    score = Score("overlap", Kind.NOISE, "pt", (), first=SPEECH)
    told = {"role": "system", "content": agent(score).conversation_config.agent.prompt.prompt}
    asked, answered = {"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}
    assert "".join(answer([told, asked])).strip() == ANSWERS["pt"]
    assert "".join(answer([told, asked, answered, asked])).strip() == SHORT_ANSWERS["pt"]
