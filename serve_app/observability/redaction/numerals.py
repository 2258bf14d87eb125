"""Numbers as callers say them -> the digits they stand for: "meia", "oh", "double five", "cento e vinte e três"."""

from collections.abc import Sequence

from serve_app.observability.redaction.tokens import Sort, Token

_UNITS_PT = "zero um dois tres quatro cinco seis sete oito nove"
_UNITS_EN = "zero one two three four five six seven eight nine"
_TEENS_PT = "dez onze doze treze quatorze quinze dezesseis dezessete dezoito dezenove"
_TEENS_EN = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS_PT = "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa"
_TENS_EN = "twenty thirty forty fifty sixty seventy eighty ninety"
_HUNDREDS_PT = "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos"


def _numbered(words: str, start: int = 0, step: int = 1) -> dict[str, int]:
    return {word: start + step * at for at, word in enumerate(words.split())}


UNITS = {
    **_numbered(_UNITS_PT),
    **_numbered(_UNITS_EN),
    "uma": 1,
    "duas": 2,
    "meia": 6,
    "oh": 0,
    "nought": 0,
    "naught": 0,
    "niner": 9,
}
_PLURALS = {
    **_numbered("zeros uns dois tres quatros cincos seis setes oitos noves"),
    **_numbered("zeroes ones twos threes fours fives sixes sevens eights nines"),
}
_TEENS = {**_numbered(_TEENS_PT, 10), **_numbered(_TEENS_EN, 10)} | {
    "catorze": 14,
    "dezasseis": 16,
    "dezassete": 17,
    "dezanove": 19,
}
_TENS = {**_numbered(_TENS_PT, 20, 10), **_numbered(_TENS_EN, 20, 10), "cinqüenta": 50, "fourty": 40}
_HUNDREDS = (
    _numbered(_HUNDREDS_PT, 100, 100)
    | {"cem": 100}
    | {word[:-2] + "as": 100 * at for at, word in enumerate(_HUNDREDS_PT.split(), 1) if at > 1}
)
_TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4, "duplo": 2, "duplos": 2, "triplo": 3}
_REVERSED = {"ao": "contrario", "contra": "", "invertido": ""}
"""0001, the head office in a CNPJ: "mil ao contrário"."""

ENGLISH = frozenset(f"{_UNITS_EN} {_TEENS_EN} {_TENS_EN} hundred double triple oh".split()) - {"zero"}
PORTUGUESE = frozenset(f"{_UNITS_PT} {_TEENS_PT} {_TENS_PT} {_HUNDREDS_PT} meia cem mil".split()) - {"zero", "um"}
_BEGIN = frozenset([*UNITS, *_TEENS, *_TENS, *_HUNDREDS, *_TIMES, "mil"])


def read(tokens: Sequence[Token], at: int, *, english: bool) -> tuple[str, int]:
    """The digits that are said from token `at` on as one number, and the token after it; none: ("", at)."""
    word, _, _, sort = tokens[at]
    if sort is Sort.DIGITS:
        return word, at + 1
    if word == "o" and _is_oh(tokens, at):
        return "0", at + 1
    if word not in _BEGIN or (english and word == "um"):
        return "", at
    return _repeated(tokens, at) or _head_office(tokens, at) or _cardinal(tokens, at)


def is_number(word: str) -> bool:
    return word in _BEGIN


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].word if 0 <= at < len(tokens) else ""


def _is_oh(tokens: Sequence[Token], at: int) -> bool:
    """ "four o seven": between numbers, at least one of them in English words."""
    around = [_word(tokens, at - 1), _word(tokens, at + 1)]
    return all(word in ENGLISH or word.isdecimal() for word in around) and any(word in ENGLISH for word in around)


def _repeated(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """ "double five", "três zeros"."""
    word = tokens[at].word
    after = at + 2 if _word(tokens, at + 1) == "-" else at + 1
    follows = _word(tokens, after)
    if times := _TIMES.get(word):
        digit = follows if follows.isdecimal() and len(follows) == 1 else UNITS.get(follows, _PLURALS.get(follows))
        return (str(digit) * times, after + 1) if digit is not None else None
    if 1 < UNITS.get(word, 0) < 6 and follows in _PLURALS and follows not in UNITS:
        return str(_PLURALS[follows]) * UNITS[word], after + 1
    return None


def _head_office(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    if _word(tokens, at) != "mil" or (then := _REVERSED.get(_word(tokens, at + 1))) is None:
        return None
    if then and _word(tokens, at + 2) != then:
        return None
    return "0001", at + (3 if then else 2)


def _cardinal(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    value, after = (1, at) if tokens[at].word == "mil" else _below_thousand(tokens, at)
    if _word(tokens, after) not in ("mil", "thousand") or _head_office(tokens, after):
        return (str(value) if after > at else ""), after
    value, after = value * 1000, after + 1
    linked = _word(tokens, after) in ("e", "and")
    rest, end = _below_thousand(tokens, after + linked)
    if end == after + linked or rest == 0 or (rest < 10 and not linked):
        return str(value), after
    return str(value + rest), end


def _below_thousand(tokens: Sequence[Token], at: int) -> tuple[int, int]:
    """The number, 0 to 9999 ("twelve hundred"), and the token after it; `at` if there is none."""
    word = _word(tokens, at)
    if hundreds := _HUNDREDS.get(word):
        return _with_rest(tokens, hundreds, at + 1) if word != "cem" else (hundreds, at + 1)
    value, after = _below_hundred(tokens, at)
    if after > at and value and _word(tokens, after) == "hundred":
        return _with_rest(tokens, value * 100, after + 1)
    return value, after


def _with_rest(tokens: Sequence[Token], hundreds: int, at: int) -> tuple[int, int]:
    linked = _word(tokens, at) in ("e", "and")
    rest, end = _below_hundred(tokens, at + linked)
    if end == at + linked or rest == 0:
        return hundreds, at
    if rest < 10 and not linked and _word(tokens, end) in UNITS:
        return hundreds, at  # "nine hundred one two three": digits of their own
    return hundreds + rest, end


def _below_hundred(tokens: Sequence[Token], at: int) -> tuple[int, int]:
    word = _word(tokens, at)
    if word in UNITS:
        return UNITS[word], at + 1
    if word in _TEENS:
        return _TEENS[word], at + 1
    if word not in _TENS:
        return 0, at
    link = _word(tokens, at + 1)
    unit_at = at + 2 if link in ("e", "-") else at + 1
    unit = UNITS.get(_word(tokens, unit_at), 0)
    joined = link == "e" if word in PORTUGUESE else link != "e"
    return (_TENS[word] + unit, unit_at + 1) if unit and joined else (_TENS[word], at + 1)
