"""Calls on a line that is slow or uneven: the agent makes up for what it can, and the record says so."""

from msgspec.structs import replace

from serve_app.conversation.agent import Agent, Voice
from serve_app.conversation.line_quality import GOOD_AFTER_S
from serve_app.conversation.playback import LEAD_S, LONG_LEAD_S
from serve_app.conversation.server_messages import Audio, VadScore
from tests.conversation.score import FRAME_S, GREETING, Call, agent, seconds

EVENTS = ("audio", "vad_score", "ping")


def described(first_message: str = "") -> Agent:
    plain = agent(first_message, events=EVENTS)
    config = plain.conversation_config
    return replace(plain, conversation_config=replace(config, tts=Voice(model_id="eleven_multilingual_v2")))


def slow() -> Call:
    """Its second round trip has shown how slow it is: the first is that of opening the audio devices."""
    call = Call(described(), pong_s=0.6)
    call.silence(18)
    return call


def arrives(call: Call, lumps: int, *, late_s: float = 0.0, backlog_s: float = 0.0) -> None:
    """Audio in messages of 100 ms, every other one late."""
    start = call.now
    for count in range(1, lumps + 1):
        at = start + count * 0.1 + late_s * (count % 2)
        call._pass(max(at, call.now))
        call._perform(call.conversation.arrived(0.1, backlog_s, at))


def lead(call: Call) -> float:
    """How far sound was ahead of real time, at most, in the answer to what is typed now."""
    since = call.now
    call.types("oi")
    call.silence(4)
    heard_until, ahead = 0.0, 0.0
    for at, message in call.sent:
        if isinstance(message, Audio) and at >= since:
            heard_until = max(at, heard_until) + seconds(message)
            ahead = max(ahead, heard_until - at)
    return ahead


def test_on_a_good_line_nothing_is_different() -> None:
    call = Call(described())
    call.silence(6)
    assert call.log("line_quality") == []
    assert lead(call) < LEAD_S + 0.05
    assert not call.thought[-1].hurry
    assert call.spoken[-1].voice.model_id == "eleven_multilingual_v2"


def test_on_a_slow_line_sound_leaves_earlier_and_what_is_quick_answers() -> None:
    call = slow()
    [switch] = call.log("line_quality")
    assert switch == {"level": "bad", "ping_ms": 600, "jitter_s": 0.0, "backlog_s": 0.0}
    assert LONG_LEAD_S < lead(call) < LONG_LEAD_S + 0.05
    assert call.thought[-1].hurry
    assert call.spoken[-1].voice.model_id == "eleven_multilingual_v2"


def test_and_it_carries_no_more_than_it_must() -> None:
    call = slow()
    assert call.messages(VadScore)
    since = call.now
    call.silence(2)
    assert [at for at in call.times(VadScore) if at > since] == []


def test_the_answer_under_way_is_stretched_too() -> None:
    call = Call(described(GREETING * 20))
    call.silence(4)
    arrives(call, 3, backlog_s=1.0)
    assert call.log("line_quality")[-1]["level"] == "bad"
    reply = call.conversation.answering.reply
    assert reply
    assert reply.playback.lead_s == LONG_LEAD_S


def test_an_uneven_line_is_noticed_and_one_that_has_got_better_too() -> None:
    call = Call(described())
    arrives(call, 60, late_s=0.04)
    assert [entry["level"] for entry in call.log("line_quality")] == []
    arrives(call, 40, late_s=0.3)
    assert [entry["level"] for entry in call.log("line_quality")] == ["bad"]
    arrives(call, round(GOOD_AFTER_S / 0.1) + 60)
    assert [entry["level"] for entry in call.log("line_quality")] == ["bad", "good"]
    assert lead(call) < LEAD_S + 2 * FRAME_S + 0.05


def test_a_voice_is_warmed_when_the_call_begins() -> None:
    call = Call(described())
    assert [warm.voice for warm in call.warmed] == [described().conversation_config.tts]
    assert Call(agent(text_only=True)).warmed == []


def test_the_language_is_known_to_an_agent_of_one() -> None:
    assert Call().conversation.spoken_language == "pt"
