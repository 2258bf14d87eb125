"""LocalWhisper: speech recognition as a Serve deployment, and the client that makes it a Transcriber."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Annotated, Any, NamedTuple

import msgspec
from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.remote import ask
from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_recogniser import Recogniser
from serve_app.errors import TranscriptionError
from serve_app.observability import logs
from serve_app.observability.correlation import UNRECORDED, Span, carrier
from serve_app.observability.tracing import tracer_of
from serve_app.ports import Transcript
from serve_app.scaling.work import WorkMeter
from serve_app.user_config import UserConfig

logger = logging.getLogger(__name__)


class Batching(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `user_config` may hold. Waiting for company helps a GPU; by default only those already waiting share, as
    many of them as suits the model and the device.
    """

    max_batch_size: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    batch_wait_s: Annotated[float, msgspec.Meta(ge=0, le=0.1)] = 0.0


class Asked(NamedTuple):
    """An utterance in the queue, and what its wait is noted of."""

    utterance: Utterance
    span: Span = UNRECORDED


@serve.deployment
class LocalWhisper:
    """Recognises utterances, those that wait together in one batch.

    `model`: see `find_weights`; None reads WHISPER_MODEL from the replica's environment. One that has to be downloaded
    takes the place of the bundled one when it is here. The rest is the engine's.
    """

    def __init__(
        self, *, model: str | None = None, device: str = "cpu", compute_type: str | None = None, cpu_threads: int = 1
    ) -> None:
        self._tracer = tracer_of("LocalWhisper")
        logs.in_replica(os.environ)
        load = partial(WhisperEngine, device=device, compute_type=compute_type, cpu_threads=cpu_threads)
        self._recogniser = Recogniser(model or os.environ.get("WHISPER_MODEL"), load)
        # One thread: the engine's calls must not overlap, and the event loop must not wait for them.
        self._thread = ThreadPoolExecutor(1, "whisper")
        # Decorated here and not in the class: Serve keeps the queue with the function, and a class that has a queue
        # can be neither pickled nor used twice in a process.
        self._recognise = serve.batch(self._recognise_batch)
        self._waiting = 0  # utterances
        self._work = WorkMeter()
        self._user_config = UserConfig("LocalWhisper", Batching)
        self._batch_size = 0
        self._set_batching(Batching())

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take new batching. See `UserConfig.take`."""
        if batching := self._user_config.take(user_config):
            self._set_batching(batching)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """For the autoscaling policy: needed utterances in hand since it asked last, waiting ones too."""
        return {"work": self._work.mean()}

    def _set_batching(self, batching: Batching) -> None:
        self._batching = batching
        self._fit_batches()
        # Serve adds this and the next to what it decorates, which its types do not say.
        self._recognise.set_batch_wait_timeout_s(batching.batch_wait_s)  # type: ignore[attr-defined]

    def _fit_batches(self) -> None:
        size = self._batching.max_batch_size or self._recogniser.batch_size
        if size != self._batch_size:  # Serve may have something to say about it, each time
            self._batch_size = size
            self._recognise.set_max_batch_size(size)  # type: ignore[attr-defined]

    async def transcribe(
        self,
        pcm: bytes,
        language: str | None,
        keywords: tuple[str, ...],
        tentative: bool = False,
        needed: bool = True,
        carrier: Mapping[str, str] | None = None,
    ) -> Transcript:
        """As Transcriber.transcribe. What nobody waits for stays empty where it would hold up what somebody does.
        `needed` False: somebody else has been asked too; no replica is started for that, or kept. `carrier`: whom it
        is for."""
        with self._tracer.served("LocalWhisper.transcribe", carrier) as span:
            if tentative and (self._waiting or not self._recogniser.is_quick):
                span.note(skipped=True)
                return Transcript("", language or "", 0.0)
            self._waiting += 1
            try:
                with self._work.piece() if needed else nullcontext():
                    outcome = await self._recognise(Asked(Utterance(pcm, language, keywords), span))
            finally:
                self._waiting -= 1
            if isinstance(outcome, TranscriptionError):
                raise outcome
            return outcome

    async def describe(self) -> str:
        """Which model hears now, and what became of another that is wanted; for people."""
        return self._recogniser.describe()

    async def _recognise_batch(self, asked: list[Asked]) -> list[Transcript | TranscriptionError]:
        self._fit_batches()  # for the next one: the engine may have been changed for another
        for each in asked:
            each.span.mark("waited_ms")
        loop, utterances = asyncio.get_running_loop(), [each.utterance for each in asked]
        begun = loop.time()
        # Errors are returned, not raised: what is raised here fails every caller in the batch.
        outcomes = await loop.run_in_executor(self._thread, self._recogniser.transcribe, utterances)
        computed_ms = round((loop.time() - begun) * 1000, 2)
        for each in asked:
            each.span.note(computed_ms=computed_ms, batch=len(asked))
        return outcomes


class RemoteTranscriber:
    """A Transcriber that asks LocalWhisper, and a Standby: `awake` says whether a replica of it is running."""

    def __init__(
        self, handle: DeploymentHandle[Any], awake: Callable[[], bool] = lambda: True, *, needed: bool = True
    ) -> None:
        self._handle = handle
        self._awake = awake
        self._needed = needed

    def if_awake(self) -> "RemoteTranscriber | None":
        """As Standby.if_awake."""
        return RemoteTranscriber(self._handle, self._awake, needed=False) if self._awake() else None

    async def transcribe(
        self, pcm: bytes, *, language: str | None, keywords: Sequence[str] = (), tentative: bool = False
    ) -> Transcript:
        transcript: Transcript = await ask(
            self._handle.transcribe,
            pcm,
            language,
            tuple(keywords),
            tentative,
            self._needed,
            carrier=carrier(),
            failure=TranscriptionError,
        )
        return transcript
