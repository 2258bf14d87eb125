"""Payment cards: by their issuer's prefix, their length and Luhn's check digit."""

from stdnum import luhn

from serve_app.observability.redaction.candidate import Candidate, Sure

_ISSUERS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (4, 4, (13, 16, 19)),  # Visa, and most of Elo
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),
    (5041, 5041, (16,)),  # Elo
    (5066, 5067, (16,)),
    (5090, 5099, (16,)),
    (6277, 6277, (16,)),
    (6362, 6363, (16,)),
    (6500, 6516, (16,)),
    (6550, 6550, (16,)),
    (3841, 3841, (16, 19)),  # Hipercard
    (6062, 6062, (16, 19)),
    (300, 305, (14,)),  # Diners Club
    (36, 36, (14, 16)),
    (38, 39, (14, 16)),
    (6011, 6011, (16, 19)),  # Discover
    (644, 659, (16, 19)),
    (3528, 3589, (16,)),  # JCB
    (62, 62, (16, 17, 18, 19)),  # UnionPay
    (5018, 5018, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (5020, 5020, (13, 14, 15, 16, 17, 18, 19)),
    (5038, 5038, (13, 14, 15, 16, 17, 18, 19)),
    (5893, 5893, (13, 14, 15, 16, 17, 18, 19)),
    (6304, 6304, (13, 14, 15, 16, 17, 18, 19)),
    (6759, 6763, (13, 14, 15, 16, 17, 18, 19)),
)
"""Prefixes from and to, and lengths (ISO/IEC 7812 and the issuers' own lists)."""
_SHAPES = ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3))


def card(candidate: Candidate) -> Sure:
    digits = candidate.digits
    if not _is_issued(digits) or not luhn.is_valid(digits):
        return Sure.NOT
    if candidate.said == "CARD":
        return Sure.ANNOUNCED
    if candidate.window.groups in _SHAPES:
        return Sure.SHAPED
    usual = len(digits) in (15, 16) and candidate.window.clean
    return Sure.CHECKED if usual and not candidate.is_something_else else Sure.NOT


def _is_issued(digits: str) -> bool:
    return len(digits) in _BY_PREFIX.get(digits[:4], ())


def _by_prefix() -> dict[str, frozenset[int]]:
    """Lengths, by the first four digits."""
    lengths: dict[str, frozenset[int]] = {}
    for first, last, those in _ISSUERS:
        width = 10 ** (4 - len(str(first)))
        for prefix in range(first * width, (last + 1) * width):
            lengths[str(prefix)] = lengths.get(str(prefix), frozenset()).union(those)
    return lengths


_BY_PREFIX = _by_prefix()
