"""Where numbers are found, and where from in the text what is spoken for them comes."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deployments.voices.written_out import WrittenOut, write_out

LANGUAGES = ("pt-BR", "pt", "en", "en-US", "PT-br")

# What is left as it is, in both languages.
NO_NUMBERS = [
    "", "Olá, tudo bem?", "A1", "B2B", "Covid-19", "MP3", "5G", "3M", "R2D2", "1990s", "10x20", "AR-15", "sub-20",
    "ana10@example.com", "10@example.com", "https://example.com/10/20?a=10", "https://example.com/(10)",
    "www.10.com", "example.com:8080", "192.168.0.1", "2.0.1", "v2.0", "#10", "x=10", "a_10", "24/7", "3/4", "16:9",
    "50/50", "1,2,3", "3-1", "1-2-3", "10:30:45", "25:61", "99/99/2026", "31/13", "2026-13-01", "12/2026",
    "2026-11-22T10:00", "1/2/3/4", "R$", "R$ x", "$", "€", "-", "+", "(", "º", "12.ABC.345/01DE-35", "1-800-FLOWERS",
    "²", "٣", "½",
]  # fmt: skip

HOSTILE = [
    "1", "1 ", "(", "1.", "1,", "1.234", "R$ ", "R$1", "-", "+1 ", "+", " ", "22/11/2026 ", "Jan ", "May 5 ", '"',
    "10-", "1234-", "1-", "0", "0 ", "00:00 ", "1ª ", "11) ", "1h", "€", "12 de ", "1.5 ", "1,5%", "++", "1e", "é1 ",
    "\n1",
]  # fmt: skip

NUMBERS = st.sampled_from(
    [
        "R$ 1.234,50", "$5", "14:30", "14h30", "22/11/2026", "2026-11-22", "10-20 km", "123.456.789-09",
        "(11) 98765-4321", "10%", "1º", "2nd", "007", "12345", "-5 °C", "1 milhão", "$1.5 million", "May 5, 2026",
        "2 pm", "2 horas",
    ]
)  # fmt: skip
TEXT_WITH_NUMBERS = st.lists(
    NUMBERS | st.sampled_from(HOSTILE + NO_NUMBERS) | st.text(max_size=5) | st.just(" "), max_size=12
).map("".join)


def checked(text: str, language: str) -> WrittenOut:
    written = write_out(text, language)
    assert len(written.origins) == len(written.text) + 1
    assert list(written.origins) == sorted(written.origins)
    assert written.origins[-1] == len(text)
    assert all(0 <= origin < len(text) for origin in written.origins[:-1])
    return written


@pytest.mark.parametrize("language", ["pt-BR", "en"])
@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_left_as_it_is(text: str, language: str) -> None:
    for sentence in (text, f"É {text}.", f"({text})", f"{text}, {text}"):
        assert write_out(sentence, language).text == sentence


@pytest.mark.parametrize("language", ["es", "de-DE", "fr", "", "x", "português"])
def test_other_languages_are_left_as_they_are(language: str) -> None:
    text = "R$ 10, 14:30, 22/11/2026"
    assert write_out(text, language) == WrittenOut(text, range(len(text) + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", "dez"),
        ("Tenho 10.", "Tenho dez."),
        ("10, 20 e 30!", "dez, vinte e trinta!"),
        ("(10)", "(dez)"),
        ('"10"', '"dez"'),
        ("**10**", "**dez**"),
        ("“10”?", "“dez”?"),
        ("10—ou 20", "dez—ou vinte"),
        ("10... 20…", "dez... vinte…"),
        ("- 10", "- dez"),
        ("R$ 5\n10", "cinco reais\ndez"),
        ("A1 10 B2", "A1 dez B2"),
        ("10-20", "dez a vinte"),
        ("10–20 km", "dez a vinte quilômetros"),
        ("9h-18h", "nove horas a dezoito horas"),
        ("R$ 10-R$ 20", "dez reais a vinte reais"),
        ("22/11-24/11", "vinte e dois de novembro a vinte e quatro de novembro"),
    ],
)
def test_numbers_are_found_where_they_stand_alone(text: str, expected: str) -> None:
    assert checked(text, "pt-BR").text == expected


def test_all_that_is_spoken_for_an_amount_comes_from_where_it_begins() -> None:
    written = checked("São R$ 5,00 já.", "pt")
    assert written.text == "São cinco reais já."
    assert written.origins == [*range(4), *[4] * len("cinco reais"), *range(11, 16)]
    assert written.origin(written.text.index("reais")) == 4
    assert written.origin(written.text.index("já")) == 12
    assert (written.origin(-1), written.origin(10_000)) == (0, 15)


@settings(max_examples=300, deadline=None)
@given(text=TEXT_WITH_NUMBERS, language=st.sampled_from(LANGUAGES))
@example(text="-", language="pt")
def test_any_text_is_survived_and_what_is_not_written_out_stays(text: str, language: str) -> None:
    written = checked(text, language)
    for index, origin in enumerate(written.origins[:-1]):
        if written.origins[index + 1] == origin + 1 and (index == 0 or written.origins[index - 1] < origin):
            assert written.text[index] == text[origin]


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Nd"])), language=st.sampled_from(LANGUAGES))
def test_a_text_without_digits_is_unchanged(text: str, language: str) -> None:
    assert checked(text, language).text == text


@settings(deadline=None)
@given(text=TEXT_WITH_NUMBERS, language=st.sampled_from(LANGUAGES))
def test_what_is_written_out_has_nothing_left_to_write_out(text: str, language: str) -> None:
    once = write_out(text, language).text
    assert write_out(once, language).text == once


@pytest.mark.parametrize("language", ["pt", "en"])
def test_hostile_texts_take_time_in_proportion(language: str) -> None:
    """Were any of them quadratic, it would take minutes."""
    for unit in HOSTILE:
        text = unit * (20_000 // len(unit))
        checked(text, language)
