"""The dashboards as files: what they ask Prometheus, and how it is to be shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CONFIGS = Path(__file__).parents[3] / "configs" / "observability"
FOLDER = CONFIGS / "grafana"
RATE_INTERVAL = "1m"
NAMES = ("conversations", "latency", "failures", "capacity")
"""In the order in which somebody looks at them."""


class Query(NamedTuple):
    expression: str
    legend: str


class Panel(NamedTuple):
    """`steps`: where its colour changes, besides the first. Places are in the grid's units, of which a row has 24."""

    kind: str
    title: str
    unit: str
    steps: tuple[float, ...]
    stacked: bool
    place: dict[str, int]
    queries: tuple[Query, ...]


class Board(NamedTuple):
    name: str
    title: str
    panels: tuple[Panel, ...]
    variables: tuple[str, ...]


def boards() -> Iterator[Board]:
    for name in NAMES:
        board = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        variables = tuple(each["name"] for each in board["templating"]["list"])
        yield Board(name, board["title"], tuple(map(_panel, board["panels"])), variables)


def _panel(panel: dict[str, Any]) -> Panel:
    defaults = panel["fieldConfig"]["defaults"]
    steps = tuple(step["value"] for step in defaults.get("thresholds", {}).get("steps", ())[1:])
    queries = tuple(Query(_asked(target["expr"]), target["legendFormat"]) for target in panel["targets"])
    stacked = "stacking" in defaults.get("custom", {})
    return Panel(panel["type"], panel["title"], defaults["unit"], steps, stacked, panel["gridPos"], queries)


def _asked(expression: str) -> str:
    """As Grafana asks it, with every value of its variables chosen."""
    return expression.replace("$__rate_interval", RATE_INTERVAL).replace("$region", ".*").replace("$agent", ".*")
