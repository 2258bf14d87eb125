"""docs/conversations.md has each route, each filter there is, served or not, and each figure."""

import re
from pathlib import Path
from typing import Any

from serve_app.api import conversations
from serve_app.api.filters import UNSERVED
from serve_app.api_keys import ApiKeys
from serve_app.store.compact import compact
from serve_app.store.filters import Filters

TEXT = (Path(__file__).parents[1] / "docs" / "conversations.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (`.+?`) \| (.*?) \|$", re.MULTILINE)
CALL = {"id": "c", "duration": 0.0, "user_messages": 0, "agent_messages": 0}


def rows(heading: str) -> dict[str, str]:
    """What is named in the first column -> the second."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {name: text for names, text in ROW.findall(section) for name in re.findall(r"`(.+?)`", names)}


def test_every_filter_has_its_row() -> None:
    written = rows("Listing")
    assert {name for name, text in written.items() if not text.startswith("refused: ")} == {*Filters.__struct_fields__}
    refused = {name: text.removeprefix("refused: ") for name, text in written.items() if text.startswith("refused: ")}
    assert refused == UNSERVED


def test_every_figure_has_its_row() -> None:
    written = rows("The call in figures")
    written.pop("metrics", None)
    assert written.keys() == compact(CALL, [], [])["metrics"].keys()


def test_every_route_has_its_row() -> None:
    part: Any = None  # is kept, not called
    routes = conversations.routes(part, part, part, part, ApiKeys([]))
    served = {f"{method} {each.path}" for each in routes for method in each.methods or () if method != "HEAD"}
    written = re.findall(r"^\| `([A-Z]+ /.+?)` \|", TEXT, re.MULTILINE)
    assert {route.replace("{id}", "{conversation_id}") for route in written if not route.endswith("/audio")} == served
