"""Vad: judgement of a pause or an overlap as a Serve deployment, and the client that makes it a TurnJudge."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.lane import Lane, Late
from deployments.remote import ask
from deployments.turn_engines import TurnEngine
from serve_app.errors import ProviderError
from serve_app.observability import logs
from serve_app.observability.correlation import carrier
from serve_app.observability.tracing import tracer_of
from serve_app.ports import Judgement, Question
from serve_app.scaling.work import WorkMeter

MOST_THREADS = 2
"""For pauses, on as many cores: a replica that takes more of a machine takes it from calls."""
MOST_PAUSES = 6
"""Asked about at once by one gateway: two threads have no time for more, and refusals through Serve take 20-100 ms when
there are twenty. It is no limit but to a crowd: six at once are a hundred a second."""


@serve.deployment
class Vad:
    """Judges windows with an engine, which each replica makes for itself: models do not travel. Stateless.

    `make_engine` is the engine's class, or any function of a module that returns one. Overlaps have a thread to
    themselves: they cannot wait for the pauses' model.
    """

    def __init__(self, make_engine: Callable[[], TurnEngine]) -> None:
        self._tracer = tracer_of("Vad")
        logs.in_replica(os.environ)
        self._engine = make_engine()
        self._pauses = Lane("pauses", self._engine.judge, threads=min(MOST_THREADS, _cores()))
        self._overlaps = Lane("overlaps", self._engine.judge)
        self._work = WorkMeter()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """For the autoscaling policy: judgements in hand since it asked last, waiting ones too."""
        return {"work": self._work.mean()}

    def describe(self) -> str:
        """What judges, for people."""
        return self._engine.describe()

    async def judge(self, question: Question, carrier: Mapping[str, str] | None = None) -> Judgement | None:
        """As TurnJudge.judge; None: there is no time for it. (An error would be a traceback in Serve's log, each time,
        and when there are many callers this is no news.) `carrier`: whom it is for."""
        lane = self._overlaps if question.overlap else self._pauses
        with self._work.piece(), self._tracer.served("Vad.judge", carrier) as span:
            try:
                return await lane.judge(question)
            except Late:
                span.note(late=True)
                return None


class RemoteJudge:
    """A TurnJudge that asks Vad."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._pauses = 0  # asked about

    async def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge."""
        if question.overlap:
            return await self._ask(question)
        if self._pauses == MOST_PAUSES:
            raise ProviderError("the judge is asked about too many pauses at once")
        self._pauses += 1
        try:
            return await self._ask(question)
        finally:
            self._pauses -= 1

    async def _ask(self, question: Question) -> Judgement:
        asked = ask(self._handle.judge, question, carrier=carrier(), failure=ProviderError)
        judgement: Judgement | None = await asked
        if judgement is None:
            raise ProviderError("the judge has no time for this")
        return judgement


def _cores() -> int:
    """Those this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
