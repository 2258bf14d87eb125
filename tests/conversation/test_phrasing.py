import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation.phrasing import LONGEST_CLAUSE, Clause, Phrasing


def phrase(pieces: list[str]) -> list[Clause]:
    phrasing = Phrasing()
    clauses = [clause for piece in pieces for clause in phrasing.feed(piece)]
    return clauses + phrasing.finish()


def texts(answer: str) -> list[str]:
    return [clause.text for clause in phrase([answer])]


@pytest.mark.parametrize(
    ("answer", "clauses"),
    [
        ("Olá. Tudo bem?", ["Olá.", "Tudo bem?"]),
        ("Olá! Como vai… Bem?! Sim.", ["Olá!", "Como vai…", "Bem?!", "Sim."]),
        ('Ele disse "não." Depois saiu.', ['Ele disse "não."', "Depois saiu."]),
        (
            "Bom dia a todos, como vai? Bem, obrigado, e você?",
            ["Bom dia a todos,", "como vai?", "Bem, obrigado, e você?"],
        ),
        ("Sim, claro que posso, com prazer.", ["Sim, claro que posso,", "com prazer."]),
        ("O Dr. Silva e a Sra. Souza vêm às 3.5 horas.", ["O Dr. Silva e a Sra. Souza vêm às 3.5 horas."]),
        ("Veja:\n1. Maçã verde.\n2. Pera doce.\n", ["Veja:", "1. Maçã verde.", "2. Pera doce."]),
        ("Olá. Eu gosto de chá, e você?", ["Olá.", "Eu gosto de chá, e você?"]),
        ("Sem ponto", ["Sem ponto"]),
        ("... Olá.", ["Olá."]),
        ("— ? !", []),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_clauses(answer: str, clauses: list[str]) -> None:
    assert texts(answer) == clauses


def test_a_clause_is_given_as_soon_as_it_is_whole() -> None:
    phrasing = Phrasing()
    assert phrasing.feed("Bom dia a todos") == []
    assert phrasing.feed(",") == [], "3,5 has a comma too"
    assert phrasing.feed(" como") == [Clause(0, 16, "Bom dia a todos,")]
    assert phrasing.feed(" vai?") == []
    assert phrasing.feed(" E ") == [Clause(17, 26, "como vai?")]
    assert phrasing.finish() == [Clause(27, 28, "E")]
    assert phrasing.finish() == []


def test_a_short_beginning_waits_for_its_sentence() -> None:
    assert texts("Bem, vamos ver. Sim.") == ["Bem, vamos ver.", "Sim."]


@pytest.mark.parametrize("mark", ["", ","])
def test_a_sentence_that_runs_on_is_cut_at_a_pause_or_between_words(mark: str) -> None:
    answer = f"palavra{mark} " * 100
    clauses = texts(f"Olá. {answer}")
    assert len(clauses) > 3
    assert all(len(clause) <= LONGEST_CLAUSE for clause in clauses)
    assert " ".join(clauses) == f"Olá. {answer}".strip()


def test_a_word_without_end_is_cut() -> None:
    assert [len(clause) for clause in texts("a" * 500)] == [240, 240, 20]


HOSTILE_SIZE = 100_000
HOSTILE = [".", "sr. ", "1. ", "\n", ".\n", ",", ", ", ",…", "a", "a. ", '"', '."', "." + '"' * 200, "…", "? ! ", " "]
HOSTILE_MIXTURE = "".join(random.Random(1).choices(HOSTILE, k=HOSTILE_SIZE))


@pytest.mark.parametrize("pattern", [*HOSTILE, HOSTILE_MIXTURE], ids=lambda pattern: repr(pattern[:8]))
def test_no_text_is_slow_to_phrase(pattern: str) -> None:
    """All calls share one event loop. The bounds are some ten times what it takes; a search that looks at the whole
    answer for each clause, or at the whole of a run from each of its characters, takes minutes."""
    answer = (pattern * (HOSTILE_SIZE // len(pattern) + 1))[:HOSTILE_SIZE]
    tokens = [answer[start : start + 3] for start in range(0, HOSTILE_SIZE, 3)]
    started = time.process_time()
    whole = phrase([answer])
    fed_at_once = time.process_time()
    assert phrase(tokens) == whole
    assert fed_at_once - started < 1
    assert time.process_time() - fed_at_once < 3


WORDS = st.sampled_from(
    ["sim", "não", "a", "2", "3,5", "Dr.", "1.", "olá", "(veja)", "—", "“bem”", "R$", "...", "x" * 90, "Sra.", "fim.)"]
)
PUNCTUATION = st.sampled_from(["", "", "", ",", ";", ":", ".", "!", "?!", "…", '."'])
SPACE = st.sampled_from([" ", " ", " ", "\n", "  ", "\n\n"])
ANSWERS = st.lists(st.tuples(WORDS, PUNCTUATION, SPACE).map("".join), max_size=40).map("".join)
"""Answers in which white space follows every word, as in the whole answer of a model but for its last."""


def assert_pieces_of(answer: str, clauses: list[Clause]) -> None:
    """Exact, in order, each once; what lies between has nothing to say."""
    position = 0
    for clause in clauses:
        assert clause.text == answer[clause.start : clause.end] == clause.text.strip()
        assert not any(char.isalnum() for char in answer[position : clause.start])
        assert any(char.isalnum() for char in clause.text)
        assert len(clause.text) <= LONGEST_CLAUSE
        position = clause.end
    assert not any(char.isalnum() for char in answer[position:])


@settings(max_examples=200, deadline=None)
@given(ANSWERS)
def test_clauses_do_not_depend_on_how_the_answer_came(answer: str) -> None:
    whole = phrase([answer])
    assert_pieces_of(answer, whole)
    assert phrase(list(answer)) == whole
    assert phrase(answer.split(" ")[:1] + [f" {token}" for token in answer.split(" ")[1:]]) == whole


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=20))
def test_any_text_is_phrased_whole(pieces: list[str]) -> None:
    assert_pieces_of("".join(pieces), phrase(pieces))
