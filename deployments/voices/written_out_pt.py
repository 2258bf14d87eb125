"""Numbers in Brazilian Portuguese, as they are spoken."""

import re

from deployments.voices.reading import DATE, DAY, MONTH, Language, Reading, beginning, compiled, measure, price, spoken

_NUMBER = r"""(?P<minus>[-−–])?
    (?P<whole>[1-9][0-9]{0,2}(?:\.[0-9]{3}){1,5}(?![0-9]) | [0-9]{1,15}(?![0-9]))
    (?:(?P<mark>[,.])(?P<fraction>[0-9]{1,15})(?![0-9]))?"""
_HOUR = r"(?P<hour>[01]?[0-9]|2[0-3])"

_MONTHS = (
    "janeiro", "fevereiro", "março", "abril", "maio", "junho",
    "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
)  # fmt: skip
_SCALES = ("mil", "milhão", "milhões", "bilhão", "bilhões", "trilhão", "trilhões")
# One, many.
_CURRENCIES = {
    "R$": ("real", "reais"),
    "US$": ("dólar", "dólares"),
    "$": ("dólar", "dólares"),
    "€": ("euro", "euros"),
}
_UNITS = {
    "%": ("por cento", "por cento"),
    "€": ("euro", "euros"),
    "°C": ("grau Celsius", "graus Celsius"),
    "ºC": ("grau Celsius", "graus Celsius"),
    "°": ("grau", "graus"),
    "km/h": ("quilômetro por hora", "quilômetros por hora"),
    "km": ("quilômetro", "quilômetros"),
    "m": ("metro", "metros"),
    "cm": ("centímetro", "centímetros"),
    "mm": ("milímetro", "milímetros"),
    "kg": ("quilo", "quilos"),
    "g": ("grama", "gramas"),
    "mg": ("miligrama", "miligramas"),
    "l": ("litro", "litros"),
    "L": ("litro", "litros"),
    "ml": ("mililitro", "mililitros"),
    "mL": ("mililitro", "mililitros"),
    "min": ("minuto", "minutos"),
    "h": ("hora", "horas"),
}
_FEMININE_NOUNS = r"(?:hora|semana|pessoa|parcela|unidade|noite|diária)s?|vez(?:es)?"

# What has a feminine, but before millions: they are counted themselves, and masculine.
_MASCULINE = re.compile(r"\b(?:um|dois|\w+entos)\b(?!.*ilh)")


def _cardinal(number: int, feminine: bool = False) -> str:
    words = spoken(number, "pt_BR")
    return _MASCULINE.sub(_feminine_word, words) if feminine else words


def _feminine_word(match: re.Match[str]) -> str:
    word = match[0]
    return {"um": "uma", "dois": "duas"}.get(word, word[:-2] + "as")


def _whole(match: re.Match[str]) -> int:
    return int(match["whole"].replace(".", ""))


def _number(match: re.Match[str], feminine: bool = False) -> str:
    words = _cardinal(_whole(match), feminine)
    if fraction := match["fraction"]:
        words += (" vírgula " if match["mark"] == "," else " ponto ") + _fraction(fraction)
    return f"menos {words}" if match["minus"] else words


def _fraction(digits: str) -> str:
    if len(digits) == 2 and digits[0] != "0":
        return _cardinal(int(digits))
    return " ".join(_cardinal(int(digit)) for digit in digits)


def _feminine(match: re.Match[str]) -> str:
    return _number(match, feminine=True)


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match["unit"]]
    return f"{_number(match, feminine=match['unit'] == 'h')} {one if _whole(match) < 2 else many}"


def _times(match: re.Match[str]) -> str:
    return f"{_feminine(match)} {'vez' if match['whole'] == '1' else 'vezes'}"


def _money(match: re.Match[str]) -> str:
    currency = _CURRENCIES[match["currency"]]
    words = _scaled(match, currency) if match["scale"] else _amount(match, currency)
    if match["before"]:
        words = f"menos {words}"
    return f"{words} por {_UNITS.get(match['per'], (match['per'],))[0]}" if match["per"] else words


