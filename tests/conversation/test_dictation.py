import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.dictation import Dictated, dictated
from tests.conversation.texts import each

IN_PART, PERHAPS_ALL, ALL = Dictated


def of(text: str, language: str = "pt", asked: str = "") -> Dictated | None:
    return dictated(text.split(), language, asked.split())


@pytest.mark.parametrize(
    ("named", "number"),
    [
        ("meu cpf é", "123 456 789 00"),
        ("o cpf do titular é", "um dois três quatro cinco meia sete oito nove zero zero"),
        ("cnpj", "12 345 678 0001 95"),
        ("o cep é", "zero um três um zero cem"),
        ("o telefone é", "11 98765 4321"),
        ("meu celular é", "vinte e um noventa e nove oitenta e oito setenta e sete dez onze"),
        ("o número do meu cartão é", "4111 1111 1111 1111"),
        ("cartão final", "1 2 3 4"),
        ("os quatro últimos dígitos do cartão são", "4 5 6 7"),
    ],
)
def test_a_number_is_whole_when_it_has_the_digits_of_its_kind(named: str, number: str) -> None:
    digits = number.split()
    assert of(f"{named} {number}") is ALL
    assert of(f"{named} {digits[0]}") is IN_PART
    assert not any(of(f"{named} {' '.join(digits[:count])}") is ALL for count in range(1, len(digits)))


@pytest.mark.parametrize(
    ("named", "number"),
    [
        ("my phone number is", "four one five double five five oh one three two"),
        ("my phone number is", "415 555 0132"),
        ("my zip code is", "9 4 1 0 7"),
        ("the card number is", "4111 1111 1111 1111"),
        ("my social security number is", "123 45 6789"),
        ("the last four digits are", "9 8 7 6"),
    ],
)
def test_in_english_too(named: str, number: str) -> None:
    digits = number.split()
    assert of(f"{named} {number}", "en") is ALL
    assert all(of(f"{named} {' '.join(digits[:count])}", "en") is IN_PART for count in range(1, len(digits)))


def test_units_fill_the_tens_before_them() -> None:
    assert of("ending in forty one twenty", "en") is PERHAPS_ALL
    assert of("ending in forty one twenty three", "en") is ALL
    assert of("final quarenta e um vinte e três") is ALL
    assert of("final quarenta e um vinte e") is IN_PART


@pytest.mark.parametrize("number", ["123.456.789-00", "12345678900", "123 456 789-00"])
def test_figures_come_in_many_spellings(number: str) -> None:
    assert of(f"cpf {number}") is ALL


@pytest.mark.parametrize("number", ["11 98765-4321", "11)98765-4321", "+11 98765.4321"])
def test_so_do_phone_numbers(number: str) -> None:
    assert of(f"telefone {number}") is ALL


def test_a_cnpj_has_a_slash() -> None:
    assert of("cnpj 12.345.678/0001") is IN_PART
    assert of("cnpj 12.345.678/0001-95") is ALL


def test_a_phone_number_may_be_whole_without_its_area_code() -> None:
    assert of("o telefone é 98765") is IN_PART
    assert of("o telefone é 98765 432") is PERHAPS_ALL


def test_a_number_of_no_known_length_may_be_whole() -> None:
    assert of("o pedido é 45") is IN_PART
    assert of("o pedido é 45782") is PERHAPS_ALL


def test_digits_said_one_by_one_are_dictated_though_nobody_named_them() -> None:
    assert of("cinco cinco") is None
    assert of("cinco cinco meia") is IN_PART
    assert of("cinco cinco meia sete oito nove zero um") is PERHAPS_ALL
    assert of("meu pedido é 4 5 7 8") is IN_PART


def test_what_may_come_between_digits_goes_on() -> None:
    assert of("cpf 123 ponto") is IN_PART
    assert of("cpf 123.456.789 traço") is IN_PART
    assert of("my number is 555 dash", "en") is IN_PART


