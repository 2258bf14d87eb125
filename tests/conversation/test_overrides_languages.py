"""Languages and their presets."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.agent import Agent
from serve_app.conversation.overrides import apply, in_language
from serve_app.errors import OverrideError
from tests.conversation.override_samples import Tree, agent

ENGLISH = {
    "first_message_translation": {"text": "Hi."},
    "soft_timeout_translation": {"text": "Let me see..."},
    "overrides": {"tts": {"voice_id": "v-en"}, "agent": {"first_message": None}},
}
SPANISH = {"overrides": {"agent": {"first_message": "Hola.", "prompt": {"prompt": "Breve."}}}}
PRESETS = {"en": ENGLISH, "es": SPANISH}


def facts(agent: Agent) -> tuple[str, ...]:
    config = agent.conversation_config
    persona, soft = config.agent, config.turn.soft_timeout_config
    return persona.language, persona.first_message, persona.prompt.prompt, config.tts.voice_id, soft.message


def test_another_language_brings_its_preset() -> None:
    plain = agent(presets=PRESETS)
    assert facts(in_language(plain, "en")) == ("en", "Hi.", "Be brief.", "v-en", "Let me see...")
    assert facts(in_language(plain, "es")) == ("es", "Hola.", "Breve.", "v1", "")


def test_a_language_without_a_preset_is_the_language_alone() -> None:
    assert facts(in_language(agent(presets=PRESETS), "fr")) == ("fr", "Oi.", "Be brief.", "v1", "")


@given(st.lists(st.sampled_from(["pt", "en", "es"]), min_size=1, max_size=5))
def test_a_language_is_the_same_whichever_came_before(languages: list[str]) -> None:
    plain = changed = agent(presets=PRESETS)
    for language in languages:
        changed = in_language(changed, language)
    assert facts(changed) == facts(in_language(plain, languages[-1]))
    assert set(changed.languages) == {"pt", "en", "es"}


@pytest.mark.parametrize(
    ("asked", "own", "presets", "gets"),
    [
        ("pt-BR", "pt", (), "pt"),
        ("pt", "pt-br", (), "pt-br"),
        ("PT-br", "pt-br", ("pt",), "pt-br"),
        ("en-US", "pt", ("en",), "en"),
        ("en-US", "pt", ("en-GB",), "en-GB"),
        ("en-US", "pt", ("en-GB", "en", "en-US"), "en-US"),
        ("en-AU", "pt", ("en-GB", "en", "en-US"), "en"),
        ("en-AU", "pt", ("en-GB", "en-US"), "en-GB"),
        ("fr-CA", "pt", ("en",), "fr-CA"),
    ],
)
def test_a_language_of_another_country_is_the_nearest_one(
    asked: str, own: str, presets: tuple[str, ...], gets: str
) -> None:
    said = {tag: {"first_message_translation": {"text": f"I am {tag}."}} for tag in presets}
    config = {"agent": {"language": own, "first_message": "Oi."}, "language_presets": said}
    plain = msgspec.convert({"name": "Ana", "conversation_config": config}, Agent)
    changed = in_language(plain, asked)
    assert facts(changed)[:2] == (gets, f"I am {gets}." if gets in presets else "Oi.")
    assert set(changed.languages) == {*plain.languages, gets}


def test_what_was_not_set_is_not_set_again() -> None:
    plain = agent(presets={"en": {"overrides": {"agent": {"prompt": {"tool_ids": ["show_map"]}}}}})
    english = in_language(plain, "en")
    assert english.conversation_config.agent.prompt.tool_ids == ("show_map",)
    assert in_language(english, "pt").conversation_config.agent.prompt.tool_ids is None


def test_a_client_that_asks_for_a_language_gets_its_preset_under_what_else_it_asks_for() -> None:
    plain = agent("agent.language", "tts.voice_id", presets=PRESETS)
    english = apply(plain, {"agent": {"language": "en"}, "tts": {"voice_id": "mine"}})
    assert facts(english) == ("en", "Hi.", "Be brief.", "mine", "Let me see...")
    assert facts(in_language(english, "pt")) == ("pt", "Oi.", "Be brief.", "mine", "")


def test_a_client_that_asks_for_a_country_gets_the_preset_of_the_language() -> None:
    english = apply(agent("agent.language", presets=PRESETS), {"agent": {"language": "en-US"}})
    assert facts(english) == ("en", "Hi.", "Be brief.", "v-en", "Let me see...")
    assert english.languages[0] == "en"


def test_the_agents_own_language_needs_no_permission_whatever_the_country() -> None:
    assert apply(agent(presets=PRESETS), {"agent": {"language": "pt-BR"}}) == agent(presets=PRESETS)


def test_a_preset_needs_no_permission_but_the_language_does() -> None:
    with pytest.raises(OverrideError, match=r"^agent\.language: "):
        apply(agent(presets=PRESETS), {"agent": {"language": "en"}})


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"tts": {"agent_output_audio_format": "ulaw_8000"}}, "cannot be overridden"),
        ({"agent": {"first_message": {"text": "Hi."}}}, "cannot be overridden"),
        ({"agent": "Hi."}, "cannot be overridden"),
        ({"agent": {"language": "fr"}}, "preset for en"),
        ({"tts": {"speed": "fast"}}, r"\$\.tts\.speed"),
        ({"turn": {"mode": "silence"}}, "not supported here"),
        ({"agent": {"prompt": {"tool_ids": ["x"]}}}, "no tool named x"),
    ],
)
def test_a_preset_must_fit(overrides: Tree, complaint: str) -> None:
    with pytest.raises(OverrideError, match=complaint):
        in_language(agent(presets={"en": {**ENGLISH, "overrides": overrides}}), "en")
