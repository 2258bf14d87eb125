"""LocalWhisper in this process, in batches that wait for company."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ray import serve
from ray.serve._private.common import DeploymentID, ReplicaID
from ray.serve._private.config import DeploymentConfig
from ray.serve.context import ReplicaContext
from ray.serve.handle import DeploymentHandle

from deployments.whisper import LocalWhisper

BATCHING = {"max_batch_size": 8, "batch_wait_s": 0.05}


class PatientWhisper(LocalWhisper.func_or_class):  # type: ignore[misc, name-defined]
    """Takes its batching itself: in one's own process Serve lets calls in while `reconfigure` still waits for a
    thread. A replica is ready only after it."""

    def __init__(self) -> None:
        super().__init__()
        self.reconfigure(BATCHING)


@contextmanager
def patient_whisper() -> Iterator[DeploymentHandle[Any]]:
    """With the bundled model. Its batches read their limits from the replica's context, which only Ray sets."""
    replica = ReplicaID("test", DeploymentID("LocalWhisper", "default"))
    context = ReplicaContext(replica, PatientWhisper, DeploymentConfig(max_ongoing_requests=16), None, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ray.serve.context._INTERNAL_REPLICA_CONTEXT", context)
        patch.delenv("WHISPER_MODEL", raising=False)
        yield serve.run(serve.deployment(PatientWhisper).bind(), _local_testing_mode=True)
