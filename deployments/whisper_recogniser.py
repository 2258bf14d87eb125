"""The engine that hears, and its change for a better one while it does."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deployments.whisper_download import Download, DownloadError, Interrupted
from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_weights import WhisperWeights, bundled_instead, find_weights, found
from serve_app.errors import ConfigurationError, TranscriptionError
from serve_app.ports import Transcript

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 10.0
LONGEST_RETRY_S = 600.0

Load = Callable[[WhisperWeights], WhisperEngine]


class Recogniser:
    """Whisper with the weights that are wanted, or with the bundled ones until those are here.

    What is not on this machine a thread downloads, loads beside the engine that hears, and puts in its place. A batch
    is finished by the engine that began it. `describe` says at any time which one hears, and what became of the other.
    `load` raises ConfigurationError; when it does so for the bundled weights too, so does this.
    """

    def __init__(
        self,
        wanted: str | None,
        load: Load,
        *,
        cache: Path | None = None,
        endpoint: str | None = None,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self._wanted, self._load = wanted, load
        self._cache, self._endpoint, self._first_retry_s = cache, endpoint, first_retry_s
        self._engine, weights = self._load_first(find_weights(wanted, cache))
        self._sentence = weights.sentence
        self._download: Download | None = None
        self._outcome = ""
        logger.warning(self._sentence)
        if weights.repository:
            threading.Thread(
                target=self._improve, args=(weights.repository,), name="whisper-model", daemon=True
            ).start()

    def transcribe(self, utterances: Sequence[Utterance]) -> list[Transcript | TranscriptionError]:
        """As WhisperEngine.transcribe, with whichever engine is in place when it begins."""
        return self._engine.transcribe(utterances)

    @property
    def is_quick(self) -> bool:
        """Whether an utterance more costs next to nothing."""
        return self._engine.is_quick

    @property
    def batch_size(self) -> int:
        """How many utterances the engine in place is best given at once."""
        return self._engine.batch_size

    def describe(self) -> str:
        """For people: one line."""
        if (download := self._download) is None:
            return f"{self._sentence} {self._outcome}".rstrip()
        if download.percent == 100:
            return f"{self._sentence} {self._wanted} is here and is being loaded."
        size = f" of {download.megabytes} MB" if download.megabytes else ""
        return f"{self._sentence} Downloading {self._wanted}: {download.percent} %{size}."

    def _load_first(self, weights: WhisperWeights) -> tuple[WhisperEngine, WhisperWeights]:
        try:
            return self._load(weights), weights
        except ConfigurationError as e:
            if weights.bundled:
                raise
            stand_in = bundled_instead(str(self._wanted), f"cannot be used: {str(e).rstrip('.')}")
        return self._load(stand_in), stand_in  # if that fails too, it is not the weights

    def _improve(self, repository: str) -> None:
        """The thread. Networks come back, so it does not give up on them."""
        self._outcome = f"{self._wanted} could not be had, for a reason that the log tells."  # unless another is known
        wait_s = self._first_retry_s
        while True:
            try:
                self._replace(repository)
            except Interrupted as e:
                self._tell(f"{self._wanted} could not be downloaded: {e}. The next attempt comes in {wait_s:.0f} s.")
            except (DownloadError, ConfigurationError) as e:
                self._tell(f"{self._wanted} could not be had: {str(e).rstrip('.')}.")
                return
            else:
                return
            finally:
                self._download = None
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_RETRY_S)

    def _replace(self, repository: str) -> None:
        self._download = Download(repository, cache=self._cache, endpoint=self._endpoint)
        weights = found(self._download.run())
        self._engine, self._sentence, self._outcome = self._load(weights), weights.sentence, ""
        logger.warning("%s It has taken the bundled model's place.", weights.sentence)

    def _tell(self, outcome: str) -> None:
        self._outcome = outcome
        logger.warning(outcome)
