"""The agent that needs nothing: every phrase it may hear, and any other text."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation.notes import UNCLEAR_NOTE, WAY_OUT_NOTE
from serve_app.ports import Message, ModelRequest, ToolCall, ToolSpec
from serve_app.providers.offline_agent import OfflineAgent

LIST = Path(__file__).parents[2] / "deployments/models/phrases.txt"
PHRASES = [tuple(line.split("\t")) for line in LIST.read_text(encoding="utf-8").splitlines()]
KNOWN = {language: {phrase for of, phrase in PHRASES if of == language} for language in ("pt", "en")}
PORTUGUESE_WORDS = re.compile(r"\b(você|eu|sou|não|bom|boa|olá|claro|certo|obrigado|tchau|tudo|ok)\b")
ENGLISH_WORDS = re.compile(r"\b(you|i|am|good|hi|thank|sure|right|goodbye|ok)\b")


TOOLS = tuple(ToolSpec(name, "", {"type": "object"}) for name in ("get_order", "end_call"))


def pieces(messages: list[Message], language: str, tools: tuple[ToolSpec, ...] = ()) -> list[object]:
    async def answer() -> list[object]:
        return [piece async for piece in OfflineAgent().reply(ModelRequest(messages, language, tools=tools))]

    return asyncio.run(answer())


def answer(messages: list[Message], language: str = "en") -> str:
    """Words alone: there is no tool to call."""
    return "".join(str(piece) for piece in pieces(messages, language))


def ask(words: str, language: str = "en", before: tuple[Message, ...] = ()) -> str:
    return answer([*before, Message("user", words)], language)


def as_recognised(text: str) -> str:
    return re.sub(r"[^\w -]", "", text).lower()


@pytest.mark.parametrize(("language", "phrase"), PHRASES)
def test_answers_every_phrase_of_the_bundled_recogniser_in_its_language(language: str, phrase: str) -> None:
    answer = ask(phrase, language)
    own, other = (PORTUGUESE_WORDS, ENGLISH_WORDS) if language == "pt" else (ENGLISH_WORDS, PORTUGUESE_WORDS)
    assert answer.endswith((".", "!", "?"))
    if as_recognised(answer) != phrase:  # numbers are echoed
        assert own.search(answer.lower())
        assert not set(other.findall(answer.lower())) - {"ok"}


@pytest.mark.parametrize(("language", "phrase"), PHRASES)
def test_understands_every_phrase_of_the_bundled_recogniser(language: str, phrase: str) -> None:
    assert not ask(phrase, language).startswith(("I heard:", "Eu ouvi:"))


@pytest.mark.parametrize("language", ["pt", "en"])
def test_says_much_that_the_bundled_recogniser_can_hear(language: str) -> None:
    answers = {as_recognised(ask(phrase, language)) for phrase in KNOWN[language]}
    spoken_words = {answer for answer in answers & KNOWN[language] if len(answer) > 2}
    assert len(spoken_words) > 20  # half of them are numbers


@pytest.mark.parametrize(
    ("language", "words", "answer"),
    [
        ("pt", "bom dia", "Bom dia!"),
        ("pt", "boa noite", "Boa noite!"),
        ("pt", "olá", "Olá!"),
        ("pt", "olá tudo bem", "Tudo bem."),
        ("pt", "obrigado", "Obrigado!"),
        ("pt", "tchau", "Tchau!"),
        ("pt", "espera", "Claro."),
        ("pt", "três", "Três."),
        ("en", "good morning", "Good morning!"),
        ("en", "hi", "Hi!"),
        ("en", "thank you", "Thank you!"),
        ("en", "bye", "Goodbye."),
        ("en", "uh-huh", "Right."),
        ("en", "yes please", "Sure."),
        ("en", "seven", "Seven."),
    ],
)
def test_short_words_get_an_answer_that_is_itself_a_phrase(language: str, words: str, answer: str) -> None:
    assert ask(words, language) == answer
    assert as_recognised(answer) in KNOWN[language]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt", "ajuda"),
        ("pt", "quero falar com um atendente"),
        ("en", "help"),
        ("en", "i want to speak with a person"),
        ("en", "i want to talk to an agent"),
    ],
)
def test_help_is_long_enough_to_be_interrupted(language: str, words: str) -> None:
    answer = ask(words, language)
    assert len(answer.split()) >= 35
    assert len(re.findall(r"[.!]( |$)", answer)) >= 4


@pytest.mark.parametrize(
    ("language", "words", "answer"),
    [
        ("pt-BR", "quero ver o meu saldo", "Você quer ver o seu saldo. Sou o agente offline"),
        ("pt-br", "Bom dia! Quero pagar a conta, por favor.", "Você quer pagar a sua conta. Sou o agente offline"),
        ("pt", "QUERO CANCELAR A ASSINATURA", "Você quer cancelar a assinatura."),
        ("pt", "ola, tudo bem?", "Tudo bem."),
        ("pt", "Quem é você?", "Sou o agente offline do Automagik Hello."),
        ("en", "I forgot my password!", "You need a new password. I am the offline agent"),
        ("en-US", "Hello there", "Hi! I am the offline agent of Automagik Hello."),
        ("fr", "bonjour", "I heard: bonjour."),
    ],
)
def test_takes_text_as_people_write_it(language: str, words: str, answer: str) -> None:
    assert ask(words, language).startswith(answer)


def test_what_it_cannot_place_is_repeated_with_a_hint() -> None:
    assert ask("The sky is blue.") == (
        "I heard: The sky is blue. With a key for a language model, I would know what to answer."
    )
    assert ask("o céu é azul", "pt").startswith("Eu ouvi: o céu é azul. Com a chave de um modelo de linguagem")


@pytest.mark.parametrize(("words", "answer"), [("one two three", "One two three."), ("12 34", "12 34."), ("7", "7.")])
def test_numbers_are_echoed(words: str, answer: str) -> None:
    assert ask(words) == answer


def test_a_phrase_counts_only_as_whole_words() -> None:
    assert ask("this is a skyscraper").startswith("I heard:")  # holds "hi", but not as a word


@pytest.mark.parametrize("words", ["", "   ", "...", "!?", "🙂"])
def test_asks_again_when_it_heard_nothing(words: str) -> None:
    assert ask(words) == "Can you repeat that?"
    assert ask(words, "pt") == "Não entendi."


def test_has_something_to_say_before_anything_was_said() -> None:
    assert pieces([], "en")
    assert pieces([Message("system", "Be kind."), Message("assistant", "Hi!")], "pt")


def test_repeats_what_the_caller_really_heard() -> None:
    before = (Message("user", "help"), Message("assistant", "Sure, let me"))
    assert ask("can you repeat that", before=before) == "Sure, let me"


def test_repeats_its_introduction_when_nothing_of_the_answer_was_heard() -> None:
    before = (Message("user", "help"), Message("assistant", ""))
    assert ask("repeat", before=before) == "I am the offline agent of Automagik Hello."


def test_repeats_what_was_said_before_a_tool_was_called() -> None:
    call = Message("assistant", "", (ToolCall("call_a", "get_order", "{}"),))
    before = (Message("assistant", "Hi!"), Message("user", "my order"), call, Message("tool", "ok", (), "call_a"))
    assert ask("repeat", before=before) == "Hi!"


def test_answers_the_last_user_message() -> None:
    before = (Message("user", "bye"), Message("assistant", "Goodb"))
    assert ask("good morning", before=before) == "Good morning!"


def test_streams_word_by_word() -> None:
    assert pieces([Message("user", "who are you")], "en")[:4] == ["I ", "am ", "the ", "offline "]


def test_a_long_speech_is_not_repeated_whole() -> None:
    assert len(ask("blah " * 10_000)) < 400


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(), st.text(), st.text(max_size=5))
def test_any_text_gets_the_same_answer_every_time(words: str, said: str, language: str) -> None:
    before = (Message("assistant", said),)
    answer = ask(words, language, before)
    assert answer.strip()
    assert answer == ask(words, language, before)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.sampled_from([phrase for _, phrase in PHRASES] + ["{heard}", "{0}", "%s"])).map(" ".join))
def test_any_mixture_of_phrases_is_answered(words: str) -> None:
    for language in ("pt", "en"):
        assert ask(words, language).strip()


@pytest.mark.parametrize(
    ("language", "words", "goodbye"),
    [
        ("pt", "tchau", "Tchau!"),
        ("pt", "Até logo!", "Tchau!"),
        ("pt", "obrigada, tchau", "Tchau!"),
        ("en", "bye", "Goodbye."),
        ("en", "thank you, goodbye", "Goodbye."),
    ],
)
def test_hangs_up_on_a_goodbye_where_it_can(language: str, words: str, goodbye: str) -> None:
    *said, call = pieces([Message("user", words)], language, TOOLS)
    assert said == [goodbye]
    assert isinstance(call, ToolCall)
    assert call.name == "end_call"
    assert json.loads(call.arguments) == {"reason": "the caller said goodbye"}
    assert pieces([Message("user", words)], language, TOOLS[:1]) == [goodbye]


def test_each_call_has_an_id_of_its_own() -> None:
    calls = [pieces([Message("user", "bye")], "en", TOOLS)[-1] for _ in range(2)]
    assert len({call.id for call in calls if isinstance(call, ToolCall)}) == 2


@pytest.mark.parametrize("phrase", sorted(KNOWN["en"] - {"bye", "goodbye"}))
def test_hangs_up_on_nothing_else(phrase: str) -> None:
    before = [Message("user", "bye"), Message("assistant", "Goodbye.")]
    said = pieces([*before, Message("user", phrase)], "en", TOOLS)
    assert not [piece for piece in said if isinstance(piece, ToolCall)]


def results(*contents: str) -> list[Message]:
    calls = tuple(ToolCall(f"call_{i}", "get_order", "{}") for i in range(len(contents)))
    told = [Message("tool", content, (), call.id) for call, content in zip(calls, contents, strict=True)]
    return [Message("user", "where is my order"), Message("assistant", "", calls), *told]


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (["on its way."], "The answer is: on its way."),
        (["on its way", "lost"], "The answer is: on its way lost."),
        (['{"status": "on its way", "days": [1, 2]}'], "The answer is: status: on its way, days: 1, 2."),
        (["{heard} {0}"], "The answer is: heard 0."),
        ([""], "Right."),
        (["{}"], "Right."),
    ],
)
def test_says_what_a_tool_answered(contents: list[str], said: str) -> None:
    assert answer(results(*contents)) == said


def test_says_what_a_tool_answered_in_portuguese() -> None:
    assert answer(results("a caminho"), "pt") == "A resposta é: a caminho."
    assert answer(results(" "), "pt") == "Certo."


def test_says_a_long_result_shortly_and_only_the_last() -> None:
    assert len(answer(results("word " * 10_000))) < 300
    assert answer([*results("lost"), Message("assistant", "Lost."), *results("found")]) == "The answer is: found."


@pytest.mark.parametrize(("language", "words"), [("pt", "Você ainda está aí?"), ("en", "Are you still there?")])
def test_asks_a_silent_caller_whether_they_are_there(language: str, words: str) -> None:
    note = Message("system", "The caller has been silent.")
    said = [Message("system", "Be kind."), Message("user", "hi"), Message("assistant", "Hi!")]
    assert answer([*said, note], language) == words
    assert answer([Message("system", "Be kind."), note], language) == words


def test_a_context_update_on_the_way_changes_nothing() -> None:
    update = Message("system", "The caller opened the invoice.")
    assert answer([Message("user", "hi"), update, Message("user", "good morning")]) == "Good morning!"


@pytest.mark.parametrize("language", ["pt", "en"])
def test_a_caller_who_was_hard_to_understand_is_asked_again_and_then_offered_a_way_out(language: str) -> None:
    unclear, way_out = (
        answer([Message("user", "bye"), Message("system", note)], language) for note in (UNCLEAR_NOTE, WAY_OUT_NOTE)
    )
    assert unclear.endswith("?")
    assert way_out.endswith(".")
    own, other = (PORTUGUESE_WORDS, ENGLISH_WORDS) if language == "pt" else (ENGLISH_WORDS, PORTUGUESE_WORDS)
    for said in (unclear, way_out):
        assert own.search(said.lower())
        assert not other.search(said.lower())


def test_words_that_were_not_understood_hang_up_on_nobody() -> None:
    said = pieces([Message("user", "bye"), Message("system", UNCLEAR_NOTE)], "en", TOOLS)
    assert not [piece for piece in said if isinstance(piece, ToolCall)]
