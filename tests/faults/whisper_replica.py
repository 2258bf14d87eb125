"""LocalWhisper without its shell: the engine in a process of its own, which can be killed as a replica's can."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_weights import find_weights
from serve_app.errors import TranscriptionError
from serve_app.ports import Transcript

T = TypeVar("T")

_engine: WhisperEngine  # in the child


class WhisperReplica:
    """On the bundled weights."""

    def __init__(self) -> None:
        # Forked from a server that holds nothing but this module: it starts in 10 ms, and shares no thread or socket.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._process = ProcessPoolExecutor(1, context, initializer=_load)

    async def start(self) -> None:
        self._pid = await self._run(os.getpid)

    async def transcribe(
        self,
        pcm: bytes,
        language: str | None,
        keywords: tuple[str, ...],
        tentative: bool,
        needed: bool,
        carrier: Mapping[str, str],
    ) -> Transcript:
        """As LocalWhisper's, which takes whatever comes while its model is this small."""
        outcome = await self._run(_transcribe, Utterance(pcm, language, keywords))
        if isinstance(outcome, TranscriptionError):
            raise outcome
        return outcome

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._process.shutdown)

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._process, work, *arguments)


def _load() -> None:
    global _engine
    _engine = WhisperEngine(find_weights(None))


def _transcribe(utterance: Utterance) -> Transcript | TranscriptionError:
    return _engine.transcribe([utterance])[0]