def test_the_agents_question_names_the_kind() -> None:
    assert of("123 456 789", asked="qual é o seu cpf") is IN_PART
    assert of("é 123 456 789 00", asked="qual é o seu cpf") is ALL
    assert of("1 2 3 4", asked="e os quatro últimos dígitos do cartão") is ALL
    assert of("3", asked="quantas pessoas") is None
    assert of("mas eu só tenho 2", asked="qual é o seu cpf") is None


def test_what_the_caller_named_counts_more() -> None:
    assert of("o cep é 01310 100", asked="qual é o seu cpf") is ALL


@each(
    """
    quero dois / às três / às três e meia / às 14 e 30 / das 8 às 12 / nasci em 12 05 1990 / foi em 2019 /
    data de nascimento 12 05 90 / custou 1.200 / mil duzentos e cinquenta / são 150 reais / em 3 vezes /
    rua das flores número 25 / apartamento 302 / parcela no cartão em 3 / o cartão vence dia 10 / umas 3 ou 4 /
    cpf / o telefone é / vinte e três
    """
)
def test_dates_times_prices_and_amounts_are_not_dictated_in_portuguese(text: str) -> None:
    assert of(text) is None


@each(
    """
    i'd like two / at three thirty / from 9 to 5 / twenty twenty four / it was 2019 / two or three / 10 meters /
    my birthday is 12 05 1990 / apartment 302 / my phone is an iphone 12 / two cards and one phone / it cost 15
    """
)
def test_nor_in_english(text: str) -> None:
    assert of(text, "en") is None


def test_in_other_languages_figures_are_understood() -> None:
    assert of("es el 12 34 56", "es") is IN_PART
    assert of("cinco cinco seis", "es") is None


@pytest.mark.parametrize(
    "address", ["joao arroba gmail ponto com", "maria ponto souza arroba empresa ponto com ponto br"]
)
def test_an_address_is_dictated_until_its_domain_is_there(address: str) -> None:
    words = address.split()
    assert of(f"meu e-mail é {address}") is ALL
    unfinished = [" ".join(words[:count]) for count in range(1, len(words)) if words[count - 1] not in ("com", "br")]
    assert all(of(f"meu e-mail é {start}") is IN_PART for start in unfinished)


def test_an_address_in_english() -> None:
    assert of("my email is john dot", "en") is IN_PART
    assert of("my email is john dot smith at acme", "en") is IN_PART
    assert of("john dot smith at acme dot com", "en") is ALL
    assert of("it's mary@example.com", "en") is ALL


@each(
    """
    não recebi o e-mail de confirmação / meu e-mail é esse / já mandei para joao@gmail.com ontem / olha lá
    """
)
def test_an_address_that_is_only_mentioned(text: str) -> None:
    assert of(text) is None


def test_a_spelled_name_is_whole_when_it_is_the_name_that_was_said() -> None:
    assert of("meu nome é thaís t h a") is IN_PART
    assert of("meu nome é thaís t h a i s") is ALL
    assert of("thaís t-h-a-i-s") is ALL
    assert of("k e y l a") is IN_PART


@each("b de bola / bê de bola / com r de rato")
def test_letters_told_by_a_word(text: str) -> None:
    assert of(text) is IN_PART


def test_letters_told_by_a_word_in_english() -> None:
    assert of("n for nancy", "en") is IN_PART
    assert of("s as in", "en") is IN_PART
    assert of("s as in sam", "en") is IN_PART
    assert of("plan b for now", "en") is None


@each("eu e a ana / vou a e o / vitamina c / a de amanhã")
def test_letters_that_are_words(text: str) -> None:
    assert of(text) is None


@given(st.lists(st.text(min_size=1)), st.sampled_from(["pt", "en", "es"]), st.lists(st.sampled_from(["cpf", "phone"])))
def test_any_words_can_be_asked_about(words: list[str], language: str, asked: list[str]) -> None:
    assert dictated(words, language, asked) in (None, *Dictated)


@given(st.text("0123456789", min_size=1, max_size=10), st.data())
def test_a_cpf_with_digits_missing_is_never_whole(digits: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(digits)))))
    groups = [digits[start:end] for start, end in zip([0, *cuts], [*cuts, len(digits)], strict=True)]
    assert of(f"meu cpf é {' '.join(groups)}") is IN_PART
