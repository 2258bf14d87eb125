from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.unserved import AGENT, NoEffect, Unserved, refused, without

NOTHING: list[Any] = [
    None,
    "",
    [],
    {},
    {"criteria": [], "more": {"deep": None}},
    {"enabled": False, "model": "large"},
    {"is_enabled": False},
]


@pytest.mark.parametrize("value", NOTHING)
def test_asking_for_nothing_is_no_wish(value: Any) -> None:
    assert Unserved("because").accepts(value)


@pytest.mark.parametrize("value", [True, False, 0, 1, "x", [None], {"criteria": ["a"]}, {"enabled": True}])
def test_anything_else_is(value: Any) -> None:
    assert not Unserved("because").accepts(value)


def test_a_value_may_be_what_is_done_anyway_but_not_its_like() -> None:
    field = Unserved("because", (False, "normal", {"preference": "default"}))
    assert all(map(field.accepts, (False, "normal", {"preference": "default"})))
    assert not any(map(field.accepts, (0, True, "Normal", {"preference": "other"})))


def test_what_has_no_effect_may_be_anything() -> None:
    assert NoEffect("because").accepts(object())


def test_each_wish_is_told_with_its_place_and_reason() -> None:
    document = {
        "conversation_config": {
            "turn": {"mode": "silence", "turn_timeout": 5},
            "agent": {"prompt": {"tools": [{"name": "a"}, {"name": "b", "tool_call_sound": "typing"}]}},
            "language_presets": {"en": {"overrides": {"tts": {"clone_strength": 0.5}}}},
        }
    }
    config = "conversation_config"
    assert [complaint.partition(" is not supported here: ")[0] for complaint in refused(document)] == [
        f"{config}.turn.mode",
        f"{config}.agent.prompt.tools[1].tool_call_sound",
        f"{config}.language_presets.en.overrides.tts.clone_strength",
    ]
    assert all(len(complaint.partition(" is not supported here: ")[2]) > 5 for complaint in refused(document))


def test_what_stands_in_a_parameter_of_that_name_is_nobodys_wish() -> None:
    """Names of parameters and headers are the author's own."""
    own = {"properties": {"items": {"type": "string"}, "mode": {"type": "string", "description": "x"}}}
    tool = {"api_schema": {"request_body_schema": own, "request_headers": {"assignments": "x"}}}
    document = {"conversation_config": {"agent": {"prompt": {"tools": [tool]}}}}
    assert list(refused(document)) == []
    assert without(document) == document


def test_what_is_left_is_what_is_served() -> None:
    document = {
        "conversation_config": {
            "vad": {},
            "turn": {"mode": "turn", "turn_timeout": 5},
            "agent": {"prompt": {"tools": [{"name": "a", "assignments": []}]}},
            "language_presets": {"en": {}},
        },
        "metadata": {"created_at_unix_secs": 1},
    }
    assert without(document) == {
        "conversation_config": {
            "turn": {"turn_timeout": 5},
            "agent": {"prompt": {"tools": [{"name": "a"}]}},
            "language_presets": {"en": {}},
        }
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*AGENT, "name", "x"]), inner),
    max_leaves=8,
)


@given(JSON)
def test_any_document_can_be_looked_at(document: Any) -> None:
    rest = without(document)
    assert list(refused(rest)) == []
    assert without(rest) == rest
