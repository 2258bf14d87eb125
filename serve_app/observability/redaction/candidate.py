"""Numbers that may be a datum, with what is known about them."""

from enum import IntEnum
from typing import NamedTuple

from serve_app.observability.redaction.context import SOMETHING_ELSE, SOMETHING_ELSE_BEFORE
from serve_app.observability.redaction.runs import Window


class Sure(IntEnum):
    """How sure it is that a candidate is what it is taken for."""

    NOT = 0
    PLANNED = 1
    """No number plan is against it."""
    CHECKED = 2
    """Its check digits are right."""
    SHAPED = 3
    """It is written as such numbers are, and right."""
    ANNOUNCED = 4


class Candidate(NamedTuple):
    """`said`: what it is announced as. `written`: as it stands in the text. `plus`: there is a + before it.
    `english`: the text is rather English than Portuguese."""

    window: Window
    said: str
    written: str
    plus: bool
    english: bool

    @property
    def digits(self) -> str:
        return self.window.digits

    @property
    def is_something_else(self) -> bool:
        return self.said == SOMETHING_ELSE

    @property
    def may_be_something_else(self) -> bool:
        return self.said in (SOMETHING_ELSE, SOMETHING_ELSE_BEFORE)
