"""Whatever is said over the agent, and whatever it makes of that: history and client have what was heard, no more."""

from collections.abc import Sequence
from itertools import cycle

from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.audio.echo import LIKELY
from serve_app.conversation.agent import Agent, Hello, Turn
from serve_app.conversation.decisions import Judgement
from serve_app.conversation.manners import Eagerness, Strategy
from serve_app.conversation.overlap import FAINT_DB
from serve_app.conversation.server_messages import AgentResponse, AgentResponseCorrection, Interruption
from tests.conversation.score import SPEECH_DB, Call, Piece, agent, echo
from tests.conversation.test_conversation_properties import assert_answered, assert_sound, settle

STORY = "Era uma vez um padeiro. Ele fazia pão de queijo, e todos gostavam muito dele. Um dia o forno parou."
WORDS = st.sampled_from(
    ["espera!", "uhum", "sim, mas eu queria outra coisa", "eu queria um café e", "meu CPF é 123", "que horas são?", ""]
)
Deed = tuple[str, str, float]
DEEDS = st.tuples(
    st.sampled_from(["says", "says", "says", "sighs", "television", "echo", "noise"]), WORDS, st.floats(0.02, 2.5)
)
STRATEGIES: list[Strategy] = ["overlap_aware", "yield_immediately", "hold_floor", "disabled"]
EAGERNESS: list[Eagerness] = ["eager", "normal", "patient"]
SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5)


def described(strategy: Strategy, eagerness: Eagerness, *, keeps: bool) -> Agent:
    turn = Turn(eagerness, transcribe_on_disabled_interruptions=keeps, turn_timeout=30.0, initial_wait_time=300.0)
    return agent(STORY, turn=turn, hello=Hello(overlap=strategy))


def perform(call: Call, deed: Deed) -> None:
    """Something sounds, then it is quiet for as long."""
    sound, words, seconds = deed
    call.level_db = SPEECH_DB - (FAINT_DB + 5 if sound == "television" else 0)
    call.ours = LIKELY if sound == "echo" else 0.0
    if sound == "noise":
        call.noise(seconds)
    elif sound == "sighs":
        call.says("", seconds)
    else:
        call.says(words, seconds if sound == "echo" else None)
    call.level_db, call.ours = SPEECH_DB, 0.0
    call.silence(seconds)


def assert_remembered_as_heard(call: Call) -> None:
    """What the model is told that it said is what was said, to where it was heard."""
    heard = {message.event_id: message.agent_response for message in call.messages(AgentResponse)}
    for correction in call.messages(AgentResponseCorrection):
        heard[correction.event_id] = correction.corrected_agent_response
    remembered = [m.content for m in call.conversation.answering.dialogue.messages() if m.role == "assistant"]
    assert " ".join(remembered) == " ".join(filter(None, heard.values()))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(DEEDS, max_size=6),
    st.tuples(st.sampled_from(STRATEGIES), st.sampled_from(EAGERNESS), st.booleans()),
    SCORES | st.none(),
    st.sampled_from([0.0, 0.05, 0.3, 0.8]),
    st.sampled_from([0.02, 0.1, 0.26]),
)
def test_heard_is_a_prefix_of_said_and_the_next_turn_is_answered(
    deeds: list[Deed],
    manners: tuple[Strategy, Eagerness, bool],
    scores: list[tuple[float, float]] | None,
    delay_s: float,
    lump_s: float,
) -> None:
    strategy, eagerness, keeps = manners
    views = cycle(scores or [])
    stories = [STORY] * len(deeds)

    def model(text: str) -> Sequence[Piece]:
        return [stories.pop()] if stories else echo(text)

    call = Call(
        described(strategy, eagerness, keeps=keeps),
        model=model,
        judge=(lambda _: Judgement(*next(views))) if scores else None,
        recogniser_s=delay_s,
        lump_s=lump_s,
    )
    call.silence(1)
    for deed in deeds:
        perform(call, deed)
    settle(call)
    stories.clear()
    assert_answered(call)
    assert_sound(call)
    assert_remembered_as_heard(call)
    if strategy in ("hold_floor", "disabled"):
        assert not call.messages(Interruption)
    if strategy != "hold_floor":
        assert set(call.times(AgentResponseCorrection)) <= set(call.times(Interruption))
