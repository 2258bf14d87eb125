import msgspec
import pytest

from serve_app.conversation.agent import Agent
from serve_app.conversation.protocol import ServerMessage


def test_an_agent_needs_only_a_name() -> None:
    agent = msgspec.convert({"name": "Ana"}, Agent)
    config = agent.conversation_config
    assert (config.agent.language, config.agent.first_message) == ("pt", "")
    assert config.asr.user_input_audio_format == config.tts.agent_output_audio_format == "pcm_16000"


def test_it_is_read_in_the_shape_of_elevenlabs() -> None:
    agent = msgspec.convert(
        {
            "name": "Ana",
            "conversation_config": {
                "agent": {"language": "en", "first_message": "Hi.", "prompt": {"prompt": "Be brief."}},
                "asr": {"user_input_audio_format": "ulaw_8000"},
                "tts": {"voice_id": "v1", "agent_output_audio_format": "ulaw_8000"},
                "conversation": {"client_events": ["audio"]},
            },
        },
        Agent,
    )
    config = agent.conversation_config
    assert config.agent.prompt.prompt == "Be brief."
    assert config.tts.voice_id == "v1"
    assert config.conversation.client_events == ("audio",)


def test_by_default_barge_in_works_and_the_client_learns_what_was_heard() -> None:
    events = Agent("Ana").conversation_config.conversation.client_events
    assert {"audio", "interruption", "agent_response_correction"} <= set(events)
    assert set(events) <= {kind.TYPE for kind in ServerMessage.__subclasses__()}


@pytest.mark.parametrize(
    ("described", "field"),
    [
        ({"name": "Ana", "voice": "v1"}, "voice"),
        ({"name": "Ana", "conversation_config": {"agent": {"first_mesage": "Hi."}}}, "first_mesage"),
        ({"conversation_config": {}}, "name"),
        ({"name": "Ana", "conversation_config": {"agent": {"language": 5}}}, "language"),
    ],
)
def test_a_mistake_is_named(described: dict[str, object], field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(described, Agent)
