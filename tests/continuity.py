"""Whether a call that was cut went on as if nothing had been: against the same call, whole."""

import base64
from collections.abc import Sequence
from typing import Any

from serve_app.conversation.toolbox import LOST
from serve_app.ports import ModelRequest
from tests.legs import Leg, event_id
from tests.spelling import joined, spelled, words

FREE = {"interrupted by voice", "interrupted in writing", "the end of its time", "a murmur over it"}
"""How much is heard of an answer before its interruption depends on where it was cut."""
FILLER = words("Só um momento")


def spoken(frames: Sequence[dict[str, Any]]) -> str:
    """What is heard in these."""
    return spelled(
        base64.b64decode(frame["audio_event"]["audio_base_64"]) for frame in frames if frame["type"] == "audio"
    )


def told(request: ModelRequest) -> list[tuple[str, str, tuple[str, ...], str]]:
    return [
        (m.role, m.content.strip(), tuple(call.id for call in m.tool_calls), m.tool_call_id) for m in request.messages
    ]


def check_record(leg: Leg) -> None:
    events = leg.events
    assert [event.sequence for event in events] == list(range(len(events)))
    kinds = [event.kind for event in events]
    assert kinds.count("ended") == 1
    assert kinds[-1] == "ended"
    assert (events[-1].data["error"] or {}).get("code") != 1011, events[-1].data
    calls = [event.data["tool_call_id"] for event in events if event.kind == "tool_call"]
    assert len(calls) == len(set(calls)), calls
    turns = [event.data for event in events if event.kind == "agent_turn"]
    responses = [turn["event_id"] for turn in turns]
    assert len(responses) == len(set(responses))
    for turn in turns:
        same = [other for other in turns if other["turn"] == turn["turn"] and other is not turn]
        assert all(other["end"] <= turn["start"] or turn["end"] <= other["start"] for other in same), turns
    assert {event.data["event_id"] for event in events if event.kind == "correction"} <= set(responses)


def check_wire(leg: Leg) -> None:
    types = [frame["type"] for frame in leg.frames]
    assert types[0] == "conversation_initiation_metadata"
    assert types.count("conversation_initiation_metadata") == 1
    audio = [event_id(frame) for frame in leg.all_frames if frame["type"] == "audio"]
    assert audio == sorted(set(audio))


def check(leg: Leg) -> None:
    check_record(leg)
    check_wire(leg)


def heard_in_all(leg: Leg) -> list[str]:
    """On the same replica the voice goes on within a word."""
    replicas: list[list[dict[str, Any]]] = []
    for frame in leg.all_frames:
        if frame["type"] == "conversation_initiation_metadata" and "same_replica" not in frame:
            replicas.append([])
        replicas[-1].append(frame)
    return joined([spoken(frames) for frames in replicas])


def without_fillers(said: list[str]) -> list[str]:
    text = " ".join(said)
    for length in range(len(FILLER), 0, -1):
        text = text.replace(" ".join(FILLER[:length]) + " ", "")
    return text.split()


def check_against(whole: Leg, leg: Leg, name: str) -> None:
    check(leg)
    kinds = [event.kind for event in leg.events]
    assert kinds.count("user_turn") == sum(event.kind == "user_turn" for event in whole.events)
    if leg.script.ends:
        last = words(spoken([frame for frame in whole.frames if event_id(frame) > whole_last(whole)]))
        assert "".join(heard_in_all(leg)).endswith("".join(last))
        assert leg.events[-1].data["reason"] == whole.events[-1].data["reason"]
    if name not in FREE and cut_off(leg) == cut_off(whole):
        assert without_fillers(heard_in_all(leg)) == without_fillers(joined([spoken(whole.frames)]))
    if leg.script.asks_at_last and not leg.script.ends and leg.model.asked:
        expected, got = told(whole.model.asked[-1]), told(leg.model.asked[-1])
        assert shape(got) == shape(expected)
        for (_, content, *_), (_, wanted, *_) in zip(got, expected, strict=True):
            same = without_fillers(words(content)) == without_fillers(words(wanted))
            assert same or content == LOST or name in FREE or cut_off(leg) != cut_off(whole)


def cut_off(leg: Leg) -> int:
    """Answers. What is said again, because it was lost, may come late enough to be interrupted."""
    return sum(event.kind == "correction" for event in leg.events)


def whole_last(leg: Leg) -> int:
    """Before the last turn's first sound."""
    turn = max(event.data["turn"] for event in leg.events if event.kind == "audio")
    return min(e.data["event_id"] for e in leg.events if e.kind == "audio" and e.data["turn"] == turn) - 1


def shape(messages: list[tuple[str, str, tuple[str, ...], str]]) -> list[Any]:
    return [(role, calls, call_id) for role, _, calls, call_id in messages]
