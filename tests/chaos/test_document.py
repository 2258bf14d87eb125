from dataclasses import replace

from tests.chaos.accounting import Break
from tests.chaos.document import document, terminal
from tests.chaos.faults import Fault
from tests.chaos.outcome import DEATH, NO_DROPS, NOTHING_LOST, Outcome
from tests.chaos.test_accounting import call, stored


async def happens(_: object) -> None: ...


FAULT = Fault("SIGKILL of a part", happens, (DEATH, NOTHING_LOST, NO_DROPS))


def outcome() -> Outcome:
    """Two calls, one of which broke and went on 0.1 s later."""
    dropped = call()
    dropped.conversation_id = "conv_2"
    dropped.breaks.append(Break(1.15, "1006: no close frame", back=1.18))
    records = {"conv_1": stored(), "conv_2": stored()}
    return Outcome(1.1, [call(), dropped], records, refused_s=0.0, whole_s=3.4, busy=0.5)


def test_a_row_tells_what_it_cost_and_which_bars_are_met() -> None:
    page = document([(FAULT, outcome())], 0.04)
    assert "| SIGKILL of a part | 1 of 2 | 0.1 | 0.1 | 0 of 2 | 0 | 0 of 12 | 1 |  | 3.4 | 50% |" in page
    assert "- SIGKILL of a part: no turn and no row is lost, none comes twice: met" in page
    assert "- SIGKILL of a part: no socket breaks: **not met**" in page


def test_what_is_lost_is_told_by_name() -> None:
    incomplete = replace(outcome(), stored={"conv_1": stored(), "conv_2": stored()[:-2]})
    told = terminal(FAULT, incomplete)
    assert "lost: audio 4, ended" in told
    assert "no turn and no row is lost, none comes twice: **not met**" in told
    assert "broken: 1006: no close frame (1)" in told


def test_a_call_that_ends_is_one_that_never_talks_again() -> None:
    over = outcome()
    over.calls[0].over = "1011: "
    over.calls[0].breaks.append(Break(1.2, "1011: "))
    assert over.drops == 2
    assert "| 2 of 2 | 0.1 | never |" in document([(FAULT, over)], 0.04)
    assert not DEATH.met(over)


def test_a_fault_that_cannot_be_had_says_why() -> None:
    assert "| SIGKILL of a part | not run: no root |" in document([(FAULT, "no root")], 0.04)
