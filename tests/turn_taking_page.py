"""docs/turn-taking.md: what is generated in it, from the code. `python -m tests.turn_taking_page` writes it anew."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from serve_app.audio.framing import RATE
from serve_app.conversation import (
    backchannels,
    endpointing,
    loudness,
    overlap,
    playback,
    questions,
    recognition,
    turn_taking,
)
from serve_app.conversation.turn_states import TRANSITIONS, Event, State

PAGE = Path(__file__).parents[1] / "docs" / "turn-taking.md"
MODULES = (endpointing, turn_taking, recognition, questions, loudness, overlap, playback, backchannels)


def page(text: str) -> str:
    """The page with its generated parts as the code has them now."""
    for name, content in (("states", states()), ("constants", "\n\n".join(map(constants, MODULES)))):
        part = re.compile(f"(<!-- {name}: generated -->\n).*?(\n<!-- {name}: end -->)", re.DOTALL)
        text, count = part.subn(lambda found, content=content: found[1] + content + found[2], text)
        assert count == 1, f"the page has no part {name}"
    return text


def states() -> str:
    """The table of transitions as a mermaid diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.LISTENING.name}"]
    for state, ways in TRANSITIONS.items():
        lines += [f"    {state.name} --> {into.name}: {event.value}" for event, into in ways.items()]
    lines += [f"    [*] --> {State.THINKING.name}: {Event.OWN_ACCORD.value}", "```"]
    return "\n".join(lines)


def constants(module: ModuleType) -> str:
    """A table of a module's constants that tell why, each with its value as the code computes it."""
    path = module.__name__.replace(".", "/") + ".py"
    rows = [f"| `{name}` | {value} | {why} |" for name, value, why in _constants(module)]
    return "\n".join([f"`{path}`", "", "| constant | value | why |", "|---|---|---|", *rows])


def _constants(module: ModuleType) -> Iterator[tuple[str, str, str]]:
    """A docstring is of all constants that stand directly above it."""
    waiting: list[tuple[str, str]] = []
    for node in ast.parse(inspect.getsource(module)).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if name.isupper():
                waiting.append((name, _value(getattr(module, name), ast.unparse(node.value))))
            case ast.Expr(value=ast.Constant(value=str(why))) if waiting:
                yield from ((name, value, " ".join(why.split())) for name, value in waiting)
                waiting = []
            case _:
                waiting = []


def _value(value: object, source: str) -> str:
    if isinstance(value, tuple):
        return ", ".join(_value(each, source) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return f"{int(value) / RATE * 1000:g} ms" if "RATE" in source and isinstance(value, int) else f"{value}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
