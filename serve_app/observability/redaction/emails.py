"""E-mail addresses, typed and as they are read out: "joão ponto silva arroba gmail ponto com"."""

import re
from collections.abc import Iterator, Sequence

from serve_app.observability.redaction import numerals
from serve_app.observability.redaction.findings import Finding
from serve_app.observability.redaction.tokens import Sort, Token, words

_TYPED = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}+@(?:[^\W_][\w-]*+\.)+[^\W\d_]{2,24}(?![\w-])")
_AT = frozenset(["arroba", "arrobas", "at", "@"])
_DOT = frozenset(["ponto", "dot", "."])
_JOINS = _DOT | words(
    "underline underscore underlaine andescore sublinhado traco tracinho hifen dash hyphen minus - _ + plus"
)
_ENDS = words(
    """
    com net org br pt uk us co io gov edu info biz me app dev ai tv eu es fr de it ca au ie nz in adv ind mil online
    site store bank tech shop blog club live page xyz se ch be nl dk no fi pl ar mx cl jp za example
    """
)
"""Top-level domains as they are said."""
_NEVER = words(
    """
    é e eh is meu minha seu sua my your his her their our the o os as um uma email emails mail para pra pro por to no na
    nos nas em de do da dos das que it its endereco address aqui anota anote ao ou or and at on of with com sao era was
    can me manda mandar enviar envia send reach write escreve sim nao yes login chave pix entao ok tipo contato
    """
)
"""Words that no address is made of, when they are words of their own."""
_LOOKED_AT = words(
    """
    look looks looked looking check meet see seen found find visit shop buy bought order ordered pay paid register sign
    up log in account work works stay available arrive us me you it here there online website site page
    """
)
"""Words that go with an "at" of another sort: "bought at example dot com"."""
_PARTICLES = words("de do da dos das e o a")
"""Those of names: "doces ponto do tião"."""
_WITHIN = words("tudo junto minusculo minusculas lowercase together all one word")
_PROVIDERS = words("gmail hotmail outlook yahoo icloud live uol bol terra msn aol protonmail")
"""Behind whose name the dot is swallowed: "arroba gmail com"."""
_ANNOUNCED = words("é is email emails mail : endereco address")
_PAUSES = frozenset([",", "…"])
_MOST_WORDS = 4
"""Of one label: "banco do brasil"."""
_MOST_UNITS = 40


def typed(text: str) -> Iterator[Finding]:
    if "@" in text:
        yield from (Finding(*match.span(), "EMAIL") for match in _TYPED.finditer(text))


def spoken(tokens: Sequence[Token]) -> Iterator[Finding]:
    end = 0
    for at, token in enumerate(tokens):
        if token.word in _AT and token.start >= end:
            after = _domain(tokens, at + 1)
            first = _local_part(tokens, at, end) if after else at
            if first < at:
                end = tokens[after - 1].end
                yield Finding(tokens[first].start, end, "EMAIL")


def _domain(tokens: Sequence[Token], at: int) -> int:
    """The token after it, 0 if none begins here. It goes on to the last top-level domain that a dot comes before."""
    label, dots, after = 0, 0, 0
    for place in range(at, min(at + _MOST_UNITS, len(tokens))):
        token = tokens[place]
        if _is_dot(tokens, place) and label:
            label, dots = 0, dots + 1
        elif (token.word in _PAUSES and place == at) or (token.word in _JOINS and label):
            continue
        elif token.word in _ENDS and ((dots and not label) or tokens[place - 1].word in _PROVIDERS):
            label, dots, after = 1, dots + 1, place + 1
        elif token.sort in (Sort.WORD, Sort.DIGITS) and label < (1 if after else _MOST_WORDS):
            label += len(token.word) > 1 or not label
        else:
            break
    return after


def _is_dot(tokens: Sequence[Token], at: int) -> bool:
    """A full stop is none."""
    word, start, end, _ = tokens[at]
    if word != ".":
        return word in _DOT
    return 0 < at < len(tokens) - 1 and tokens[at - 1].end == start and tokens[at + 1].start == end


def _local_part(tokens: Sequence[Token], at: int, end: int) -> int:
    """Its first token, `at` if there is none. It is read backwards, from the "at" on."""
    first, joined = at, True
    for place in range(at - 1, max(-1, at - 1 - _MOST_UNITS), -1):
        if tokens[place].start < end:
            break
        if tokens[place].word in _WITHIN or (first < at and _is_join(tokens, place)):
            joined = True
        elif tokens[place].word not in _PAUSES:
            goes_on = joined or _goes_on(tokens, place, first)
            if not (_is_particle(tokens, place) or (goes_on and _is_part(tokens, place))):
                break
            first, joined = place, False
    return _with_names(tokens, first, end) if first < at else at


def _is_join(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].word in _JOINS and (tokens[at].word != "." or _is_dot(tokens, at))


def _with_names(tokens: Sequence[Token], first: int, end: int) -> int:
    """With the words before, if they all stand between an announcement and it: "meu e-mail é maria clara arroba"."""
    for place in range(first - 1, max(-1, first - 1 - _MOST_WORDS), -1):
        token = tokens[place]
        if token.word in _ANNOUNCED:
            return place + 1
        if token.start < end or not _is_part(tokens, place):
            break
    return first


def _is_part(tokens: Sequence[Token], at: int) -> bool:
    word, _, _, sort = tokens[at]
    if sort is Sort.WORD and word in _NEVER:
        return _is_between_numbers(tokens, at) or _is_spelled(tokens, at)
    if word in _LOOKED_AT and tokens[at + 1].word == "at":
        return False
    return sort in (Sort.WORD, Sort.DIGITS)


def _is_particle(tokens: Sequence[Token], at: int) -> bool:
    return at > 0 and tokens[at].word in _PARTICLES and tokens[at - 1].word in _JOINS


def _goes_on(tokens: Sequence[Token], at: int, first: int) -> bool:
    """Without anything between them: numbers belong to the word before, letters to what follows."""
    return _is_number(tokens[first]) or _is_between_numbers(tokens, first) or len(tokens[at].word) == 1


def _is_number(token: Token) -> bool:
    return token.sort is Sort.DIGITS or numerals.is_number(token.word)


def _is_between_numbers(tokens: Sequence[Token], at: int) -> bool:
    """The "e" of "oitenta e cinco", or a number that is also an article."""
    return 0 < at < len(tokens) - 1 and _is_number(tokens[at - 1]) and _is_number(tokens[at + 1])


def _is_spelled(tokens: Sequence[Token], at: int) -> bool:
    """A letter beside another one, or before a dot."""
    word, behind = tokens[at].word, tokens[at + 1]
    beside = [*tokens[max(0, at - 1) : at], behind]
    is_beside = behind.word in _JOINS or any(len(token.word) == 1 and token.sort is Sort.WORD for token in beside)
    return len(word) == 1 and word.isascii() and is_beside
