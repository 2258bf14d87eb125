from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation import tails
from serve_app.conversation.endings import Ending, ending
from tests.conversation import sentences_en, sentences_pt
from tests.conversation.texts import each

COMPLETE, UNFINISHED, SPELLING, UNCLEAR = Ending
SENTENCES = {"pt": sentences_pt.SENTENCES.splitlines(), "en": sentences_en.SENTENCES.splitlines()}
LANGUAGES = pytest.mark.parametrize("language", ["pt", "en"])
THIRDS = pytest.mark.parametrize(
    ("language", "third"), [(language, third) for language in ("pt", "en") for third in range(3)]
)
"""The words were chosen with the first two in view, and the last, which nobody looked at, was held against them."""


def cuts(sentence: str) -> list[str]:
    """What a recogniser makes of it when it is cut after each of its words but the last: with a full stop."""
    words = sentence.split()
    return [" ".join(words[:count]).rstrip(",;:") + "." for count in range(1, len(words))]


def endings(texts: list[str], language: str) -> Counter[Ending]:
    return Counter(ending(text, language) for text in texts)


@THIRDS
def test_half_of_all_cuts_are_seen_and_next_to_no_whole_sentence_is_taken_for_one(language: str, third: int) -> None:
    sentences = SENTENCES[language][third::3]
    of_cuts = endings([cut for sentence in sentences for cut in cuts(sentence)], language)
    of_whole = endings(sentences, language) + endings([s.rstrip("?") + "." for s in sentences], language)
    assert of_cuts[UNFINISHED] >= 0.48 * of_cuts.total()
    assert of_cuts[COMPLETE] <= 0.05 * of_cuts.total()
    assert of_whole[UNFINISHED] + of_whole[SPELLING] <= 0.03 * of_whole.total()
    assert of_cuts[UNFINISHED] >= 0.95 * (of_cuts[UNFINISHED] + of_whole[UNFINISHED])


@each(
    """
    Eu quero. / Eu preciso de. / Meu CPF é. / O meu nome é / E aí eu fui no. / Não sei se. / É que o. / Minha /
    Porque. / Eu queria saber. / Hum. / Ahn / É... / Tipo. / Então. / É de. / Eu acho que / Vocês podem me /
    Então, / Eu vou no médico — / Eu moro na rua das Flores, perto do… / Sim, mas / Deixa eu ver. / Ou seja.
    """
)
def test_it_goes_on_in_portuguese(text: str) -> None:
    assert ending(text, "pt") is UNFINISHED


@each(
    """
    I want. / I'd like to. / My number is. / My name is / And then I went to the. / I don't know if. / Because. /
    Um. / Uh / Well, / So. / So... / Like. / It's. / I'm / The problem is that. / Can you please / And /
    I was wondering. / Let me see. / I live on Maple Street, next to — / Yes, but
    """
)
def test_it_goes_on_in_english(text: str) -> None:
    assert ending(text, "en") is UNFINISHED


@each(
    """
    Sim. / Não. / Pode ser. / Isso mesmo. / Obrigado! / Não, obrigada. / Tá bom. / Acho que sim. / Só isso. /
    Quanto custa? / E o meu? / Por quê? / Para quem? / Ainda não. / Quero dois cafés, por favor. / É só isso.
    """
)
def test_it_is_over_in_portuguese(text: str) -> None:
    assert ending(text, "pt") is COMPLETE


@each(
    """
    Yes. / No. / Yes, please. / No, thanks. / That's all. / Okay. / I think so. / Not yet. / Thank you so much. /
    How much is it? / Who should I speak to? / What is it for? / Two coffees, please. / Uh-huh.
    """
)
def test_it_is_over_in_english(text: str) -> None:
    assert ending(text, "en") is COMPLETE


@each(
    """
    Não posso. / Não quero. / Como vai. / Quanto é. / Onde está. / Eu não sei onde. / Só um. / O cartão é meu. /
    Quero. / É. / Pode. / Que horas são. / Isso é o que eu quero. / Mais que ele. / Por favor. / Já foi.
    """
)
def test_what_may_be_all_is_left_open_in_portuguese(text: str) -> None:
    assert ending(text, "pt") is UNCLEAR


@each(
    """
    I do. / Yes, it is. / I don't. / That's what I need. / I don't want to. / As soon as I can. / Please. /
    I can't log in. / Hold on. / It's his. / That's not what I asked for. / How are you. / In a while.
    """
)
def test_what_may_be_all_is_left_open_in_english(text: str) -> None:
    assert ending(text, "en") is UNCLEAR


@LANGUAGES
@pytest.mark.parametrize("sign", ["?", "!"])
def test_a_question_mark_after_a_word_that_ends_nothing_is_the_recognisers_guess(language: str, sign: str) -> None:
    text = {"pt": "Vocês têm o", "en": "Do you have the"}[language]
    assert ending(text + sign, language) is UNFINISHED


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Meu CPF é 123, 456.", "pt-BR"),
        ("J-O-Ã-O.", "pt"),
        ("joão arroba gmail.", "pt"),
        ("12. 34. 56.", "es"),
        ("My phone number is 415-555.", "en"),
        ("five, five, five", "en"),
    ],
)
def test_dictation(text: str, language: str) -> None:
    assert ending(text, language) is SPELLING


def test_a_number_that_is_all_there_ends_the_turn() -> None:
    assert ending("Meu CPF é 123.456.789-00.", "pt") is COMPLETE


def test_a_number_that_may_be_all_there_goes_on_where_the_voice_does() -> None:
    assert ending("Meu telefone é 98765-4321.", "pt") is UNCLEAR
    assert ending("Meu telefone é 98765-4321,", "pt") is SPELLING


def test_only_the_agents_last_sentence_asks() -> None:
    assert ending("123 456", "pt", asked="Certo. Qual é o seu CPF?") is SPELLING
    assert ending("123 456", "pt", asked="Seu CPF está certo. Quanto quer pagar?") is UNCLEAR


def test_only_the_last_sentence_counts() -> None:
    assert ending("Eu quero falar com a Ana. Sim.", "pt") is COMPLETE


@pytest.mark.parametrize("text", ["", "  ", "...", "?", "—"])
@LANGUAGES
def test_without_words_nothing_is_known(text: str, language: str) -> None:
    assert ending(text, language) is UNCLEAR


def test_other_languages_are_not_guessed_at() -> None:
    assert ending("Quiero hablar con.", "es") is UNCLEAR
    assert ending("¿Cuánto cuesta?", "es") is UNCLEAR


@LANGUAGES
@given(text=st.text())
def test_any_text_can_be_asked_about(language: str, text: str) -> None:
    assert ending(text, language, asked=text) in Ending


@LANGUAGES
@given(data=st.data())
def test_capitals_and_the_full_stop_prove_nothing(language: str, data: st.DataObject) -> None:
    sentence = data.draw(st.sampled_from(SENTENCES[language]))
    cut = data.draw(st.sampled_from([sentence, *cuts(sentence)]))
    bare = cut.rstrip(".?")
    assert ending(bare, language) is ending(bare + ".", language) is ending(bare.upper(), language)


@LANGUAGES
def test_no_tail_says_two_things_and_none_is_too_long_to_be_found(language: str) -> None:
    known = tails.TAILS[language]
    assert not known.complete & known.unclear
    assert not (known.complete | known.unclear) & known.unfinished
    assert max(len(tail.split()) for tail in known.complete | known.unclear | known.unfinished) <= tails.LONGEST
