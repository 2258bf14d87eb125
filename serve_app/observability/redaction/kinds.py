"""Whose number is it? One judge a kind: how sure it is that a candidate is one."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from stdnum.br import cnpj as cnpjs
from stdnum.br import cpf as cpfs

from serve_app.observability.redaction.candidate import Candidate, Sure
from serve_app.observability.redaction.cards import card
from serve_app.observability.redaction.phones import phone
from serve_app.observability.redaction.runs import LONGEST

_CPF = re.compile(r"\d{3}[. ]\d{3}[. ]\d{3}[-/ .]\d{2}|\d{9}-\d{2}")
_CNPJ = re.compile(r"\d{2}[. ]?\d{3}[. ]?\d{3}[/ ]?\d{4}[- ]\d{2}")
_CEP = re.compile(r"\d{2}\.?\d{3}-\d{3}")


def cpf(candidate: Candidate) -> Sure:
    """Announced as one, it needs no check digits: recognisers mishear."""
    if candidate.said == "CPF":
        return Sure.ANNOUNCED
    return _checked(candidate, _CPF) if cpfs.is_valid(candidate.digits) else Sure.NOT


def cnpj(candidate: Candidate) -> Sure:
    if candidate.said == "CNPJ":
        return Sure.ANNOUNCED
    return _checked(candidate, _CNPJ) if cnpjs.is_valid(candidate.digits) else Sure.NOT


def _checked(candidate: Candidate, shape: re.Pattern[str]) -> Sure:
    if shape.fullmatch(candidate.written):
        return Sure.SHAPED
    if not candidate.window.clean or candidate.is_something_else or len(set(candidate.digits)) == 1:
        return Sure.NOT
    return Sure.CHECKED


def cep(candidate: Candidate) -> Sure:
    if candidate.said == "CEP":
        return Sure.ANNOUNCED
    return Sure.SHAPED if _CEP.fullmatch(candidate.written) and not candidate.may_be_something_else else Sure.NOT


def rg(candidate: Candidate) -> Sure:
    """It has no plan: each state numbers its own. Only the word tells."""
    is_one = candidate.said == "RG" and candidate.window.clean
    return Sure.ANNOUNCED if is_one else Sure.NOT


Judge = Callable[[Candidate], Sure]
_JUDGES: Mapping[str, tuple[Judge, range]] = {
    "CNPJ": (cnpj, range(14, 15)),
    "CPF": (cpf, range(11, 12)),
    "CARD": (card, range(13, 20)),
    "PHONE": (phone, range(7, 16)),
    "CEP": (cep, range(8, 9)),
    "RG": (rg, range(6, 12)),
}
"""With how many digits each has. Of two that are as sure, the first is right."""
_BY_LENGTH: Sequence[Sequence[tuple[str, Judge]]] = [
    [(kind, judge) for kind, (judge, lengths) in _JUDGES.items() if length in lengths] for length in range(LONGEST + 1)
]


def judged(candidate: Candidate) -> tuple[Sure, str]:
    """What it surest is."""
    verdicts = [(judge(candidate), kind) for kind, judge in _BY_LENGTH[len(candidate.digits)]]
    return max(verdicts, key=itemgetter(0), default=(Sure.NOT, ""))
