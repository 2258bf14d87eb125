"""Numbers in Brazilian Portuguese."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.voices.written_out import write_out

SPOKEN = {
    # cardinals and decimals
    "0": "zero",
    "1": "um",
    "100": "cem",
    "101": "cento e um",
    "1000": "mil",
    "1.234": "mil duzentos e trinta e quatro",
    "1.200": "mil e duzentos",
    "1.000.000": "um milhão",
    "2.500.000": "dois milhões e quinhentos mil",
    "1.234,56": "mil duzentos e trinta e quatro vírgula cinquenta e seis",
    "12345,67": "doze mil trezentos e quarenta e cinco vírgula sessenta e sete",
    "0,5": "zero vírgula cinco",
    "3,05": "três vírgula zero cinco",
    "3,14159": "três vírgula um quatro um cinco nove",
    "versão 10.5": "versão dez ponto cinco",
    "0.234": "zero ponto dois três quatro",
    "-5": "menos cinco",
    "−5": "menos cinco",
    "1,5 milhão": "um vírgula cinco milhão",
    # what is counted
    "1 hora": "uma hora",
    "2 horas": "duas horas",
    "22 pessoas": "vinte e duas pessoas",
    "200 unidades": "duzentas unidades",
    "2.002 vezes": "duas mil e duas vezes",
    "2.000.002 horas": "dois milhões e duas horas",
    "2 dias": "dois dias",
    # ordinals
    "1º": "primeiro",
    "2ª": "segunda",
    "22ª": "vigésima segunda",
    "100º": "centésimo",
    "1.º": "primeiro",
    "2ª-feira": "segunda-feira",
    "de 2ª a 6ª": "de segunda a sexta",
    # money
    "R$ 1.234,50": "mil duzentos e trinta e quatro reais e cinquenta centavos",
    "R$1.234,50": "mil duzentos e trinta e quatro reais e cinquenta centavos",
    "R$\u00a05": "cinco reais",
    "R$ 1 milhão": "um milhão de reais",
    "R$ 2,5 milhões": "dois vírgula cinco milhões de reais",
    "R$ 1 mil": "mil reais",
    "R$ 3 mil": "três mil reais",
    "R$ 1.000.000,00": "um milhão de reais",
    "R$ 1.000.001": "um milhão e um reais",
    "R$ 0,50": "cinquenta centavos",
    "R$ 0,01": "um centavo",
    "R$ 0,00": "zero reais",
    "R$ 1,00": "um real",
    "R$ 1,01": "um real e um centavo",
    "R$ 2,5": "dois reais e cinquenta centavos",
    "R$ 10.50": "dez reais e cinquenta centavos",
    "R$ 5,799": "cinco vírgula sete nove nove reais",
    "R$ 12345": "doze mil trezentos e quarenta e cinco reais",
    "-R$ 5,00": "menos cinco reais",
    "R$ -5,00": "menos cinco reais",
    "R$ 49,90/mês": "quarenta e nove reais e noventa centavos por mês",
    "R$ 8/kg": "oito reais por quilo",
    "US$ 1": "um dólar",
    "US$ 10,25": "dez dólares e vinte e cinco centavos",
    "$ 5": "cinco dólares",
    "€ 3,20": "três euros e vinte centavos",
    "10 €": "dez euros",
    # times
    "14:30": "catorze e trinta",
    "às 2:05": "às duas e cinco",
    "1:00": "uma hora",
    "00:15": "zero hora e quinze",
    "14:30h": "catorze e trinta",
    "14h30": "catorze horas e trinta minutos",
    "2h01": "duas horas e um minuto",
    "1h30min": "uma hora e trinta minutos",
    "14h": "catorze horas",
    "21h00": "vinte e uma horas",
    "0h": "zero hora",
    # dates
    "22/11/2026": "vinte e dois de novembro de dois mil e vinte e seis",
    "01/01/1999": "primeiro de janeiro de mil novecentos e noventa e nove",
    "22/11/26": "vinte e dois de novembro de vinte e seis",
    "22/11": "vinte e dois de novembro",
    "5/03": "cinco de março",
    "2026-11-22": "vinte e dois de novembro de dois mil e vinte e seis",
    "22 de novembro de 2026": "vinte e dois de novembro de dois mil e vinte e seis",
    "1 de maio": "primeiro de maio",
    "1º de maio": "primeiro de maio",
    "01 de maio": "primeiro de maio",
    # units
    "10%": "dez por cento",
    "10,5 %": "dez vírgula cinco por cento",
    "1 km": "um quilômetro",
    "1,5 km": "um vírgula cinco quilômetro",
    "80 km/h": "oitenta quilômetros por hora",
    "05 kg": "cinco quilos",
    "12345 m": "doze mil trezentos e quarenta e cinco metros",
    "-5 °C": "menos cinco graus Celsius",
    "25ºC": "vinte e cinco graus Celsius",
    "1°": "um grau",
    "45 min": "quarenta e cinco minutos",
    "2 h": "duas horas",
    "em 10x": "em dez vezes",
    "2x": "duas vezes",
    "2 x 1": "dois x um",
    # digit by digit
    "007": "zero zero sete",
    "12345": "um dois três quatro cinco",
    "(11) 98765-4321": "(um um, nove oito sete seis cinco, quatro três dois um",
    "123.456.789-09": "um dois três, quatro cinco seis, sete oito nove, zero nove",
    "CEP 01310-100.": "CEP zero um três um zero, um zero zero.",
    # not surely a number
    "R$ 1,234.56": "R$ 1,234.56",
    "1/2": "1/2",
    "30/02/20261": "30/02/20261",
    "5s": "5s",
}


def counted(words: str, first: int, step: int) -> dict[str, int]:
    return {word: first + index * step for index, word in enumerate(words.split())}


VALUES = (
    counted("zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze", 0, 1)
    | counted("dezesseis dezessete dezoito dezenove", 16, 1)
    | counted("vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem", 20, 10)
    | counted("cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos", 100, 100)
)
SCALES = {"mil": 10**3, "milh": 10**6, "bilh": 10**9, "trilh": 10**12, "quatrilh": 10**15}


def heard(words: str) -> int:
    """The number that is spoken."""
    total = group = 0
    for word in words.replace(" e ", " ").split():
        if scale := SCALES.get(word.removesuffix("ão").removesuffix("ões")):
            total, group = total + max(group, 1) * scale, 0
        else:
            group += VALUES[word]
    return total + group


@pytest.mark.parametrize(("written", "spoken"), SPOKEN.items())
def test_spoken(written: str, spoken: str) -> None:
    assert write_out(written, "pt-BR").text == spoken
    assert write_out(f"Bem, {written} e mais.", "pt-BR").text == f"Bem, {spoken} e mais."


@given(st.integers(0, 10**18 - 1) | st.integers(0, 10**6))
@example(10**18 - 1)
def test_the_number_that_is_heard_is_the_number_that_is_written(number: int) -> None:
    assert heard(write_out(f"{number:,}".replace(",", "."), "pt").text) == number
