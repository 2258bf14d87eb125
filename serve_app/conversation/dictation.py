"""Numbers, codes, e-mail addresses and spelled names: how much of what is being dictated is there?"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple


class Dictated(Enum):
    IN_PART = auto()
    PERHAPS_ALL = auto()
    ALL = auto()


class _Length(NamedTuple):
    """In digits: with fewer it is not whole, with the most it is."""

    fewest: int
    most: int


class _Lexicon(NamedTuple):
    """Of one language."""

    digits: Mapping[str, int]
    """Number words, and how many digits each stands for."""
    filled: frozenset[str]
    """Those whose last digits are said by the words after them: "twenty three"."""
    between: frozenset[str]
    """What may be said among the digits."""
    kinds: Mapping[str, _Length]
    vague: frozenset[str]
    """Kinds of no certain length. Ordinary words too ("rua das Flores número 25"): they count if "is" follows."""
    leads: frozenset[str]
    """What may be said between the name of the kind and the first digit."""


_VAGUE = _Length(3, 99)
"""Of a kind that has no certain length."""
_UNNAMED = _Length(8, 99)
"""Of a number whose kind nobody named. 8: a local phone number, a CEP, a date."""
_SEPARATE = 3
"""Groups of digits said one after the other, from which on they are a dictation though nobody named the kind."""
_PHONE_BR = _Length(8, 11)
"""From the subscriber's number alone to a mobile with its area code (numbering plan of Anatel)."""
_PHONE_US = _Length(10, 10)
"""North American Numbering Plan."""
_CARD = _Length(15, 16)
"""American Express, and most others."""
_LAST_FOUR = _Length(4, 4)


def _each(words: str, digits: int) -> dict[str, int]:
    return dict.fromkeys(words.split(), digits)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TENS_PT = "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa"
_HUNDREDS_PT = "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos"
_PT = _Lexicon(
    digits=_each("zero um uma dois duas três quatro cinco seis meia sete oito nove", 1)
    | _each("dez onze doze treze quatorze catorze quinze dezesseis dezessete dezoito dezenove", 2)
    | _each(_TENS_PT, 2)
    | _each(f"cem {_HUNDREDS_PT}", 3),
    filled=_set(f"{_TENS_PT} {_HUNDREDS_PT}"),
    between=_set("e é hum ahn depois traço ponto barra hífen dígito ddd"),
    kinds={
        "cpf": _Length(11, 11),
        "cnpj": _Length(14, 14),
        "cep": _Length(8, 8),
        "rg": _Length(7, 9),
        "cartão": _CARD,
        **dict.fromkeys(("telefone", "celular", "whatsapp", "zap", "fone"), _PHONE_BR),
        **dict.fromkeys(("final", "quatro"), _LAST_FOUR),  # "os quatro últimos dígitos são"
    },
    vague=_set("número protocolo pedido código conta matrícula carteirinha senha"),
    leads=_set("é são seria o a os do da de meu minha dele dela titular crédito débito contato últimos dígitos sim"),
)
_TENS_EN = "twenty thirty forty fifty sixty seventy eighty ninety"
_EN = _Lexicon(
    digits=_each("zero oh o one two three four five six seven eight nine double", 1)  # "double": one more than it
    | _each("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen triple hundred", 2)
    | _each(_TENS_EN, 2),
    filled=frozenset(_TENS_EN.split()),
    between=_set("and then um uh dash hyphen dot point area code"),
    kinds={
        "social": _Length(9, 9),
        "zip": _Length(5, 5),
        "card": _CARD,
        **dict.fromkeys(("phone", "cell", "mobile", "telephone"), _PHONE_US),
        **dict.fromkeys(("ending", "four"), _LAST_FOUR),  # "the last four digits are"
    },
    vague=_set("number code order confirmation account reference tracking policy"),
    leads=_set("is it's are in of on the my security digits last yes sure"),
)
_FIGURES_ALONE = _Lexicon({}, frozenset(), frozenset(), {}, frozenset(), frozenset())
_LEXICONS = {"pt": _PT, "en": _EN}

_IS = _set("é são is it's are")
_DATES = _set("nasci nascimento data birth born birthday date")
_FIGURES = re.compile(r"\+?\d+(?:[).-]+\d+)*|\d\d\.\d{3}\.\d{3}/\d*(?:-\d+)?")  # the latter: a CNPJ

_LETTERS = re.compile(r"[^\W_](?:-[^\W_])*")
_SPELLED_FROM = 3
_VOWELS = frozenset("aeiou0123456789")
"""And digits: "a", "e", "o" and "I" are words as well, a name has other letters too."""
_LETTER_NAMES = _set("bê cê dê gê jota pê quê tê vê zê") | frozenset("bcdfghjklmnpqrstvwxz")

