import pytest

from serve_app.audio.framing import RATE
from tests.feel.caller import BEGINS_S, Caller
from tests.feel.recogniser import Recogniser, Recorded
from tests.feel.score import Kind, Line, Score, Speech, Voice

FRAMES = 150


def recorded(text: str, line: Line) -> Recorded:
    first, second = (Speech(part, Voice("pt-br")) for part in (text, "obrigado"))
    found = Recorded(Caller(Score("test", Kind.PAUSE, "pt", (first, second), line, pause_s=0.5)))
    for _ in range(FRAMES):
        found.send(found.caller.frame())
    return found


@pytest.mark.parametrize("line", [Line(), Line(telephone=True)], ids=["wide", "telephone"])
def test_an_utterance_is_found_among_those_of_all_callers(line: Line) -> None:
    recogniser = Recogniser()
    calls = [recorded(text, line) for text in ("quero um café", "meu nome é Joana", "bom dia")]
    for call in calls:
        recogniser.listen(call)
    again = recorded("meu nome é Joana", line)  # as the server has it: through a resampler of its own
    start, end = round((BEGINS_S - 0.1) * RATE), round(2.2 * RATE)
    assert recogniser.hear(again.samples[start:end].tobytes()).startswith("Meu nome é")
    assert recogniser.strangers == 0


def test_what_nobody_said_has_no_words() -> None:
    recogniser = Recogniser()
    recogniser.listen(recorded("quero um café", Line()))
    assert recogniser.hear(recorded("bom dia", Line()).samples[RATE : 2 * RATE].tobytes()) == ""
    assert recogniser.strangers == 1


def test_a_call_that_is_over_is_forgotten() -> None:
    recogniser = Recogniser()
    call = recorded("quero um café", Line())
    recogniser.listen(call)
    recogniser.forget(call)
    assert recogniser.hear(call.samples[RATE:].tobytes()) == ""
