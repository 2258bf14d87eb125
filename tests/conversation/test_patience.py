import pytest

from serve_app.conversation.agent import ConversationConfig, Rules, Turn
from serve_app.conversation.patience import SPEAK_UPS, TRANSPORT_S, Overdue, Patience

NEVER = float("inf")


def new_patience(
    *, now: float = 0.0, text_only: bool = False, max_duration_seconds: int = 600, **turn: float
) -> Patience:
    rules = Rules(text_only=text_only, max_duration_seconds=max_duration_seconds)
    patience = Patience(ConversationConfig(turn=Turn(**{"turn_timeout": 7.0, **turn}), conversation=rules), now)  # type: ignore[arg-type]
    patience.received(1e6)  # the line is no matter here
    return patience


def speak_up(patience: Patience, now: float, *, seconds: float = 1.0) -> float:
    """As the conversation does; when the agent has finished."""
    assert patience.overdue(now, idle=True) is Overdue.SPEAK_UP
    patience.spoke_up()
    patience.quiet_from(now + seconds)
    return now + seconds


def test_at_first_it_waits_for_the_caller_as_long_as_it_says() -> None:
    assert new_patience(now=10.0).deadline(idle=True) == 17.0
    assert new_patience(now=10.0, initial_wait_time=30.0).deadline(idle=True) == 40.0


def test_nothing_is_overdue_before_its_deadline() -> None:
    patience = new_patience()
    deadline = patience.deadline(idle=True)
    assert patience.overdue(deadline - 1e-3, idle=True) is None
    assert patience.overdue(deadline, idle=True) is Overdue.SPEAK_UP


def test_who_speaks_is_not_waited_for() -> None:
    patience = new_patience(silence_end_call_timeout=3.0)
    assert patience.deadline(idle=False) == 600
    assert patience.overdue(599, idle=False) is None


def test_the_agent_speaks_up_so_often_in_a_row_and_no_more() -> None:
    patience, now = new_patience(), 0.0
    for _ in range(SPEAK_UPS):
        now = speak_up(patience, now + 7)
    assert patience.deadline(idle=True) == 600
    patience.user_spoke(50)
    assert patience.deadline(idle=True) == 57


def test_waiting_is_until_the_caller_speaks() -> None:
    patience = new_patience()
    patience.wait()
    patience.quiet_from(5)
    assert patience.overdue(590, idle=True) is None
    patience.user_spoke(590)
    assert patience.overdue(597, idle=True) is Overdue.SPEAK_UP


def test_silence_counts_on_while_the_agent_speaks_up() -> None:
    patience = new_patience(silence_end_call_timeout=20.0)
    now = speak_up(patience, 7)
    now = speak_up(patience, now + 7)
    assert patience.deadline(idle=True) == 20
    assert patience.overdue(20, idle=True) is Overdue.SILENCE


@pytest.mark.parametrize("agent_spoke", [True, False])
def test_silence_begins_anew_when_somebody_has_spoken(*, agent_spoke: bool) -> None:
    patience = new_patience(silence_end_call_timeout=5.0, turn_timeout=30.0)
    if agent_spoke:
        patience.quiet_from(4)
    else:
        patience.user_spoke(4)
    assert patience.deadline(idle=True) == 9


@pytest.mark.parametrize("off", [-1.0, 0.0])
def test_silence_ends_no_call_unless_it_may(off: float) -> None:
    assert new_patience(silence_end_call_timeout=off, turn_timeout=1000).deadline(idle=True) == 600


def test_a_call_lasts_as_long_as_it_may_whoever_speaks() -> None:
    patience = new_patience(now=10.0, max_duration_seconds=60)
    assert patience.overdue(69, idle=False) is None
    assert patience.overdue(70, idle=False) is Overdue.TIME_UP


def test_the_gravest_comes_first() -> None:
    config = ConversationConfig(
        turn=Turn(turn_timeout=1, silence_end_call_timeout=1), conversation=Rules(max_duration_seconds=1)
    )
    patience = Patience(config, 0)
    assert patience.overdue(100, idle=True) is Overdue.TIME_UP
    patience.finished()
    assert patience.overdue(100, idle=True) is Overdue.TRANSPORT
    patience.received(100)
    assert patience.overdue(100, idle=True) is Overdue.SILENCE
    patience.user_spoke(99.5)
    assert patience.overdue(100, idle=True) is None


def test_a_line_without_anything_is_dead() -> None:
    patience = Patience(ConversationConfig(), 0)
    assert patience.overdue(TRANSPORT_S, idle=False) is Overdue.TRANSPORT
    patience.received(30)
    assert patience.overdue(TRANSPORT_S, idle=False) is None
    assert patience.overdue(30 + TRANSPORT_S, idle=False) is Overdue.TRANSPORT


def test_in_writing_only_the_length_of_the_call_counts() -> None:
    patience = new_patience(text_only=True, silence_end_call_timeout=5.0)
    assert patience.deadline(idle=True) == 600
    patience.finished()
    assert patience.deadline(idle=True) == NEVER
