"""Any override, any permissions."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.overrides import OVERRIDABLE, apply
from serve_app.conversation.unserved import OVERRIDES, NoEffect, Unserved
from serve_app.errors import OverrideError
from tests.conversation.override_samples import VALUES, Tree, agent, merged, nested


def served_and_unserved() -> list[str]:
    """Paths of every kind: overridable, unserved, known to no one."""

    def paths(shape: Any, prefix: str) -> list[str]:
        found = []
        for name, below in shape.items():
            if name == "*" or name in ("tools", "built_in_tools", "custom_llm"):
                continue
            path = f"{prefix}{name}"
            found += [path] if isinstance(below, Unserved | NoEffect) else paths(below, f"{path}.")
        return found

    foreign = ["tts.agent_output_audio_format", "agent.prompt.temperature", "agent.prompt.tools", "magic", "text_only"]
    return sorted([*OVERRIDABLE, *paths(OVERRIDES, ""), *foreign])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
LEAF = st.sampled_from(served_and_unserved()).flatmap(
    lambda path: st.tuples(st.just(path), st.just(VALUES[path]) | JSON if path in VALUES else JSON)
)


@given(
    permitted=st.sets(st.sampled_from(sorted(OVERRIDABLE))),
    rightly=st.sets(st.sampled_from(sorted(OVERRIDABLE))),
    besides=st.lists(LEAF, max_size=2),
)
def test_nothing_ever_changes_that_is_not_permitted(
    permitted: set[str], rightly: set[str], besides: list[tuple[str, Any]]
) -> None:
    plain = agent(*permitted)
    asked = [*((path, VALUES[path]) for path in sorted(rightly & permitted)), *besides]
    try:
        changed = apply(plain, merged(*(nested(path, value) for path, value in asked)))
    except OverrideError:
        return
    assert changed.platform_settings == plain.platform_settings
    assert changed.name == plain.name
    before, after = (msgspec.to_builtins(each.conversation_config) for each in (plain, changed))
    for path in permitted & OVERRIDABLE:
        for config in (before, after):
            remove(config, path)
    after.pop("language_presets", None)  # holds what was before, once the language is another
    assert prune(after) == prune(before)


def remove(config: Tree, path: str) -> None:
    *sections, field = path.split(".")
    for name in sections:
        config = config.get(name, {})
    config.pop(field, None)


def prune(config: Any) -> Any:
    if not isinstance(config, dict):
        return config
    pruned = {key: prune(value) for key, value in config.items()}
    return {key: value for key, value in pruned.items() if value != {}}
