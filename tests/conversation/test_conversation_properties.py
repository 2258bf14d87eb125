"""Whatever a caller does, and however slow the parts are: the wire stays sound, and the next calm turn is answered."""

from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation.decisions import Judgement
from serve_app.conversation.protocol import AgentResponse, AgentResponseCorrection, Audio, Interruption
from tests.conversation.score import Call, agent

GREETING = "Olá, aqui é da padaria. Em que posso ajudar?"
SHORT = st.floats(0.02, 0.6)
DEEDS = st.one_of(
    st.tuples(st.just("says"), st.sampled_from(["sim", "quero um café", "não é bem isso"])),
    st.tuples(st.just("murmurs"), SHORT),
    st.tuples(st.just("silence"), st.floats(0.02, 3)),
    st.tuples(st.just("noise"), SHORT),
    st.tuples(st.just("types"), st.just("escrevi")),
    st.tuples(st.just("sends_nothing"), st.floats(0.1, 3)),
)
DELAYS = st.sampled_from([0.0, 0.05, 0.2, 0.7])


def perform(call: Call, deed: str, what: str | float) -> None:
    if deed == "murmurs":
        call.says("", seconds=float(what))
    else:
        getattr(call, deed)(what)


def assert_sound(call: Call) -> None:
    others = [message for _, message in call.sent if not isinstance(message, AgentResponseCorrection)]
    ids = [message.event_id for message in others if hasattr(message, "event_id")]
    assert ids == sorted(set(ids))
    responses = {message.event_id: message.agent_response for message in call.messages(AgentResponse)}
    for correction in call.messages(AgentResponseCorrection):
        assert responses[correction.event_id] == correction.original_agent_response
        assert correction.original_agent_response.startswith(correction.corrected_agent_response)
    assert len(call.messages(AgentResponseCorrection)) == len(call.messages(Interruption))
    ahead = 0.0
    for at, message in call.sent:
        if isinstance(message, Interruption):
            ahead = at  # clients drop what they hold
        elif isinstance(message, Audio):
            ahead = max(ahead, at) + len(message.audio_base_64) / 32_000
            assert ahead - at < 0.2, "paced: no more than a lead, a chunk and a fade"


@settings(max_examples=60, deadline=None)
@given(st.lists(DEEDS, max_size=8), DELAYS, DELAYS, DELAYS, st.sampled_from([None, 0.0, 0.5, 1.0]))
def test_after_any_call_a_calm_caller_is_answered(
    deeds: list[tuple[str, str | float]], recogniser_s: float, model_s: float, voice_s: float, score: float | None
) -> None:
    judge = None if score is None else lambda _: Judgement(turn_end=score, interruption=1 - score)
    call = Call(agent(GREETING), recogniser_s=recogniser_s, judge=judge)
    call.model_s, call.voice_s = model_s, voice_s
    for deed, what in deeds:
        perform(call, deed, what)
    call.silence(20)
    before = len(call.outline())
    call.says("quero um pão")
    call.silence(8)
    told = call.outline()[before:]
    assert [line for line in told if line != "audio"] == ["user: quero um pão", "agent: Você disse quero um pão."]
    assert told[-1] == "audio"
    assert_sound(call)
