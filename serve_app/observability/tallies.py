"""What is counted of a conversation's record: which events, under which names and labels."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

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
    "none_response": (Tally("hello_none_responses_total", "Turns of the caller's that ended without a word."),),
    "user_turn": (Tally("hello_turns_total", _TURNS, fixed={"role": "user"}),),
    "agent_turn": (Tally("hello_turns_total", _TURNS, fixed={"role": "agent"}),),
    "line_quality": (Tally("hello_line_changes_total", "Times that a line became this good or bad.", ("level",)),),
    "error": (Tally("hello_errors_total", "Errors in conversations, by ElevenLabs' names.", ("error_type",)),),
}
"""By kind of event."""


def tallies(event: LogEvent) -> Iterator[tuple[str, dict[str, str], int]]:
    """What an event adds to which counters: name, labels, amount."""
    for tally in TALLIES.get(event.kind, ()):
        amount = event.data.get(tally.amount, 0) if tally.amount else 1
        if amount > 0:
            fields = {field: str(event.data.get(field, OTHER)) for field in tally.fields}
            yield tally.name, {**fields, **tally.fixed}, amount


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
