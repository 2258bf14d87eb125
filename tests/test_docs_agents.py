"""docs/agents.md has one row for each field there is, served or not, and its examples load."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serve_app.agent_files import load_agents
from serve_app.conversation import agent, tools, unserved
from serve_app.conversation.agent import Agent
from serve_app.conversation.overrides import OVERRIDABLE
from serve_app.conversation.unserved import NoEffect, Shape, Unserved

DOCUMENT = Path(__file__).parents[1] / "docs" / "agents.md"

Struct = type[msgspec.Struct]

SYSTEM_PARAMS = (tools.EndCall, tools.SkipTurn, tools.LanguageDetection, tools.TransferToAgent)
EVERY_TOOL = set(tools.ClientTool.__struct_fields__) & set(tools.WebhookTool.__struct_fields__)
NO_STRUCT = ()

# Heading -> what its rows describe: a prefix, the structs with the served fields, and the unserved ones.
SECTIONS: dict[str, list[tuple[str, tuple[Struct, ...], Shape]]] = {
    "The file": [("", (agent.Agent,), unserved.AGENT)],
    "conversation_config": [("", (agent.ConversationConfig,), unserved.CONFIG)],
    "conversation_config.agent": [
        ("", (agent.Persona,), unserved.PERSONA),
        ("dynamic_variables.", (agent.DynamicVariables,), {}),
    ],
    "conversation_config.agent.prompt": [
        ("", (agent.Prompt,), unserved.PROMPT),
        ("backup_llm_config.", (agent.BackupLlm,), {}),
    ],
    "conversation_config.agent.prompt.custom_llm": [("", (agent.CustomLlm,), unserved.CUSTOM_LLM)],
    "conversation_config.agent.prompt.tools: all of them": [("", NO_STRUCT, unserved.TOOL)],
    "conversation_config.agent.prompt.tools: client": [("", (tools.ClientTool,), unserved.CLIENT_TOOL)],
    "conversation_config.agent.prompt.tools: webhook": [
        ("", (tools.WebhookTool,), unserved.WEBHOOK_TOOL),
        ("api_schema.", (tools.ApiSchema,), unserved.API_SCHEMA),
        ("api_schema.request_headers.*.", (tools.Reference,), {}),
    ],
    "Parameters": [("", (tools.Parameters,), unserved.PARAMETERS)],
    "Properties": [("", (tools.Property,), unserved.PROPERTY)],
    "conversation_config.agent.prompt.built_in_tools": [
        ("", (tools.BuiltInTools,), unserved.BUILT_IN_TOOLS),
        ("*.", (tools.SystemTool,), unserved.SYSTEM_TOOL),
        ("*.params.", SYSTEM_PARAMS, unserved.SYSTEM_PARAMS),
        ("*.params.transfers.*.", (tools.AgentTransfer,), unserved.TRANSFER),
    ],
    "conversation_config.asr": [("", (agent.Hearing,), unserved.HEARING)],
    "conversation_config.tts": [("", (agent.Voice,), unserved.VOICE)],
    "conversation_config.turn": [
        ("", (agent.Turn,), unserved.TURN),
        ("soft_timeout_config.", (agent.SoftTimeout,), unserved.SOFT_TIMEOUT),
    ],
    "conversation_config.conversation": [("", (agent.Rules,), unserved.RULES)],
    "conversation_config.language_presets": [
        ("", (agent.LanguagePreset,), unserved.PRESET),
        ("first_message_translation.", (agent.Translation,), unserved.TRANSLATION),
        ("soft_timeout_translation.", (agent.Translation,), unserved.TRANSLATION),
    ],
    "platform_settings": [
        ("", (agent.PlatformSettings,), unserved.PLATFORM),
        ("auth.", (agent.Auth,), unserved.AUTH),
        ("auth.allowlist.*.", (agent.AllowedHost,), {}),
        ("overrides.", (agent.Permissions,), unserved.PERMISSIONS),
        ("privacy.", (agent.Privacy,), unserved.PRIVACY),
        ("privacy.conversation_history_redaction.", (agent.HistoryRedaction,), unserved.HISTORY_REDACTION),
        ("guardrails.", (agent.Guardrails,), unserved.GUARDRAILS),
        ("guardrails.prompt_injection.", (agent.PromptInjection,), {}),
        ("call_limits.", (agent.CallLimits,), unserved.CALL_LIMITS),
    ],
    "hello": [
        ("", (agent.Hello,), {}),
        ("on_failure.", (agent.OnFailure,), {}),
        ("on_guardrail.", (agent.OnGuardrail,), {}),
    ],
}

TEXT = DOCUMENT.read_text(encoding="utf-8")


def rows(heading: str, level: str = "###") -> list[tuple[str, str]]:
    """First and second column of the table under a heading, without code's marks in the first."""
    _, _, rest = TEXT.partition(f"\n{level} {heading}\n")
    assert rest, f"no heading {heading!r}"
    section = re.split(r"\n#{2,3} ", rest)[0]
    return re.findall(r"^\| `(.+?)` \| (.*?) ?\|$", section, re.MULTILINE)


