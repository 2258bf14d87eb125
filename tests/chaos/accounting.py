"""What a fault has cost: what callers were told and what they said, held against what is stored of it afterwards."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

STORED_AS = {
    "user_transcript": "user_turn",
    "agent_response": "agent_turn",
    "agent_response_correction": "correction",
    "interruption": "interruption",
    "audio": "audio",
}
"""Types of message, and the kind of log event that each must have left."""
TEXT_OF = {"user_turn": "text", "agent_turn": "text", "correction": "corrected"}
AGENT = ("audio", "agent_response", "agent_chat_response_part")
"""What the agent says, on the wire."""


class Told(NamedTuple):
    """A message to the client. Moments are the event loop's, in seconds."""

    at: float
    type: str
    event_id: int
    text: str = ""


class Row(NamedTuple):
    """An event as it is stored."""

    sequence: int
    kind: str
    data: dict[str, Any]


@dataclass
class Break:
    """A socket that broke. `back`: when its conversation went on over another one."""

    at: float
    why: str
    back: float | None = None


@dataclass
class Turn:
    """Of the caller's; spoken, it was `said` `until` then. `again`: how often they had to say it once more, `sayings`:
    when each time began. `heard`, `answer`: its transcript, and the agent's answer. `given_up`: either never came,
    however often it was said."""

    text: str
    spoken: bool
    said: float
    until: float = 0.0
    heard: Told | None = None
    answer: Told | None = None
    again: int = 0
    apologies: int = 0
    given_up: bool = False
    sayings: list[float] = field(default_factory=list)


@dataclass
class Call:
    """One conversation, as its caller saw it. `over`: why it ended, where the caller had not hung up: its last break
    has no way back then."""

    conversation_id: str = ""
    told: list[Told] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    over: str | None = None

    @property
    def noticed(self) -> bool:
        """Something was not as it should be."""
        trouble = any(turn.again or turn.apologies or turn.given_up for turn in self.turns)
        return bool(self.breaks or trouble)

    @property
    def repeated(self) -> int:
        """Messages whose event id does not rise above the one before. The parts of a text share one."""
        ids = [told.event_id for told in self.told if told.type in ("audio", "user_transcript", "interruption")]
        return sum(later <= earlier for earlier, later in pairwise(ids))


def talking_again(call: Call, since: float | None = None) -> list[float]:
    """Of each socket that broke, the seconds until the agent's next words after the conversation went on; infinite:
    there were none. They count from when it broke, of the first one from `since`, if that is given; of a caller who was
    speaking just then, or spoke before those words, from their last one: what they say themselves is no silence."""
    waits = []
    for number, each in enumerate(call.breaks):
        moment = each.at if since is None or number else since
        begun = max([moment, *(turn.until for turn in call.turns if turn.said <= moment <= turn.until)])
        after = math.inf if each.back is None else max(begun, each.back)
        words = min((told.at for told in call.told if told.at >= after and told.type in AGENT), default=math.inf)
        begun = max([begun, *(turn.until for turn in call.turns if turn.spoken and begun < turn.until <= words)])
        waits.append(words - begun)
    return waits


def lost_rows(call: Call, stored: Sequence[Row]) -> list[str]:
    """What the client was told, and is not stored; numbers that are missing between stored events; the end."""
    known = {(row.kind, row.data.get("event_id"), row.data.get(TEXT_OF.get(row.kind, ""), "")) for row in stored}
    told = ((STORED_AS[each.type], each.event_id, each.text) for each in call.told if each.type in STORED_AS)
    lost = [f"{kind} {event_id}" for kind, event_id, text in told if (kind, event_id, text) not in known]
    numbers = {row.sequence for row in stored}
    lost += [f"event {number}" for number in range(max(numbers, default=0)) if number not in numbers]
    return lost if any(row.kind == "ended" for row in stored) else [*lost, "ended"]


def lost_turns(call: Call, stored: Sequence[Row]) -> list[str]:
    """What was said and never heard, heard and never answered, or answered and is not in the record; or is there twice
    though it was said once."""
    record = Counter(row.data["text"] for row in stored if row.kind == "user_turn")
    told = Counter(each.text for each in call.told if each.type == "user_transcript")
    lost = [turn.text for turn in call.turns if turn.given_up or not turn.answer]
    lost += [f"{text} (not recorded)" for text in (told - record).elements()]
    said = Counter(turn.text for turn in call.turns for _ in range(1 + turn.again) if not turn.spoken)
    return lost + [f"{text} (twice)" for text in said if record[text] > said[text]]


def percentile(values: Iterable[float], share: float) -> float:
    """The value that so many of them do not exceed. NaN: there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
