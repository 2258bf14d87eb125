import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.allowance import (
    AUDIO_AHEAD_S,
    CHARACTERS_AT_ONCE,
    EVENTS_AT_ONCE,
    EVENTS_PER_S,
    MESSAGES_AT_ONCE,
    TURNS_AT_ONCE,
    Allowance,
    Bucket,
)
from serve_app.errors import ClientError


@pytest.mark.parametrize("per_s", [4, 31, 50, 100])
def test_a_microphone_is_never_too_much(per_s: int) -> None:
    allowance = Allowance(0.0)
    for number in range(600 * per_s):
        allowance.message(900, number / per_s, is_audio=True)
        allowance.audio(1 / per_s, number / per_s)


def test_after_a_stall_all_of_it_comes_at_once() -> None:
    allowance = Allowance(0.0)
    for _ in range(20 * 50):
        allowance.message(900, 100.0, is_audio=True)
        allowance.audio(0.020, 100.0)
    with pytest.raises(ClientError, match="real time"):
        allowance.audio(AUDIO_AHEAD_S, 100.0)


def test_a_recording_may_come_in_one_go_if_it_is_short() -> None:
    allowance = Allowance(0.0)
    allowance.audio(AUDIO_AHEAD_S, 0.0)
    with pytest.raises(ClientError, match="real time"):
        allowance.audio(0.02, 0.0)
    allowance.audio(0.02, 0.02)


def test_silence_saves_nothing_up() -> None:
    allowance = Allowance(0.0)
    allowance.audio(AUDIO_AHEAD_S, 600.0)
    with pytest.raises(ClientError, match="real time"):
        allowance.audio(0.02, 600.0)


@pytest.mark.parametrize(("is_audio", "most"), [(True, MESSAGES_AT_ONCE), (False, EVENTS_AT_ONCE)])
def test_a_flood_is_ended(is_audio: bool, most: float) -> None:
    allowance = Allowance(0.0)
    for _ in range(int(most)):
        allowance.message(20, 0.0, is_audio=is_audio)
    with pytest.raises(ClientError, match="too many messages"):
        allowance.message(20, 0.0, is_audio=is_audio)


def test_each_answer_costs_more_than_its_words() -> None:
    allowance = Allowance(0.0)
    for _ in range(int(TURNS_AT_ONCE)):
        allowance.message(50, 0.0, is_turn=True)
    with pytest.raises(ClientError, match="answered"):
        allowance.message(50, 0.1, is_turn=True)
    allowance.message(50, 0.2)


def test_long_texts_are_few() -> None:
    allowance = Allowance(0.0)
    for number in range(int(CHARACTERS_AT_ONCE / 100_000)):
        allowance.message(100_000, float(number) * 1e-3, is_audio=False)
    with pytest.raises(ClientError, match="too much text"):
        allowance.message(100_000, 1.0, is_audio=False)
    allowance.message(1_000_000, 1.0, is_audio=True)


def test_what_was_used_comes_back() -> None:
    allowance = Allowance(0.0)
    for _ in range(int(EVENTS_AT_ONCE)):
        allowance.message(20, 0.0, is_audio=False)
    with pytest.raises(ClientError, match="too many messages"):
        allowance.message(20, 0.0, is_audio=False)
    allowance.message(20, 1 / EVENTS_PER_S + 1e-9, is_audio=False)


@given(st.lists(st.floats(0, 2), max_size=200), st.floats(1, 50), st.floats(1, 20))
def test_a_bucket_gives_what_it_has_and_no_more(pauses: list[float], per_s: float, at_once: float) -> None:
    bucket, now, taken = Bucket(per_s, at_once, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        assert taken <= at_once + now * per_s + 1e-6
