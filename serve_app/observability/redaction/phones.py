"""Telephones: Brazil's numbers as they come, those of the United States and the United Kingdom where they are called
telephones or written as such, all others with a +."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from serve_app.observability.redaction.candidate import Candidate, Sure
from serve_app.observability.redaction.context import A_NUMBER
from serve_app.observability.redaction.runs import Window

_OF_PEOPLE = frozenset(
    [
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.PAGER,
    ]
)
_OF_COMPANIES = re.compile(
    r"0(?:800|300|500|900|303)\d{6,8}|1?8(?:00|33|44|55|66|77|88)\d{7}|(?:400|300)\d{5}|4020\d{4}"
)
_BR_MOBILE = re.compile(r"(?:0(?:\d\d)?|0?55)?[1-9][1-9]9\d{8}")
"""Perhaps with the trunk prefix and the code of a carrier, or that of the country."""
_UK_MOBILE = re.compile(r"0?7[1-9]\d{8}")
"""Of Ofcom's plan, with the numbers that it keeps for stories."""
_SHAPES = re.compile(
    r"""
      (?:0[ ]?\d{2}[ ]|55[ ])?                            # 0 15 ..., 55 ...
      (?:0?\(0?\d{2}\)|\d{2}[ ]?-|\d{2}[ ])[ ]?9?[ ]?\d{4}[-. ]?\d{4}  # (11) 98765-4321, 11-3456-7890
    | \d{2}\.9?\d{4}-\d{4}                               # 11.98765-4321
    | 9[ ]?\d{4}-\d{4}                                   # 98765-4321
    | (?:1[-. ])?(?:\(\d{3}\)[ ]?|\d{3}[-./ ])\d{3}[-. ]\d{4}  # (212) 555-0123
    | \(?0\d{2,4}\)?[ ]\d{3,4}[ ]\d{3,4}                # 020 7946 0123
    | 07\d{3}[ ]\d{6}                                    # 07700 900123
    """,
    re.VERBOSE,
)
_PLAIN_SHAPES = re.compile(r"\(\d{2,3}\).+|\d{3}[ ]\d{3}-\d{4}|\d{2}[ ]9\d{4}-\d{4}")
"""Of telephones alone, whatever is said of them."""
_COUNTED = "".join(map(str, range(1, 20)))


def phone(candidate: Candidate) -> Sure:
    digits = candidate.digits
    if _OF_COMPANIES.fullmatch(digits):
        return Sure.NOT
    if candidate.plus and is_international(digits):
        return Sure.ANNOUNCED
    if candidate.said == "PHONE" and candidate.window.clean:
        return Sure.ANNOUNCED if _is_callable(candidate) else Sure.NOT
    if candidate.may_be_something_else and not _PLAIN_SHAPES.fullmatch(candidate.written):
        return Sure.NOT
    return _shaped(candidate) or _bare(candidate)


def _is_callable(candidate: Candidate) -> bool:
    digits = candidate.digits
    if len(digits) == 7:
        return candidate.english or candidate.window.groups in ((3, 4), (7,))
    if len(digits) == 8:
        return digits[0] in "2345"
    if len(digits) == 9:
        return digits[0] == "9"
    return _is_planned(digits) or (candidate.window.whole and len(digits) in (10, 11))


def _shaped(candidate: Candidate) -> Sure:
    if not _SHAPES.fullmatch(candidate.written):
        return Sure.NOT
    if len(candidate.digits) == 9:  # to whom English is spoken, that is a ZIP code
        return Sure.NOT if candidate.english else Sure.SHAPED
    return Sure.SHAPED if _is_planned(candidate.digits) else Sure.NOT


def _bare(candidate: Candidate) -> Sure:
    """Mobiles, unless it is said to be a number at least, or read out in English: too many others have ten digits."""
    digits = candidate.digits
    if not candidate.window.clean or len(digits) < 10:
        return Sure.NOT
    is_mobile = _BR_MOBILE.fullmatch(digits) or (len(digits) == 11 and _UK_MOBILE.fullmatch(digits))
    if is_mobile or _is_read_out(candidate) or candidate.said in (A_NUMBER, "PIX"):
        return Sure.PLANNED if _is_planned(digits) else Sure.NOT
    return Sure.NOT


def _is_read_out(candidate: Candidate) -> bool:
    """In English words, all of it, and neither a list nor somebody who counts."""
    if not (candidate.english and candidate.window.whole) or candidate.digits in _COUNTED:
        return False
    spoken, window = candidate.written.lower().split(), candidate.window
    if "and" in spoken or not any(map(str.isalpha, candidate.written)):
        return False
    return candidate.digits[0] == "0" or _is_parted_as_one(window)


def _is_parted_as_one(window: Window) -> bool:
    """Digit by digit, or in an area code, an exchange and a line."""
    singly = all(len(set(number.digits)) == 1 for number in window.numbers)
    return singly or window.phrases in ((3, 3, 4), (1, 3, 3, 4), (3, 7), (6, 4))


def is_international(digits: str) -> bool:
    """Of a person, beginning with the country's code."""
    return _is_personal(f"+{digits}", None)


def _is_planned(digits: str) -> bool:
    """In Brazil's plan, else in that of the United States or the United Kingdom."""
    if digits.startswith("00"):
        return is_international(digits[2:])
    if _is_personal(digits, "BR"):
        return True
    if digits[0] == "0":
        return bool(_UK_MOBILE.fullmatch(digits)) or _is_personal(digits, "GB")
    return len(digits) in (10, 11) and _is_personal(digits, "US")


def _is_personal(number: str, region: str | None) -> bool:
    try:
        parsed = phonenumbers.parse(number, region)
    except NumberParseException:
        return False
    if parsed.country_code == 44 and _UK_MOBILE.fullmatch(str(parsed.national_number)):
        return True
    return phonenumbers.number_type(parsed) in _OF_PEOPLE