def served(heading: str) -> list[str]:
    if heading.endswith("all of them"):
        return ["type", *EVERY_TOOL]
    fields = [
        f"{prefix}{name}" for prefix, structs, _ in SECTIONS[heading] for struct in structs for name in names(struct)
    ]
    of_every_tool = EVERY_TOOL | {"type"} if "prompt.tools: " in heading else set()
    return [field for field in fields if field not in of_every_tool]


def names(struct: Struct) -> list[str]:
    tag = struct.__struct_config__.tag_field
    return [*struct.__struct_fields__, *([tag] if tag else [])]


def told(field: Unserved | NoEffect) -> str:
    if isinstance(field, NoEffect):
        return f"no effect: {field.why}"
    values = (value if isinstance(value, str) else json.dumps(value) for value in field.but)
    but = " or ".join(f"`{value}`" for value in values)
    return f"refused{' unless ' + but if but else ''}: {field.why}"


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_field_has_its_row(heading: str) -> None:
    written = dict(rows(heading))
    refusals = {
        f"{prefix}{name}": told(field)
        for prefix, _, shape in SECTIONS[heading]
        for name, field in shape.items()
        if isinstance(field, Unserved | NoEffect)
    }
    assert written.keys() - refusals.keys() == set(served(heading))
    assert {name: text for name, text in written.items() if name in refusals} == refusals
    assert len(rows(heading)) == len(written)


def structs(kind: Any) -> Iterator[Struct]:
    """All that a file is made of."""
    if isinstance(kind, msgspec.inspect.StructType):
        yield kind.cls
        inner: tuple[Any, ...] = tuple(field.type for field in kind.fields)
    else:
        inner = tuple(getattr(kind, name) for name in ("item_type", "value_type") if hasattr(kind, name))
        inner += getattr(kind, "types", ())
    for each in inner:
        if not (isinstance(each, msgspec.inspect.StructType) and each.cls in (tools.Property,)):
            yield from structs(each)


def test_no_part_of_a_file_is_without_a_table() -> None:
    described = {struct for parts in SECTIONS.values() for _, structs, _ in parts for struct in structs}
    assert set(structs(msgspec.inspect.type_info(Agent))) - described <= {tools.Secret}  # a row of custom_llm


def test_no_unserved_field_is_without_a_table() -> None:
    def fields(shape: Shape, *above: int) -> Iterator[tuple[str, Unserved | NoEffect]]:
        for name, below in shape.items():
            if isinstance(below, Unserved | NoEffect):
                yield name, below
            elif id(below) not in above:  # a parameter may hold parameters
                yield from fields(below, *above, id(below))

    shapes = [shape for parts in SECTIONS.values() for _, _, shape in parts]
    described = [(name, field) for shape in shapes for name, field in shape.items()]
    assert [field for field in fields(unserved.AGENT) if field not in described] == []


def test_every_override_has_its_row() -> None:
    assert {path for path, _ in rows("Overrides", "##")} == OVERRIDABLE


def test_the_examples_load(tmp_path: Path) -> None:
    examples = re.findall(r"^```yaml\n# (\w+\.yaml)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in examples] == ["shop.yaml", "repairs.yaml"]
    for name, text in examples:
        (tmp_path / name).write_text(text, encoding="utf-8")
    shop = load_agents(tmp_path, {"SHOP_API_KEY": "Bearer k"})["shop"]
    assert shop.tools.keys() == {"show_order", "find_order", "end_call", "transfer_to_agent"}
    assert shop.secrets == {"SHOP_API_KEY"}
    assert shop.transfers_to == {"repairs"}
