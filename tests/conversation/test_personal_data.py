import msgspec
import pytest
from elevenlabs.types.config_entity_type import ConfigEntityType

from serve_app.conversation.agent import Agent
from serve_app.conversation.personal_data import ENTITIES, KINDS, kinds


def redacts(**redaction: object) -> list[str]:
    privacy = {"conversation_history_redaction": redaction}
    return msgspec.convert({"name": "Ana", "platform_settings": {"privacy": privacy}}, Agent).redacts


def test_an_agent_redacts_what_it_names_and_all_if_it_names_nothing() -> None:
    assert redacts() == redacts(enabled=False, entities=["cpf"]) == []
    assert redacts(enabled=True) == list(KINDS)
    assert redacts(enabled=True, entities=["email_address", "cpf"]) == ["CPF", "EMAIL"]
    assert redacts(enabled=True, entities=["unique_id.government_issued_id"]) == ["CPF", "CNPJ", "RG"]


def test_a_name_that_means_nothing_is_an_error() -> None:
    with pytest.raises(KeyError, match="medical"):
        kinds(["cpf", "medical"])


def test_what_is_not_ours_is_elevenlabs() -> None:
    theirs = str(ConfigEntityType)
    assert all(f"'{name}'" in theirs for name in ENTITIES if name.upper() not in KINDS)
