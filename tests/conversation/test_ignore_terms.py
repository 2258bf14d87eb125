import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serve_app.conversation.ignore_terms import _DEFAULTS, TAKES, IgnoreTerms, _bare
from tests.conversation.texts import each

OURS = {language: sorted(_DEFAULTS[""] | _DEFAULTS[language]) for language in ("pt", "en")}
KNOWN_WORDS = {word for terms in _DEFAULTS.values() for term in terms for word in term.split()}
LANGUAGES = st.sampled_from(["pt", "en"])


@each(
    """
    Uhum. / aham / Ahã. / unrum / Sei. / Tá. / Tá bom. / ta bom / OK / O.K. / Certo. / Isso! / Entendi... / Sim. /
    Siiim / Hmmmm... / hum-hum / tá, tá, tá / Uhum, sei. / Ah, tá bom. Entendi. / Ha ha ha! / É...
    """
)
def test_listening_noise_in_portuguese(text: str) -> None:
    assert IgnoreTerms().ignores(text, "pt-br")


@each(
    """
    Mm-hmm. / mhm / Mmhmm / Uh-huh. / uh huh / Yeah. / Yeahhh / Right. / okay / I see. / Got it! / O.K. /
    Yeah, okay. / right, right / Oh, I see. Mm-hmm. / That's right. / That’s right / All right. / Hmm.
    """
)
def test_listening_noise_in_english(text: str) -> None:
    assert IgnoreTerms().ignores(text, "en")


@each(
    """
    Não. / Espera! / Para. / Pare / Peraí / Alô? / Oi? / Hein? / Calma. / Mas / Como assim? / Um momento /
    Tá, mas espera / Sim, mas não / Uhum, e quanto custa? / Tá errado / Isso não
    """
)
def test_words_that_object_or_ask_want_the_floor_in_portuguese(text: str) -> None:
    assert not IgnoreTerms().ignores(text, "pt")


@each(
    """
    No. / Stop! / Wait / Hello? / Hold on. / What? / Huh? / But / Excuse me / Sorry? / Hang on a second. /
    Yeah, but wait / Right, no / Okay, and how much is it? / That's not right / I see a problem
    """
)
def test_words_that_object_or_ask_want_the_floor_in_english(text: str) -> None:
    assert not IgnoreTerms().ignores(text, "en")


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "♪"])
def test_without_words_there_is_nothing_to_judge(text: str) -> None:
    assert not IgnoreTerms(["...", ""]).ignores(text, "pt")


def test_an_agents_own_terms_come_besides_ours() -> None:
    terms = IgnoreTerms(["Deixa comigo", "NÃO"])
    assert terms.ignores("deixa comigo!", "pt")
    assert terms.ignores("não", "pt")
    assert terms.ignores("uhum, deixa comigo", "pt")
    assert not terms.ignores("deixa", "pt")
    assert not IgnoreTerms().ignores("deixa comigo", "pt")


def test_or_instead_of_ours() -> None:
    terms = IgnoreTerms(["gotcha"], defaults=False)
    assert terms.ignores("Gotcha!", "en")
    assert not terms.ignores("yeah", "en")
    assert not terms.ignores("gotcha, yeah", "en")


def test_a_term_may_be_longer_than_any_of_ours() -> None:
    terms = IgnoreTerms(["go on I am still here with you"])
    assert terms.ignores("Yeah, go on, I am still here with you.", "en")
    assert not terms.ignores("Go on, I am still here with", "en")


def test_our_terms_are_of_the_languages_that_are_named() -> None:
    assert not IgnoreTerms().ignores("got it", "pt")
    assert IgnoreTerms(languages=["en", "pt-BR"]).ignores("got it, entendi", "pt")
    assert not IgnoreTerms(languages=["en"]).ignores("entendi", "pt")


def test_murmurs_are_the_same_in_languages_we_have_no_words_of() -> None:
    assert IgnoreTerms().ignores("Mm-hmm.", "ja")
    assert not IgnoreTerms().ignores("sim", "ja")


def test_terms_of_other_scripts_keep_their_vowel_signs() -> None:
    terms = IgnoreTerms(["हाँ", "ठीक है"])
    assert terms.ignores("हाँ, ठीक है।", "hi")
    assert not terms.ignores("हो", "hi")


@given(st.text(), LANGUAGES)
def test_any_text_can_be_asked_about(text: str, language: str) -> None:
    assert IgnoreTerms([text]).ignores(text, language) is bool(_bare(text))


@given(LANGUAGES, st.data())
def test_case_and_punctuation_do_not_count(language: str, data: st.DataObject) -> None:
    words = " ".join(data.draw(st.lists(st.sampled_from(OURS[language]), min_size=1, max_size=5))).split()
    marks = data.draw(st.lists(st.text(".,!?… ", max_size=3), min_size=len(words), max_size=len(words)))
    spoken = " ".join(
        data.draw(st.sampled_from([word, word.upper(), word.title()])) + mark
        for word, mark in zip(words, marks, strict=True)
    )
    assert IgnoreTerms().ignores(spoken, language)


@given(LANGUAGES, st.text(string.ascii_lowercase + "ãáéçõ", min_size=2, max_size=12), st.data())
def test_one_other_word_and_it_is_not_ignored(language: str, word: str, data: st.DataObject) -> None:
    assume(_bare(word) not in KNOWN_WORDS)
    terms = data.draw(st.lists(st.sampled_from(OURS[language]), max_size=4))
    terms.insert(data.draw(st.integers(0, len(terms))), word)
    assert not IgnoreTerms().ignores(", ".join(terms), language)


@pytest.mark.parametrize("language", ["pt", "en"])
def test_the_agents_murmurs_come_in_several_takes_and_their_echo_is_ignored(language: str) -> None:
    takes = TAKES[language]
    assert len(set(takes)) == len(takes) >= 4
    assert all(IgnoreTerms().ignores(take, language) for take in takes)


@each("of / uh-huh of / yeah, that's / i / okay")
def test_what_is_cut_off_may_still_become_a_murmur(text: str) -> None:
    assert IgnoreTerms().may_ignore(text, "en")


@each("offer / of coarse / i want / okay but / wait")
def test_what_cannot_become_one_is_speech(text: str) -> None:
    assert not IgnoreTerms().may_ignore(text, "en")
