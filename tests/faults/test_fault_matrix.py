import re
from concurrent.futures import Future

import pytest

from serve_app.ports import LogEvent
from tests.faults.line import Turn
from tests.faults.matrix import CELLS, Cell, Outcome, Stage, Trouble
from tests.faults.report import DOCUMENT, document

FALLBACK: dict[str, object] = {"stage": "stt", "failed": "Groq Whisper", "why": "late", "instead": "local Whisper"}
CELL = Cell(Stage.STT, Trouble.STALL, True)


@pytest.fixture(scope="module")
def found(matrix: Future[list[Outcome]]) -> dict[Cell, Outcome]:
    return {outcome.cell: outcome for outcome in matrix.result()}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_caller_is_answered_and_the_provider_used_again(found: dict[Cell, Outcome], cell: Cell) -> None:
    assert found[cell].broken_rules == []


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.has_fallback], ids=str)
def test_with_a_fallback_the_whole_answer_is_heard(found: dict[Cell, Outcome], cell: Cell) -> None:
    assert found[cell].faulty.text.endswith("You can choose a new one on our page. I will send you the address.")


@pytest.mark.parametrize("cell", [cell for cell in CELLS if not cell.has_fallback], ids=str)
def test_without_one_an_apology_is_heard_that_was_prepared(found: dict[Cell, Outcome], cell: Cell) -> None:
    sorry = "Sorry, I had a problem answering. Could you say that again, please?"
    assert found[cell].faulty.text.endswith(sorry)
    assert sorry in found[cell].prepared


def test_the_document_has_every_cell() -> None:
    rows = re.findall(r"^\| (.+?) \| (there|none left) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(cell.trouble.title, "there" if cell.has_fallback else "none left") for cell in CELLS]


# ---- the rules themselves


def turn(text: str, silence_s: float = 0.5, **recorded: dict[str, object]) -> Turn:
    data = {"agent_turn": {"text": text, "event_id": 1}, **recorded}
    return Turn(text, silence_s, silence_s, [LogEvent("c", i, 0.0, kind, data[kind]) for i, kind in enumerate(data)])


def outcome(faulty: Turn, following: Turn, *, asked_again: bool = True, lives: bool = True) -> Outcome:
    return Outcome(CELL, faulty, following, [], asked_again, lives)


def test_a_good_outcome_breaks_no_rule() -> None:
    assert outcome(turn("Yes.", fallback=FALLBACK), turn("Yes.")).broken_rules == []


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (outcome(turn("Yes.", 2.1, fallback=FALLBACK), turn("Yes.")), "no silence is longer than 2 s"),
        (outcome(turn("", fallback=FALLBACK), turn("Yes.")), "something is heard"),
        (outcome(turn("Yes."), turn("Yes.")), "what happened is recorded"),
        (outcome(turn("Yes.", fallback=FALLBACK), turn("Yes."), lives=False), "the call goes on"),
        (
            outcome(turn("Yes.", fallback=FALLBACK), turn("Yes.", fallback=FALLBACK)),
            "the next turn uses the healed provider",
        ),
        (
            outcome(turn("Yes.", fallback=FALLBACK), turn("Yes."), asked_again=False),
            "the next turn uses the healed provider",
        ),
        (
            outcome(turn("Yes.", fallback=FALLBACK, none_response={}), turn("Yes.")),
            "no turn ends without a word",
        ),
        (
            outcome(turn("Yes.", fallback=FALLBACK)._replace(text="Yes. And no."), turn("Yes.")),
            "what was heard is recorded",
        ),
    ],
)
def test_a_bad_one_does(bad: Outcome, rule: str) -> None:
    assert bad.broken_rules == [rule]


def test_a_row_tells_where_a_voice_was_cut_off() -> None:
    cut_off = outcome(turn("YouSorry.", 1.234, fallback=FALLBACK), turn("Yes."))._replace(prepared=["Sorry."])
    [row] = [line for line in document([cut_off]).splitlines() if line.startswith("| stall")]
    assert row == (
        "| stall before the first byte | there | You… *Sorry.* | 1230 | 1230 "
        "| fallback: Groq Whisper → local Whisper (late) | uses it |"
    )
