"""A tracer whose spans stay in memory."""

from collections.abc import Callable

from serve_app.observability.conversation_trace import ConversationTrace
from serve_app.observability.correlation import Attribute
from serve_app.observability.spans import FinishedSpan
from serve_app.observability.tracing import Trace, Tracer


class MemoryTracer(Tracer):
    def __init__(self) -> None:
        self.spans: list[FinishedSpan] = []

    def conversation(self, conversation_id: str, agent_id: str, clock: Callable[[], float], *, epoch: int) -> Trace:
        return ConversationTrace(conversation_id, clock, self.spans.append, epoch=epoch)

    def named(self, name: str) -> list[FinishedSpan]:
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.began)

    def one(self, name: str) -> FinishedSpan:
        [span] = self.named(name)
        return span

    def below(self, parent: FinishedSpan) -> list[FinishedSpan]:
        return [span for span in self.spans if span.parent == parent.id]

    def attributes(self) -> list[Attribute]:
        """All values of all spans, and their names."""
        return [value for span in self.spans for value in (span.name, *span.attributes, *span.attributes.values())]
