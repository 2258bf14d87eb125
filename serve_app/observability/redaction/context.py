"""What the words around a number say that it is."""

from collections.abc import Sequence

from serve_app.observability.redaction.tokens import Sort, Token, tokenise, words

SOMETHING_ELSE = "something else"
SOMETHING_ELSE_BEFORE = "something else before"
"""Another clause was about something else: "minha conta não abre, 529..."."""
A_NUMBER = "a number"
"""Announced as no more than that: "meu número é"."""

_BEFORE = 12
_BEHIND = 6
"""Words that are looked at."""

_WORDS = {
    "CPF": "cpf cpfs",
    "CNPJ": "cnpj cnpjs",
    "CARD": "cartao cartoes card cards visa mastercard amex elo hipercard",
    "PHONE": """
        telefone telefones celular cel fone tel zap zapzap whatsapp whats wpp phone cell cellphone mobile telephone
        landline ddd contato callback dial disca ligar liga ligue liguem ligarem call ring text reach sms fixo
    """,
    "CEP": "cep ceps",
    "RG": "rg identidade",
    "IBAN": "iban",
    "PIX": "pix",
    SOMETHING_ELSE: """
        protocolo protocolos pedido pedidos conta contas agencia ag boleto boletos codigo codigos nota nf nfe contrato
        processo matricula chamado ticket order account acct routing sort reference ref confirmation invoice tracking
        case branch policy serial barras barcode versao version ip ssn rastreio rastreamento senha pin lote apolice
        sinistro fatura valor saldo serie imei placa renavam nis pis passaporte passport titulo cnh ean sku token code
        isbn produto product transacao transaction autorizacao authorization nsu comprovante receipt booking
        reservation reserva voo flight ramal extension inscricao guia convenio carteirinha medidor instalacao member
        membership loyalty fidelidade swift bic chassi vin modelo model item atendimento ocorrencia cliente customer
        caso security zip
    """,
    A_NUMBER: "numero numeros number numbers",
}
_MEANINGS = {word: meaning for meaning, listed in _WORDS.items() for word in words(listed)}
_PAIRS = {("registro", "geral"): "RG", ("codigo", "postal"): "CEP", ("area", "code"): "PHONE"}
_PLAIN = frozenset(["CPF", "CNPJ", "CEP", "RG", "IBAN"])
"""Words for a number, and for nothing that has one."""
_WEAK = {A_NUMBER: 1, "PIX": 2}
"""What says less than any other word: a Pix key may be a CPF, a telephone or an e-mail address."""
_OF = words("de da do das dos no na nos nas em of on for in from")
_ARTICLES = words("a o as os um uma the my your meu minha seu sua this that este esta esse essa")
_NOT = words("nao not isnt nem")
_COPULAS = words("é e is era was esse este that thats this")
_UNITS = words("reais real dolares euros libras dollars pounds pontos points milhas miles unidades units")
_ENDS_CLAUSE = frozenset(",.;:?!")


def announcement(name: str) -> str:
    """The word of a name ("phone_number") that says what stands under it, or nothing."""
    parts = [token.word for token in tokenise(name) for token in tokenise(token.word)]
    return next((word for word in parts if _MEANINGS.get(word, A_NUMBER) != A_NUMBER), "")


def before(tokens: Sequence[Token], first: int) -> str:
    """What the numbers from that token on are announced as: a kind, SOMETHING_ELSE (_BEFORE), A_NUMBER, or nothing.

    The nearest word that means something counts, unless it only says more about one before it.
    """
    said, weak = _words_before(tokens, first), ""
    for at in range(len(said)):
        meaning = _meaning(said, at)
        if meaning and meaning not in _WEAK:
            if _is_negated(said, at):
                return SOMETHING_ELSE
            meaning = meaning if meaning in _PLAIN else _head(said, at) or meaning
            is_before = meaning == SOMETHING_ELSE and not _ENDS_CLAUSE.isdisjoint(said[:at])
            return SOMETHING_ELSE_BEFORE if is_before else meaning
        weak = max(weak, meaning, key=lambda each: _WEAK.get(each, 0))
    return weak


def _words_before(tokens: Sequence[Token], first: int) -> list[str]:
    """Nearest first, with the marks that end a clause."""
    said, count = list[str](), 0
    for token in reversed(tokens[max(0, first - 3 * _BEFORE) : first]):
        if token.sort is Sort.REPLACED or count == _BEFORE:
            break
        count += token.sort is Sort.WORD
        if token.sort is Sort.WORD or token.word in _ENDS_CLAUSE:
            said.append(token.word)
    return said


def _meaning(said: Sequence[str], at: int) -> str:
    """`said` backwards."""
    pair = (said[at + 1], said[at]) if at + 1 < len(said) else ("", "")
    return _PAIRS.get(pair) or _MEANINGS.get(said[at], "")


def _head(said: Sequence[str], at: int) -> str:
    """What the word at `at` says more about, in the same clause: "telefone da conta", "CPF que estava no contrato"."""
    at += 1
    while at < len(said) and said[at] in _ARTICLES:
        at += 1
    if at >= len(said) or said[at] not in _OF:
        return ""
    for further in range(at + 1, len(said)):
        if said[further] in _ENDS_CLAUSE:
            break
        if (meaning := _meaning(said, further)) and meaning != "PIX":
            if meaning == A_NUMBER:  # "phone number on the account", "número da conta"
                meaning = _meaning(said, further + 1) if further + 1 < len(said) else ""
            return _head(said, further) or meaning
    return ""


def _is_negated(said: Sequence[str], at: int) -> bool:
    """ "não é CPF"."""
    near = list(said[at + 1 : at + 4])
    ends = next((n for n, word in enumerate(near) if word in _ENDS_CLAUSE), len(near))
    return not _NOT.isdisjoint(near[:ends])


def behind(tokens: Sequence[Token], after: int) -> str:
    """ "... é o meu CPF"."""
    said = [token.word for token in tokens[after : after + 2 * _BEHIND] if token.sort is Sort.WORD][:_BEHIND]
    if said and said[0] in _UNITS:
        return SOMETHING_ELSE
    if not said or said[0] not in _COPULAS:
        return ""
    return next((meaning for word in said if (meaning := _MEANINGS.get(word, ""))), "")
