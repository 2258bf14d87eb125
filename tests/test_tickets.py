import pytest

from serve_app.errors import ClientError
from serve_app.tickets import Ticket, ticket_of


def test_the_record_knows_the_token_by_its_hash_alone() -> None:
    ticket = Ticket.new(100.0)
    assert ticket.token not in str(ticket.record)
    assert ticket_of(ticket.token, ticket.record, 99.0) == ticket


def test_no_two_are_alike() -> None:
    assert len({Ticket.new(0.0).token for _ in range(100)}) == 100
    assert len(Ticket.new(0.0).token) >= 40


@pytest.mark.parametrize("token", ["", "another", "é", "x" * 10_000])
def test_another_token_opens_nothing(token: str) -> None:
    with pytest.raises(ClientError, match="not this conversation's"):
        ticket_of(token, Ticket("right", 100.0).record, 99.0)


def test_one_that_is_too_old_opens_nothing() -> None:
    with pytest.raises(ClientError, match="expired"):
        ticket_of("right", Ticket("right", 100.0).record, 100.0)


def test_a_conversation_without_one_cannot_be_resumed() -> None:
    with pytest.raises(ClientError, match="not this conversation's"):
        ticket_of("right", None, 0.0)