_AT = re.compile(r"@|\barroba\b|\bat (?=gmail|hotmail|yahoo|outlook|icloud|\w+ dot\b)")
_DOMAIN = re.compile(r"(?:\.|\b(?:ponto|dot) )(?:com|br|net|org|edu|gov|io)\b")
_IN_ADDRESS = re.compile(
    r"\be-?mail\b.* (?:é|is) (?:.*\b(?:ponto|underline|underscore|dot|traço|hífen|dash|at)\b"
    r"|(?!(?:esse|este|isso|o|a|um|do|da|para|the|this|that|not|my|in|on|for|it|right|wrong|correct)$)\w+$)"
)
_ADDRESS_WORDS = 6
"""At most, after the @: with more the caller has gone on to something else."""
_RECENT = 30
"""Words that are looked at: a card number said digit by digit, and what led to it."""


def dictated(words: Sequence[str], language: str, asked: Sequence[str] = ()) -> Dictated | None:
    """None: the last words dictate nothing.

    Words are in lower case, bare of punctuation at their edges. `asked`: those of the agent's last sentence, which may
    name the kind of number. `language`: ISO 639-1; in other languages than Portuguese and English, figures alone are
    understood.
    """
    recent = words[-_RECENT:]
    return (
        _address(" ".join(recent)) or _name(recent) or _number(recent, _LEXICONS.get(language, _FIGURES_ALONE), asked)
    )


def _number(words: Sequence[str], lexicon: _Lexicon, asked: Sequence[str]) -> Dictated | None:
    start = _start_of_digits(words, lexicon)
    groups, digits = _count(words[start:], lexicon)
    if not digits:
        return None
    length = _kind(words[:start], lexicon, asked)
    if groups >= _SEPARATE and length in (None, _VAGUE) and _DATES.isdisjoint(words):
        length = _UNNAMED
    if length is None:
        return None
    fewest, most = length
    if digits < fewest or words[-1] in lexicon.between:
        return Dictated.IN_PART
    return Dictated.ALL if digits >= most and words[-1] not in lexicon.filled else Dictated.PERHAPS_ALL


def _start_of_digits(words: Sequence[str], lexicon: _Lexicon) -> int:
    """Of those that the words end with; past the end: there are none."""
    start = len(words)
    for place in reversed(range(len(words))):
        if words[place] in lexicon.digits or _FIGURES.fullmatch(words[place]):
            start = place
        elif words[place] not in lexicon.between:
            break
    return start


def _count(words: Sequence[str], lexicon: _Lexicon) -> tuple[int, int]:
    """Groups of digits, and digits."""
    groups = digits = room = 0
    for word in words:
        width = lexicon.digits.get(word, 0)
        if not width:
            figures = re.findall(r"\d+", word)
            groups, digits = groups + len(figures), digits + sum(map(len, figures))
        elif width >= room:
            groups, digits = groups + 1, digits + width
        if word not in lexicon.between:
            room = width if word in lexicon.filled else 0
    return groups, digits


def _kind(before: Sequence[str], lexicon: _Lexicon, asked: Sequence[str]) -> _Length | None:
    """`before`: what the caller said before the number."""
    found: list[_Length] = []
    named = vague = False
    for word in reversed(before):
        if word in lexicon.kinds:
            found.append(lexicon.kinds[word])
        elif word in lexicon.vague:
            vague = vague or named
        elif word not in lexicon.leads:
            break
        named = named or word in _IS
    else:
        found = found or [lexicon.kinds[word] for word in asked if word in lexicon.kinds]
    shortest = min(found, key=lambda length: length.most, default=None)  # the last four digits of a card
    return shortest or (_VAGUE if vague else None)


def _name(words: Sequence[str]) -> Dictated | None:
    """Spelled letter by letter. A name that was said before is all there when its letters are."""
    if _as_in(words):
        return Dictated.IN_PART
    letters = ""
    for word in reversed(words):
        if not _LETTERS.fullmatch(word):
            break
        letters = _without_accents(word).replace("-", "") + letters
    if len(letters) < _SPELLED_FROM or _VOWELS.issuperset(letters):
        return None
    return Dictated.ALL if letters in map(_without_accents, words) else Dictated.IN_PART


def _without_accents(word: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char))


def _as_in(words: Sequence[str]) -> bool:
    """ "B as in boy", "N for Nancy", "bê de bola"."""
    match words:
        case [*_, letter, "as", "in"]:
            return letter in _LETTER_NAMES
        case [*_, letter, "de" | "for", word] | [*_, letter, "as", "in", word]:
            return letter in _LETTER_NAMES and word.startswith(letter[0])
    return False


def _address(text: str) -> Dictated | None:
    at = list(_AT.finditer(text))
    if not at:
        return Dictated.IN_PART if "mail" in text and _IN_ADDRESS.search(text) else None
    after = text[at[-1].end() :]
    if after.endswith((" ponto", " dot")):
        return Dictated.IN_PART
    domains = list(_DOMAIN.finditer(after))
    if domains:
        return Dictated.ALL if domains[-1].end() == len(after) else None
    return Dictated.IN_PART if len(after.split()) <= _ADDRESS_WORDS else None