def _scaled(match: re.Match[str], currency: tuple[str, str]) -> str:
    scale = match["scale"]
    if scale == "mil":
        return f"{'mil' if match['whole'] == '1' and not match['fraction'] else _number(match) + ' mil'} {currency[1]}"
    return f"{_number(match)} {scale} de {currency[1]}"


def _amount(match: re.Match[str], currency: tuple[str, str]) -> str:
    whole, fraction = _whole(match), match["fraction"] or ""
    if len(fraction) > 2:
        return f"{_number(match)} {currency[1]}"
    cents = int(fraction.ljust(2, "0"))
    parts = []
    if whole or not cents:
        of = " de" if whole and whole % 1_000_000 == 0 else ""
        parts.append(f"{_cardinal(whole)}{of} {currency[whole != 1]}")
    if cents:
        parts.append(f"{_cardinal(cents)} centavo{'s' * (cents != 1)}")
    return ("menos " if match["minus"] else "") + " e ".join(parts)


def _date(match: re.Match[str]) -> str:
    words = f"{_day(match['day'])} de {_MONTHS[int(match['month']) - 1]}"
    return f"{words} de {_cardinal(int(match['year']))}" if match["year"] else words


def _day(digits: str) -> str:
    return "primeiro" if int(digits) == 1 else _cardinal(int(digits))


def _hours(hour: int) -> str:
    return f"{_cardinal(hour, feminine=True)} hora{'s' * (hour > 1)}"


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    if not minute:
        return _hours(hour)
    # "uma e cinco", but "zero hora e cinco"
    return f"{_cardinal(hour, feminine=True) if hour else _hours(hour)} e {_cardinal(minute)}"


def _hours_and_minutes(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    return f"{_hours(hour)} e {_cardinal(minute)} minuto{'s' * (minute > 1)}" if minute else _hours(hour)


def _ordinal(match: re.Match[str]) -> str:
    words = spoken(int(match["number"]), "pt_BR", "ordinal")
    if match["gender"] == "ª":
        words = re.sub(r"o\b", "a", words)
    return words + match["weekday"]


LANGUAGE = Language(
    begins=beginning(),
    readings=(
        Reading(compiled(rf"{DAY}/{MONTH}/(?P<year>[0-9]{{4}}|[0-9]{{2}})(?![0-9])"), _date),
        Reading(compiled(rf"{DAY}/(?P<month>0[1-9]|1[0-2])(?![0-9])(?P<year>)"), _date),
        Reading(DATE, _date),
        Reading(
            compiled(rf"{DAY}[º°]?(?=\sde\s(?:{'|'.join(_MONTHS)})(?!\w))"),
            lambda match: _day(match["day"]),
        ),
        Reading(compiled(rf"{_HOUR}:(?P<minute>[0-5][0-9])h?(?!\w)"), _clock),
        Reading(compiled(rf"{_HOUR}[hH](?P<minute>[0-5][0-9])(?:min)?(?!\w)"), _hours_and_minutes),
        Reading(price(_NUMBER, _CURRENCIES, _SCALES), _money),
        Reading(measure(_NUMBER, _UNITS), _unit),
        Reading(compiled(rf"{_NUMBER}x(?!\w)"), _times),
        Reading(compiled(r"(?P<number>[1-9][0-9]{0,2})\.?(?P<gender>[ºª])(?P<weekday>(?:-feira)?)"), _ordinal),
        Reading(compiled(rf"{_NUMBER}(?=\s(?:{_FEMININE_NOUNS})(?!\w))"), _feminine),
        Reading(compiled(rf"(?![-−–]?(?:0[0-9]|[0-9]{{5,15}}+(?![,.][0-9]))){_NUMBER}"), _number),
    ),
    to="a",
    digits={str(digit): _cardinal(digit) for digit in range(10)},
)
