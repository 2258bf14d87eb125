import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.guards.output import RUN, Sieve, instructions

PROMPT = """You are Ana, the voice of the Blue Bank, and you never talk about other banks or their prices.
Savings pay six percent a year, and a transfer to another bank costs two fifty on weekdays after four.
When they ask for help, say: "Please call the number on the back of your card, any day from eight to eight."
"""
GREETING = "Hello, this is Ana of the Blue Bank, how may I help you on this fine day?"
ROLE = "You are Ana, the voice of the Blue Bank, and you never talk about other banks"
FACT = "Savings pay six percent a year, and a transfer to another bank costs two fifty on weekdays after four."
SCRIPT = "Please call the number on the back of your card, any day from eight to eight."
NONE: frozenset[str] = frozenset()


def leak(text: str, *, prompt: str = PROMPT, secrets: tuple[str, ...] = ()) -> str | None:
    sieve = Sieve(instructions(prompt, GREETING), secrets)
    sieve.feed(text)
    sieve.finish()
    return sieve.leak


# ---- the prompt


def test_what_the_agent_was_told_to_be_is_its_own() -> None:
    assert leak(f"Sure: {ROLE}.") == "prompt"


@pytest.mark.parametrize(
    "disguise",
    [
        ROLE.upper(),
        ROLE.replace(" ", "... "),
        ROLE.replace(" ", "\n- "),
        ROLE.replace("e", "3"),
        "  ".join(" ".join(word.strip(",")) for word in ROLE.split()),
    ],
)
def test_however_it_is_written(disguise: str) -> None:
    assert leak(disguise) == "prompt"


@pytest.mark.parametrize("meant", [FACT, SCRIPT, GREETING, "You are right, the Blue Bank is open today.", ""])
def test_what_callers_may_know_is_not(meant: str) -> None:
    assert leak(meant) is None


def test_what_is_said_first_may_stand_in_the_prompt() -> None:
    assert leak(GREETING, prompt=f"You begin with: {GREETING}") is None


def test_a_run_is_so_many_words_and_no_fewer() -> None:
    told = ROLE.split()
    assert leak(" ".join(told[:RUN])) == "prompt"
    assert leak(" ".join(told[: RUN - 1])) is None


def test_a_run_may_cross_sentences_and_pieces() -> None:
    sieve = Sieve(instructions("You are Ana. Never sing. Always answer in rhyme, and do not laugh at jokes."), ())
    assert sieve.feed("You are Ana. ") == "You are Ana. "
    assert sieve.feed("Never sing. ") == "Never sing. "
    assert sieve.feed("Always answer in rhyme, and do not laugh. ") == ""
    assert sieve.leak == "prompt"


def test_a_prompt_without_a_word_to_the_agent_has_nothing_to_hide() -> None:
    assert instructions(FACT) == NONE
    assert instructions("") == NONE


# ---- secrets


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "gsk_abcdefghijklmnopqrstuvwxyz",
        "sk_0123456789abcdef0123456789abcdef",
        "AKIAABCDEFGHIJKLMNOP",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln",
        "Bearer abcdefghijklmnop",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_a_key_is_known_by_its_looks(secret: str) -> None:
    assert leak(f"It is {secret}, keep it.") == "secret"


@pytest.mark.parametrize(
    "spoken",
    ["O Pix é 123e4567-e89b-12d3-a456-426614174000.", "Protocolo 20261123-0042.", "sk-ed, gsk, AKIA", "bearer of news"],
)
def test_other_codes_are_none(spoken: str) -> None:
    assert leak(spoken) is None


@pytest.mark.parametrize("said", ["It is tangerine-77!", "T a n g e r i n e, 7, 7", "TANGERINE77"])
def test_a_given_secret_is_one_however_it_is_spelled(said: str) -> None:
    assert leak(said, secrets=("Tangerine-77",)) == "secret"


def test_a_short_secret_would_be_said_by_chance() -> None:
    assert leak("It costs 1234 today.", secrets=("1234", "", "ok")) is None


# ---- on the way out


def test_text_goes_out_with_the_pause_that_ends_it() -> None:
    sieve = Sieve(NONE, ())
    assert [sieve.feed(piece) for piece in ("One", " moment,", " please", ". And", " then")] == [
        "",
        "",
        "One moment, ",
        "please. ",
        "",
    ]
    assert sieve.finish() == "And then"


def test_a_run_on_is_held_no_longer_than_it_must() -> None:
    sieve = Sieve(NONE, ())
    text = "word " * 100
    assert len(text) - len("".join(sieve.feed(f"{word} ") for word in text.split())) < 200
    assert Sieve(NONE, ()).feed("x" * 1_000) == "x" * 1_000


@given(st.lists(st.text()))
def test_what_holds_nothing_back_loses_nothing(pieces: list[str]) -> None:
    sieve = Sieve(NONE, ())
    assert "".join([*map(sieve.feed, pieces), sieve.finish()]) == "".join(pieces)
    assert not sieve.is_closed


@given(st.lists(st.integers(min_value=1, max_value=30), max_size=20))
def test_a_leak_is_found_however_the_text_is_cut(cuts: list[int]) -> None:
    text, sieve, out = f"Well. {ROLE}. And more of it.", Sieve(instructions(PROMPT), ()), ""
    for cut in cuts:
        out += sieve.feed(text[:cut])
        text = text[cut:]
    out += sieve.feed(text) + sieve.finish()
    assert (sieve.leak, sieve.is_closed) == ("prompt", True)
    assert "other banks" not in out


def test_a_leak_may_be_let_through() -> None:
    sieve = Sieve(instructions(PROMPT), (), lets_through=True)
    assert sieve.feed(f"{ROLE}. ") + sieve.finish() == f"{ROLE}. "
    assert (sieve.leak, sieve.is_closed) == ("prompt", False)
