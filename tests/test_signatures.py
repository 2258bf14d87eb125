import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serve_app.errors import ClientError
from serve_app.signatures import VALID_S, Grant, Signatures

SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000.0


class Clock:
    """Unix seconds, as the test says."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("conversation_id", [None, "conv_1"])
def test_a_signature_is_read_on_any_replica(conversation_id: str | None) -> None:
    signature = Signatures(SECRET, Clock()).sign("ana", conversation_id)
    assert Signatures(SECRET, Clock()).read(signature) == Grant("ana", conversation_id, NOW + VALID_S)


def test_it_needs_no_escaping_in_a_url_or_a_subprotocol() -> None:
    signature = Signatures(SECRET).sign("agente/ação?&=" * 20, "conv_1")
    assert set(signature) <= set(string.ascii_letters + string.digits + "-_.")


def test_a_node_whose_clock_is_behind_reads_it() -> None:
    behind = Clock()
    behind.now -= 2.0
    assert Signatures(SECRET, behind).read(Signatures(SECRET, Clock()).sign("ana")).agent_id == "ana"


def test_it_is_valid_for_15_minutes() -> None:
    clock = Clock()
    signatures = Signatures(SECRET, clock)
    signature = signatures.sign("ana")
    clock.now += 15 * 60 - 0.001
    signatures.read(signature)
    clock.now += 0.001
    with pytest.raises(ClientError, match="has expired: open a signed URL within 15 minutes"):
        signatures.read(signature)


def test_another_secrets_signature_is_not_ours() -> None:
    with pytest.raises(ClientError, match="is not valid"):
        Signatures(SECRET, Clock()).read(Signatures(SECRET[::-1], Clock()).sign("ana"))


SIGNED = Signatures(SECRET, Clock()).sign("ana", "conv_1")
positions = st.integers(0, len(SIGNED) - 1)
likely = st.sampled_from(string.ascii_letters + string.digits + "-_.+/= \n")


@given(positions, st.one_of(likely, st.characters()))
def test_with_any_character_changed_it_is_refused(at: int, character: str) -> None:
    assume(SIGNED[at] != character)
    refuse(SIGNED[:at] + character + SIGNED[at + 1 :])


@pytest.mark.parametrize("character", string.ascii_letters + string.digits + "-_.")
def test_its_last_character_has_one_spelling(character: str) -> None:
    """In base64 it may have spare bits."""
    if character != SIGNED[-1]:
        refuse(SIGNED[:-1] + character)


@given(positions, st.one_of(likely, st.characters()))
def test_with_a_character_more_it_is_refused(at: int, character: str) -> None:
    refuse(SIGNED[:at] + character + SIGNED[at:])
    refuse(SIGNED + character)


@given(positions)
def test_with_a_character_less_it_is_refused(at: int) -> None:
    refuse(SIGNED[:at] + SIGNED[at + 1 :])


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    refuse(text)


def refuse(signature: str) -> None:
    with pytest.raises(ClientError, match="is not valid"):
        Signatures(SECRET, Clock()).read(signature)


# ---- once


def test_a_grant_for_one_conversation_is_used_once() -> None:
    signatures = Signatures(SECRET, Clock())
    signatures.use(Grant("ana", "conv_1", NOW + VALID_S))
    signatures.use(Grant("ana", "conv_2", NOW + VALID_S))
    with pytest.raises(ClientError, match="has been used"):
        signatures.use(Grant("ana", "conv_1", NOW + VALID_S))


def test_one_for_any_conversation_is_used_often() -> None:
    signatures = Signatures(SECRET, Clock())
    for _ in range(3):
        signatures.use(Grant("ana", None, NOW + VALID_S))
    assert signatures._used == {}, "nothing to be remembered"


def test_what_has_been_used_is_remembered_while_it_is_valid_and_no_longer() -> None:
    clock = Clock()
    signatures = Signatures(SECRET, clock)
    for number in range(100):
        signatures.use(Grant("ana", f"conv_{number}", NOW + VALID_S))
    clock.now += VALID_S - 1.0
    with pytest.raises(ClientError):
        signatures.use(Grant("ana", "conv_0", NOW + VALID_S))
    clock.now += 1.0
    signatures.use(Grant("ana", "conv_new", clock.now + VALID_S))
    assert len(signatures._used) == 1
