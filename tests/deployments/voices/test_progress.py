import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.voices.progress import CHAR_MS, Progress
from serve_app.conversation.phrasing import Clause
from serve_app.conversation.playback import Playback
from serve_app.ports import Alignment, SpeechChunk
from tests.deployments.voices.scripted_engine import FORMAT, LETTER_S

LETTER_MS = round(LETTER_S * 1000)


def sound(text: str, *, timed: bool = True, missing_ms: int = 0) -> SpeechChunk:
    """A letter every LETTER_MS; of the last one's audio, `missing_ms` is not there."""
    length_s = len(text) * LETTER_S - missing_ms / 1000
    starts = tuple(i * LETTER_MS for i in range(len(text)))
    timing = Alignment(tuple(text), starts, (LETTER_MS,) * len(text)) if timed else None
    return SpeechChunk(bytes(FORMAT.bytes_for(length_s)), timing)


@pytest.mark.parametrize(
    ("spoken", "rest"),
    [
        ("", "Bom dia, Ana! São R$ 1.250,00."),
        ("Bo", "Bom dia, Ana! São R$ 1.250,00."),
        ("Bom", "dia, Ana! São R$ 1.250,00."),
        ("Bom ", "dia, Ana! São R$ 1.250,00."),
        ("Bom dia", "Ana! São R$ 1.250,00."),
        ("Bom dia, An", "Ana! São R$ 1.250,00."),
        ("Bom dia, Ana! São R$ 1", "1.250,00."),
        ("Bom dia, Ana! São R$ 1.250", "1.250,00."),
    ],
)
def test_the_rest_begins_with_a_word(spoken: str, rest: str) -> None:
    progress = Progress("Bom dia, Ana! São R$ 1.250,00.", FORMAT)
    assert progress.take(sound(spoken)).audio == sound(spoken).audio
    progress.fail()
    assert progress.rest == rest
    assert not progress.over


@pytest.mark.parametrize("spoken", ["Bom dia", "Bom dia!", "Bom dia! "])
def test_nothing_is_left_after_the_last_word(spoken: str) -> None:
    progress = Progress("Bom dia!", FORMAT)
    progress.take(sound(spoken))
    progress.fail()
    assert progress.over


def test_a_word_that_was_timed_and_did_not_sound_is_spoken_again() -> None:
    progress = Progress("Bom dia", FORMAT)
    progress.take(sound("Bom dia", missing_ms=200))
    progress.fail()
    assert progress.rest == "dia"
    assert progress.take(sound("dia")).alignment is None, "it has been timed"


def test_without_timing_the_usual_rate_tells() -> None:
    progress = Progress("um dois três quatro", FORMAT)
    progress.take(SpeechChunk(bytes(FORMAT.bytes_for(10.5 * CHAR_MS / 1000))))
    progress.fail()
    assert progress.rest == "três quatro"


def chars(chunk: SpeechChunk) -> str:
    return "".join(chunk.alignment.chars) if chunk.alignment else ""


def test_the_next_speaker_times_only_what_is_new() -> None:
    progress = Progress("um dois três", FORMAT)
    first = progress.take(sound("um doi"))
    progress.fail()
    assert progress.rest == "dois três"
    second = progress.take(sound("dois três"))
    assert chars(first) + chars(second) == "um dois três"
    assert second.alignment is not None
    assert second.alignment.starts_ms[0] == 3 * LETTER_MS


def test_punctuation_that_is_passed_over_is_timed_by_the_next() -> None:
    progress = Progress("um, dois", FORMAT)
    progress.take(sound("um"))
    progress.fail()
    assert progress.rest == "dois"
    assert progress.take(sound("dois")).alignment == Alignment(
        tuple(", dois"), (0, 0, *(i * LETTER_MS for i in range(4))), (0, 0, *(LETTER_MS,) * 4)
    )


def position(text: str, chunks: list[SpeechChunk], seconds: float) -> int:
    """How many characters the caller has heard of what is still coming, as the playback counts them."""
    playback = Playback(FORMAT)
    clause = Clause(0, len(text), text)
    playback.expect(clause)
    for chunk in chunks:
        playback.add(clause, chunk)
    playback.release()
    now = 0.0
    while now < seconds:
        playback.take(now)
        now += 0.02
    return playback.heard(seconds)


@pytest.mark.parametrize("first_times", [True, False])
def test_the_playback_follows_when_only_one_of_two_speakers_times(first_times: bool) -> None:
    text = "um dois três quatro cinco seis sete"
    progress = Progress(text, FORMAT)
    half = text[: len("um dois três")]
    chunks = [progress.take(sound(half, timed=first_times))]
    progress.fail()
    assert progress.rest == "quatro cinco seis sete"
    begins_s, left = len(half) * LETTER_S, len(text) - len(progress.rest)
    chunks += [progress.take(sound(letter, timed=not first_times)) for letter in progress.rest]
    assert position(text, chunks, begins_s / 2) == pytest.approx(left / 2, abs=2)
    per_s = 1 / LETTER_S if not first_times else 1000 / CHAR_MS
    assert position(text, chunks, begins_s + 1) == pytest.approx(left + per_s, abs=2)


def test_nobody_times_anything() -> None:
    progress = Progress("um dois", FORMAT)
    assert progress.take(sound("um ", timed=False)).alignment is None
    progress.fail()
    assert progress.take(sound("dois", timed=False)).alignment is None


@given(
    st.text(st.sampled_from("abc1 ,.$\n"), max_size=40),
    st.lists(st.integers(0, 15), max_size=6),
)
def test_every_character_is_timed_once_and_every_word_is_heard(text: str, speakers: list[int]) -> None:
    """Whoever speaks breaks off after any number of letters, in chunks of three; the last one speaks to the end."""
    progress = Progress(text, FORMAT)
    told, heard = "", set()
    for letters in [*speakers, len(text)]:
        spoken = progress.rest[:letters]
        begin = len(text) - len(progress.rest)
        heard |= set(range(begin, begin + len(spoken)))
        told += "".join(chars(progress.take(sound(spoken[i : i + 3]))) for i in range(0, len(spoken), 3))
        progress.fail()
    assert text.startswith(told)
    assert not any(map(str.isalnum, text[len(told) :]))
    assert {i for i, char in enumerate(text) if char.isalnum()} <= heard
