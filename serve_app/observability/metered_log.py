"""A conversation log that counts on the way: what Prometheus adds up is what the store has."""

from serve_app.conversation.turn_metrics import STAGES, Stage
from serve_app.observability.agents_in_calls import AgentsInCalls
from serve_app.observability.metrics import counter, histogram
from serve_app.observability.tallies import COUNTED, Labels, latencies_ms, tallies
from serve_app.ports import ConversationLog, LogEvent

UNPROMISED_MS = (200.0, 500.0)
"""Around these the buckets lie of a stage of which nothing is promised."""


class MeteredLog:
    """Implements `ports.ConversationLog` by `log`. Each count has the label `agent`: with which the call began."""

    def __init__(self, log: ConversationLog) -> None:
        self._log = log
        self._agents = AgentsInCalls()
        self._labels = Labels()
        self._counters = {
            tally.name: counter(tally.name, tally.description, *tally.labels, "agent") for tally in COUNTED
        }
        self._histograms = {
            stage.name: histogram(f"hello_{stage.name}_ms", _described(stage), boundaries(stage), "agent")
            for stage in STAGES
        }

    def append(self, event: LogEvent) -> None:
        self._log.append(event)
        agent = self._agents.of(event)
        for name, tags, amount in tallies(event):
            self._counters[name].inc(amount, tags=self._bounded({**tags, "agent": agent}))
        for stage, took_ms in latencies_ms(event):
            self._histograms[stage].observe(took_ms, tags=self._bounded({"agent": agent}))

    async def flush(self) -> None:
        await self._log.flush()

    async def events(self, conversation_id: str) -> list[LogEvent]:
        return await self._log.events(conversation_id)

    async def take_over(self, conversation_id: str, epoch: int) -> bool:
        return await self._log.take_over(conversation_id, epoch)

    def _bounded(self, tags: dict[str, str]) -> dict[str, str]:
        return {key: self._labels.bounded(key, value) for key, value in tags.items()}


def boundaries(stage: Stage) -> list[float]:
    """Upper ends of a histogram's buckets, in ms: finest around what is promised, which are ends themselves."""
    target, critical = stage.target_ms or UNPROMISED_MS[0], stage.critical_ms or UNPROMISED_MS[1]
    below = [target * share for share in (0.25, 0.5, 0.75, 1.0)]
    return [*below, (target + critical) / 2, *(critical * times for times in (1.0, 1.5, 2.0, 4.0, 10.0))]


def _described(stage: Stage) -> str:
    promised = f"; target {stage.target_ms:g}, critical {stage.critical_ms:g}" if stage.target_ms else ""
    return f"{stage.latency} of each turn that has it, in ms{promised}."
