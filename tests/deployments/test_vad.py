import asyncio
from typing import Any

import numpy as np
import pytest
from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.turn_rules import TurnRules
from deployments.vad import RemoteJudge, Vad
from serve_app.errors import ProviderError
from serve_app.ports import Question
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
