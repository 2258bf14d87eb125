"""What is counted of a conversation's record: which events, under which names and labels."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from serve_app.conversation.turn_metrics import STAGES, breaches
from serve_app.ports import LogEvent

MOST_VALUES = 50
"""Of one label: each is a time series for ever, and a client may be permitted to name models as it likes."""
OTHER = "other"


class Tally(NamedTuple):
    """A counter. `labels` are the event's own fields; `amount` is the field that is added up, 1 without one; `fixed`
    are labels with the same value each time."""

    name: str
    description: str
    fields: tuple[str, ...] = ()
    amount: str = ""
    fixed: Mapping[str, str] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        return (*self.fields, *self.fixed)


_TURNS = "Turns of conversations, by who spoke."

TALLIES: Mapping[str, tuple[Tally, ...]] = {
    "started": (Tally("hello_conversations_begun_total", "Conversations that began here."),),
    "resumed": (Tally("hello_resumptions_total", "Times that a client came back to its conversation."),),
    "ended": (
        Tally(
            "hello_conversations_ended_total",
            "Conversations that ended here, done or failed, by close code.",
            ("status", "close_code"),
        ),
    ),
    "fallback": (
        Tally(
            "hello_fallbacks_total",
            "Times that something took the place of a provider that failed or was late.",
            ("stage", "failed", "instead"),
        ),
    ),
    "discarded": (
        Tally(
            "hello_discarded_requests_total",
            "Requests made before the turn was decided, in vain.",
            ("stage",),
            "requests",
        ),
        Tally("hello_discarded_tokens_total", "Pieces of answers that nobody was given.", ("stage",), "tokens"),
        Tally(
            "hello_discarded_characters_total",
            "Characters of them that a voice was asked for.",
            ("stage",),
            "characters",
        ),
    ),
    "kept": (
        Tally(
            "hello_kept_requests_total",
            "Requests made before the turn was decided, and used.",
            ("stage",),
            "requests",
        ),
    ),
    "failure": (
        Tally(
            "hello_failures_total",
            "Times that no provider was left and the caller heard an apology, by what followed.",
            ("action", "error_type"),
        ),
    ),
    "interruption": (Tally("hello_interruptions_total", "Answers that the caller's voice stopped."),),
    "none_response": (Tally("hello_none_responses_total", "Turns of the caller's that ended without a word."),),
    "user_turn": (Tally("hello_turns_total", _TURNS, fixed={"role": "user"}),),
    "agent_turn": (Tally("hello_turns_total", _TURNS, fixed={"role": "agent"}),),
    "guardrail": (
        Tally(
            "hello_guardrails_total",
            "Times that a guardrail was triggered: by whose words, what followed, and what was found.",
            ("stage", "action", "rule"),
        ),
    ),
    "line_quality": (Tally("hello_line_changes_total", "Times that a line became this good or bad.", ("level",)),),
    "rate_limited": (
        Tally(
            "hello_rate_limited_total",
            "Conversations that ended since more came from their client than may come, by what.",
            ("what",),
        ),
    ),
    "error": (Tally("hello_errors_total", "Errors in conversations, by ElevenLabs' names.", ("error_type",)),),
}
"""By kind of event."""

BREACHES = Tally(
    "hello_breaches_total",
    "Stages of turns that took longer than their target, or than what is critical: each once, at its worst level.",
    ("stage", "level"),
)
"""Of any event with latencies."""

COUNTED = (BREACHES, *{tally.name: tally for of_kind in TALLIES.values() for tally in of_kind}.values())


def tallies(event: LogEvent) -> Iterator[tuple[str, dict[str, str], int]]:
    """What an event adds to which counters: name, labels, amount."""
    for tally in TALLIES.get(event.kind, ()):
        amount = event.data.get(tally.amount, 0) if tally.amount else 1
        if amount > 0:
            fields = {field: str(event.data.get(field, OTHER)) for field in tally.fields}
            yield tally.name, {**fields, **tally.fixed}, amount
    for stage, level in breaches(_latencies(event)):
        yield BREACHES.name, {"stage": stage, "level": level}, 1


def latencies_ms(event: LogEvent) -> Iterator[tuple[str, float]]:
    """Each stage of a turn that the event tells the latency of."""
    latencies = _latencies(event)
    for stage in STAGES:
        if stage.latency in latencies:
            yield stage.name, latencies[stage.latency] * 1000


def _latencies(event: LogEvent) -> Mapping[str, float]:
    latencies = event.data.get("metrics")
    return latencies if isinstance(latencies, dict) else {}


class Labels:
    """Values that labels may have: the first ones that come."""

    def __init__(self, most: int = MOST_VALUES) -> None:
        self._most = most
        self._known: defaultdict[str, set[str]] = defaultdict(set)

    def bounded(self, label: str, value: str) -> str:
        known = self._known[label]
        if value not in known and len(known) >= self._most:
            return OTHER
        known.add(value)
        return value
