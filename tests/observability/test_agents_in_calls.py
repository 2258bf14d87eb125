from typing import Any

from serve_app.observability.agents_in_calls import MOST_CALLS, UNKNOWN, AgentsInCalls
from serve_app.ports import LogEvent


def event(kind: str, call: str = "conv_1", **data: Any) -> LogEvent:
    return LogEvent(call, 0, 0.0, kind, data)


def test_a_call_is_its_first_agent_s_to_its_end() -> None:
    agents = AgentsInCalls()
    told = [event("started", agent_id="sales"), event("user_turn"), event("transfer", agent_id="billing")]
    assert [agents.of(each) for each in [*told, event("agent_turn"), event("ended")]] == ["sales"] * 5
    assert agents.of(event("ended")) == UNKNOWN


def test_a_call_that_came_from_elsewhere_is_known_once_it_goes_on() -> None:
    agents = AgentsInCalls()
    assert agents.of(event("clause")) == UNKNOWN
    assert agents.of(event("resumed", agent_id="sales")) == "sales"
    assert agents.of(event("user_turn")) == "sales"


def test_calls_that_never_say_goodbye_make_room() -> None:
    agents = AgentsInCalls()
    for number in range(MOST_CALLS + 1):
        agents.of(event("started", f"conv_{number}", agent_id="sales"))
    assert agents.of(event("user_turn", "conv_0")) == UNKNOWN
    assert agents.of(event("user_turn", "conv_1")) == "sales"
