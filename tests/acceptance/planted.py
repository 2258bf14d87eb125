"""Personal data of callers who do not exist: valid by their check digits, each caller's their own, and easy to find."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stdnum import luhn
from stdnum.br import cpf


class Person(NamedTuple):
    """Digits alone."""

    cpf: str
    card: str
    phone: str

    @property
    def introduction(self) -> str:
        return f"Meu CPF é {self.typed_cpf}, o cartão {self.typed_card}, e o telefone {self.typed_phone}."

    @property
    def typed_cpf(self) -> str:
        return cpf.format(self.cpf)

    @property
    def typed_card(self) -> str:
        return " ".join(self.card[start : start + 4] for start in range(0, 16, 4))

    @property
    def typed_phone(self) -> str:
        return f"({self.phone[:2]}) {self.phone[2:7]}-{self.phone[7:]}"

    @property
    def traces(self) -> list[bytes]:
        """As any of it might be written somewhere."""
        return [text.encode() for text in (*self, self.typed_cpf, self.typed_card, self.typed_phone)]


def people(count: int) -> list[Person]:
    """The same ones each time."""
    digits = random.Random(390)
    return [_person(digits) for _ in range(count)]


def _person(digits: random.Random) -> Person:
    nine, card = f"{digits.randrange(10**8, 10**9)}", f"4{digits.randrange(10**13, 10**14)}"
    phone = f"119{digits.randrange(5 * 10**7, 10**8)}"
    valid = next(each for last in range(100) if cpf.is_valid(each := f"{nine}{last:02}"))
    return Person(valid, card + luhn.calc_check_digit(card), phone)


def found(persons: list[Person], *places: Path) -> Iterator[str]:
    """Files there, or in folders there, and what of whom is in them."""
    for file in sorted(each for place in places for each in (place, *place.rglob("*")) if each.is_file()):
        content = file.read_bytes()
        yield from (f"{file}: {trace.decode()}" for person in persons for trace in person.traces if trace in content)
