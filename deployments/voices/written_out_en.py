"""Numbers in English, as they are spoken."""

import re

from deployments.voices.reading import DATE, DAY, MONTH, Language, Reading, beginning, compiled, measure, price, spoken

_NUMBER = r"""(?P<minus>[-−–])?
    (?P<whole>[1-9][0-9]{0,2}(?:,[0-9]{3}){1,5}(?![0-9]) | [0-9]{1,15}(?![0-9]))
    (?:\.(?P<fraction>[0-9]{1,15})(?![0-9]))?"""
_HALF_DAY = r"(?P<half>[aApP])(?:\.[mM]\.|[mM])(?!\w)"

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTH_NAME = rf"(?P<name>{'|'.join(_MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
_SCALES = ("thousand", "million", "billion", "trillion")
# One, many, one hundredth, many hundredths.
_CURRENCIES = {
    "R$": ("real", "reais", "centavo", "centavos"),
    "US$": ("dollar", "dollars", "cent", "cents"),
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
}
# One, many.
_UNITS = {
    "%": ("percent", "percent"),
    "€": ("euro", "euros"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "km": ("kilometer", "kilometers"),
    "m": ("meter", "meters"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "kg": ("kilo", "kilos"),
    "g": ("gram", "grams"),
    "mg": ("milligram", "milligrams"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
}


def _cardinal(number: int) -> str:
    return spoken(number, "en")


def _ordinal(number: int) -> str:
    return spoken(number, "en", "ordinal")


def _year(number: int) -> str:
    return spoken(number, "en", "year")


def _whole(match: re.Match[str]) -> int:
    return int(match["whole"].replace(",", ""))


def _number(match: re.Match[str]) -> str:
    words = _cardinal(_whole(match))
    if fraction := match["fraction"]:
        words += " point " + " ".join(_cardinal(int(digit)) for digit in fraction)
    return f"minus {words}" if match["minus"] else words


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match["unit"]]
    return f"{_number(match)} {one if match['whole'] == '1' and not match['fraction'] else many}"


def _money(match: re.Match[str]) -> str:
    one, many, cent, cents = _CURRENCIES[match["currency"]]
    fraction = match["fraction"] or ""
    if match["scale"] or len(fraction) > 2:
        words = " ".join(filter(None, (_number(match), match["scale"], many)))
    else:
        words = _amount(_whole(match), int(fraction.ljust(2, "0")), (one, many), (cent, cents))
        words = f"minus {words}" if match["minus"] else words
    if match["before"]:
        words = f"minus {words}"
    return f"{words} per {_UNITS.get(match['per'], (match['per'],))[0]}" if match["per"] else words


def _amount(whole: int, hundredths: int, unit: tuple[str, str], hundredth: tuple[str, str]) -> str:
    parts = []
    if whole or not hundredths:
        parts.append(f"{_cardinal(whole)} {unit[whole != 1]}")
    if hundredths:
        parts.append(f"{_cardinal(hundredths)} {hundredth[hundredths != 1]}")
    return " and ".join(parts)


def _date(match: re.Match[str]) -> str:
    """The month first, unless it can be none."""
    month, day = int(match["month"]), int(match["day"])
    return _spoken_date(_MONTHS[month - 1], day, match["year"])


def _named_date(match: re.Match[str]) -> str:
    return _spoken_date(match["name"], int(match["day"]), match["year"])


def _spoken_date(month: str, day: int, year: str | None) -> str:
    name = next(full for full in _MONTHS if full.startswith(month[:3]))
    words = f"{name} {_ordinal(day)}"
    return f"{words} {_year(int(year))}" if year else words


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    words = _cardinal(hour)
    if minute:
        words += f" {'oh ' if minute < 10 else ''}{_cardinal(minute)}"
    elif not match["half"]:
        words += " o'clock" if 0 < hour <= 12 else " hundred"
    return f"{words} {match['half'].upper()}M" if match["half"] else words


def _hour(match: re.Match[str]) -> str:
    return f"{_cardinal(int(match['hour']))} {match['half'].upper()}M"


LANGUAGE = Language(
    begins=beginning(*(name[:3] for name in _MONTHS)),
    readings=(
        Reading(compiled(rf"{MONTH}/{DAY}/(?P<year>[0-9]{{4}})(?![0-9])"), _date),
        Reading(compiled(rf"{DAY}/{MONTH}/(?P<year>[0-9]{{4}})(?![0-9])"), _date),
        Reading(compiled(r"(?P<month>0[1-9]|1[0-2])/(?P<day>0[1-9]|[12][0-9]|3[01])(?![0-9])(?P<year>)"), _date),
        Reading(compiled(r"(?P<day>1[3-9]|2[0-9]|3[01])/(?P<month>0[1-9]|1[0-2])(?![0-9])(?P<year>)"), _date),
        Reading(DATE, _date),
        Reading(
            compiled(rf"{_MONTH_NAME}\s{DAY}(?:st|nd|rd|th)?(?!\w)(?:,?\s(?P<year>[12][0-9]{{3}})(?![0-9]))?"),
            _named_date,
        ),
        Reading(
            compiled(rf"{DAY}(?:st|nd|rd|th)?\s{_MONTH_NAME}(?!\w)(?:,?\s(?P<year>[12][0-9]{{3}})(?![0-9]))?"),
            _named_date,
        ),
        Reading(compiled(rf"(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?![0-9])(?:\s?{_HALF_DAY})?"), _clock),
        Reading(compiled(rf"(?P<hour>0?[1-9]|1[0-2])\s?{_HALF_DAY}"), _hour),
        Reading(price(_NUMBER, _CURRENCIES, _SCALES), _money),
        Reading(measure(_NUMBER, _UNITS), _unit),
        Reading(
            compiled(r"(?P<number>[1-9][0-9]{0,3})(?:st|nd|rd|th)(?!\w)"), lambda match: _ordinal(int(match["number"]))
        ),
        Reading(compiled(r"(?P<year>(?:19|20)[0-9]{2})(?![0-9]|[,.][0-9])"), lambda match: _year(int(match["year"]))),
        Reading(compiled(rf"(?![-−–]?(?:0[0-9]|[0-9]{{5,15}}+(?!\.[0-9]))){_NUMBER}"), _number),
    ),
    to="to",
    digits={str(digit): _cardinal(digit) for digit in range(10)},
)
