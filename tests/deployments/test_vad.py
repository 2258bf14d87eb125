import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.turn_rules import TurnRules
from deployments.vad import MOST_PAUSES, RemoteJudge, Vad
from serve_app.errors import ProviderError
from serve_app.ports import Judgement, Question
from tests.espeak import render


@pytest.fixture(scope="module")
def judge() -> RemoteJudge:
    handle: DeploymentHandle[Any] = serve.run(Vad.bind(TurnRules), _local_testing_mode=True)
    return RemoteJudge(handle)


def test_the_judgement_is_the_engines(judge: RemoteJudge) -> None:
    window = np.concatenate([render("quero falar com um atendente", "pt"), np.zeros(4800, np.int16)]).tobytes()
    judgement = asyncio.run(judge.judge(Question(window)))
    assert judgement == TurnRules().judge(Question(window))
    assert judgement.turn_end > 0.5


def test_an_error_of_the_engine_crosses_and_the_next_window_is_judged(judge: RemoteJudge) -> None:
    with pytest.raises(ProviderError, match="odd number of bytes"):
        asyncio.run(judge.judge(Question(b"\x00")))
    assert asyncio.run(judge.judge(Question(bytes(32_000)))).interruption == 0


LET_GO = threading.Event()
PATIENCE_S = 20


class HeldUp:
    """Pauses are judged when they are let go; overlaps at once."""

    def judge(self, question: Question) -> Judgement:
        assert question.overlap or LET_GO.wait(PATIENCE_S)
        return Judgement(0.5, float(question.overlap))

    def describe(self) -> str:
        return "held up"


def test_of_a_crowd_of_pauses_most_are_refused_at_once_and_no_overlap_waits_for_them() -> None:
    handle: DeploymentHandle[Any] = serve.run(Vad.bind(HeldUp), _local_testing_mode=True)
    gateway, another = RemoteJudge(handle), RemoteJudge(handle)

    async def crowd() -> None:
        async with asyncio.timeout(PATIENCE_S):
            pauses = [asyncio.create_task(gateway.judge(Question(b""))) for _ in range(20)]
            finished = asyncio.as_completed(pauses)
            for _ in range(20 - MOST_PAUSES):
                with pytest.raises(ProviderError, match="at once"):
                    await next(finished)
            for _ in range(MOST_PAUSES):  # the replica has no more time either
                with pytest.raises(ProviderError, match="no time"):
                    await another.judge(Question(b""))
            assert (await gateway.judge(Question(b"", overlap=True))).interruption == 1
            assert not all(pause.done() for pause in pauses)
            await handle.record_autoscaling_stats.remote()
            assert (await handle.record_autoscaling_stats.remote())["work"] >= MOST_PAUSES - 1, "in hand, on average"
            LET_GO.set()
            await asyncio.gather(*pauses, return_exceptions=True)  # judged or, on a slow machine, dropped
            assert (await gateway.judge(Question(b""))).turn_end == 0.5
            await handle.record_autoscaling_stats.remote()
            assert await handle.record_autoscaling_stats.remote() == {"work": 0.0}

    try:
        asyncio.run(crowd())
    finally:
        LET_GO.set()
