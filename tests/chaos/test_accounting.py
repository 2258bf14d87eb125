import math

import pytest

from tests.chaos.accounting import (
    Break,
    Call,
    Row,
    Told,
    Turn,
    lost_rows,
    lost_turns,
    percentile,
    talking_again,
)


def call() -> Call:
    """One typed turn, answered in two pieces of audio."""
    told = [
        Told(1.0, "user_transcript", 1, "turno 1"),
        Told(1.1, "agent_response", 2, "Eu ouvi: turno 1."),
        Told(1.1, "audio", 3),
        Told(1.2, "audio", 4),
    ]
    turn = Turn("turno 1", spoken=False, said=0.9, heard=told[0], answer=told[1])
    return Call("conv_1", told, [turn])


def stored() -> list[Row]:
    return [
        Row(0, "started", {}),
        Row(1, "user_turn", {"event_id": 1, "text": "turno 1"}),
        Row(2, "agent_turn", {"event_id": 2, "text": "Eu ouvi: turno 1."}),
        Row(3, "audio", {"event_id": 3}),
        Row(4, "audio", {"event_id": 4}),
        Row(5, "ended", {}),
    ]


def test_nothing_is_lost_of_a_call_that_is_stored_whole() -> None:
    assert lost_rows(call(), stored()) == []
    assert lost_turns(call(), stored()) == []
    assert not call().noticed


@pytest.mark.parametrize(
    ("missing", "lost"),
    [
        (1, ["user_turn 1", "event 1"]),
        (2, ["agent_turn 2", "event 2"]),
        (4, ["audio 4", "event 4"]),
        (5, ["ended"]),
        (0, ["event 0"]),
    ],
)
def test_a_row_that_is_missing_is_seen(missing: int, lost: list[str]) -> None:
    rows = stored()
    del rows[missing]
    assert lost_rows(call(), rows) == lost


def test_a_row_with_other_words_is_not_the_one_that_was_told() -> None:
    rows = stored()
    rows[2] = Row(2, "agent_turn", {"event_id": 2, "text": "Eu ouvi: turno 7."})
    assert lost_rows(call(), rows) == ["agent_turn 2"]


def test_a_call_of_which_nothing_is_stored_is_lost_whole() -> None:
    assert lost_rows(call(), []) == ["user_turn 1", "agent_turn 2", "audio 3", "audio 4", "ended"]
    assert lost_turns(call(), []) == ["turno 1 (not recorded)"]


def test_a_turn_without_an_answer_is_lost() -> None:
    lost = call()
    lost.turns.append(Turn("turno 2", spoken=False, said=3.0))
    assert lost_turns(lost, stored()) == ["turno 2"]


def test_a_turn_that_was_said_once_and_is_recorded_twice_is_an_error() -> None:
    rows = [*stored(), Row(6, "user_turn", {"event_id": 9, "text": "turno 1"})]
    assert lost_turns(call(), rows) == ["turno 1 (twice)"]
    said_again = call()
    said_again.turns[0].again = 1
    assert lost_turns(said_again, rows) == []


def test_silence_lasts_from_the_fault_to_the_first_words_after_the_way_back() -> None:
    dropped = call()
    dropped.breaks.append(Break(1.15, "1006", back=1.18))
    assert talking_again(dropped, 1.1) == [pytest.approx(0.1)]
    assert talking_again(dropped) == [pytest.approx(0.05)], "from the break"
    assert dropped.noticed


def test_who_was_speaking_waits_from_their_last_word() -> None:
    dropped = call()
    dropped.turns[0].said, dropped.turns[0].until = 0.5, 1.08
    dropped.breaks.append(Break(1.0, "1006", back=1.05))
    assert talking_again(dropped, 1.0) == [pytest.approx(0.02)]


def test_so_does_who_spoke_before_the_agent_did() -> None:
    dropped = call()
    dropped.turns[0].spoken, dropped.turns[0].said, dropped.turns[0].until = True, 0.7, 1.06
    dropped.breaks.append(Break(0.5, "1006", back=0.6))
    assert talking_again(dropped, 0.5) == [pytest.approx(0.04)]


def test_a_second_break_counts_from_itself() -> None:
    dropped = call()
    dropped.breaks += [Break(1.0, "1006", back=1.05), Break(1.15, "1006", back=1.18)]
    assert talking_again(dropped, 0.5) == [pytest.approx(0.6), pytest.approx(0.05)]


@pytest.mark.parametrize("back", [None, 1.5], ids=["never back", "never a word"])
def test_who_never_hears_anything_again_waits_for_ever(back: float | None) -> None:
    dropped = call()
    dropped.breaks.append(Break(1.3, "1006", back))
    assert talking_again(dropped, 1.3) == [math.inf]


def test_ids_that_do_not_rise_are_counted() -> None:
    repeated = call()
    repeated.told += [Told(2.0, "audio", 4), Told(2.1, "audio", 5)]
    assert (call().repeated, repeated.repeated) == (0, 1)


@pytest.mark.parametrize(("share", "value"), [(0.5, 10.0), (0.95, 19.0), (1.0, 20.0)])
def test_percentiles_are_values_that_occurred(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(20, 0, -1)], share) == value


def test_there_is_no_percentile_of_nothing() -> None:
    assert math.isnan(percentile([], 0.5))
