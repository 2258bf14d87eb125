"""Vad: judgement of a pause or an overlap as a Serve deployment, and the client that makes it a TurnJudge."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.remote import ask
from serve_app.errors import ProviderError
from serve_app.ports import Judgement, Question


class TurnEngine(Protocol):
    """A model of turns. Calls may block and never overlap."""

    def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge."""
        ...

    def describe(self) -> str:
        """What judges, for people."""
        ...


@serve.deployment
class Vad:
    """Judges windows with an engine, which each replica makes for itself: models do not travel. Stateless.

    `make_engine` is the engine's class, or any function of a module that returns one.
    """

    def __init__(self, make_engine: Callable[[], TurnEngine]) -> None:
        self._engine = make_engine()
        self._thread = ThreadPoolExecutor(1, "vad")

    def describe(self) -> str:
        """What judges, for people."""
        return self._engine.describe()

    async def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.judge, question)


class RemoteJudge:
    """A TurnJudge that asks Vad."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    async def judge(self, question: Question) -> Judgement:
        judgement: Judgement = await ask(self._handle.judge, question, failure=ProviderError)
        return judgement
