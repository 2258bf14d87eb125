from serve_app.conversation import endpointing
from serve_app.conversation.turn_states import TRANSITIONS
from tests.turn_taking_page import PAGE, constants, page, states


def test_the_page_is_as_the_code_is() -> None:
    """If not: python -m tests.turn_taking_page"""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


def test_the_diagram_has_every_transition() -> None:
    arrows = [line for line in states().splitlines() if ": " in line and "[*]" not in line]
    assert len(arrows) == sum(map(len, TRANSITIONS.values()))


def test_a_constant_is_told_with_its_value_and_reason() -> None:
    assert f"| `SILENCE_S` | {endpointing.SILENCE_S} | They have finished." in constants(endpointing)
