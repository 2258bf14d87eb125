"""What Prometheus is told. One endpoint a node, Ray's own, right for any number of replicas."""

from ray.util.metrics import Histogram


class FrameWaits:
    """How long the caller's audio waited in the gateway for its verdict: the target is 20 ms, the limit 30."""

    def __init__(self) -> None:
        self._histogram = Histogram(
            "hello_audio_wait_ms",
            description="Arrival of a message of audio at the gateway to the verdict on its last frame, in ms.",
            boundaries=[1, 2, 5, 10, 15, 20, 30, 50, 100, 200, 500],
        )

    def observe(self, seconds: float) -> None:
        self._histogram.observe(seconds * 1000)
