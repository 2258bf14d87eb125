"""What dashboards, alerts and their document name is what the server tells."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from serve_app.conversation.turn_metrics import STAGES
from tests.observability.dashboards.boards import CONFIGS, FOLDER, NAMES, Panel, boards
from tests.observability.instruments import Instrument, Instruments, all_of_ours
from tests.observability.programs import ABSENT, program

PROMTOOL = program("promtool")
ALERTS = yaml.safe_load((CONFIGS / "alerts.yml").read_text(encoding="utf-8"))
DOCUMENT = (CONFIGS.parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
SERIES = re.compile(r"\b((?:ray|haproxy)_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~|!=|!~|=)")
BY = re.compile(r"\bby\s*\(([^)]*)\)")
OF_A_HISTOGRAM = re.compile("_(bucket|count)$")
EVERYWHERE = {"region", "deployment", "application", "replica", "instance", "job", "le"}
OTHERS = {
    "haproxy_frontend_current_sessions",
    "ray_node_cpu_utilization",
    "ray_node_mem_total",
    "ray_node_mem_used",
    "ray_serve_deployment_replica_healthy",
}
"""What Ray, Serve and HAProxy tell: `python -m tests.observability.dashboards` asks a real Prometheus for them."""


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Instruments:
    return all_of_ours(monkeypatch)


def panels() -> Iterator[tuple[str, Panel]]:
    return ((board.name, panel) for board in boards() for panel in board.panels)


def expressions() -> list[str]:
    shown = [query.expression for _, panel in panels() for query in panel.queries]
    return shown + [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]


def test_there_are_no_others() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


def test_whatever_is_asked_for_is_told(ours: Instruments) -> None:
    for expression in expressions():
        for name, labels in SERIES.findall(expression):
            told = name.removeprefix("ray_")
            instrument = ours.get(told) or ours.get(OF_A_HISTOGRAM.sub("", told))
            assert instrument or name in OTHERS, name
            if instrument:
                assert bool(instrument.boundaries) == bool(OF_A_HISTOGRAM.search(told)), name
                assert set(LABEL.findall(labels)) <= instrument.labels | EVERYWHERE, expression


def test_what_is_summed_by_is_a_label(ours: Instruments) -> None:
    for expression in expressions():
        names = [OF_A_HISTOGRAM.sub("", name.removeprefix("ray_")) for name, _ in SERIES.findall(expression)]
        known = EVERYWHERE.union(*(ours[name].labels for name in names if name in ours), {"proxy"})
        for labels in BY.findall(expression):
            assert {label.strip() for label in labels.split(",")} <= known, expression


def test_every_metric_is_shown_somewhere(ours: Instruments) -> None:
    shown = {OF_A_HISTOGRAM.sub("", name.removeprefix("ray_")) for e in expressions() for name, _ in SERIES.findall(e)}
    assert ours.keys() - shown == {"hello_discarded_tokens_total", "hello_discarded_characters_total"}


@pytest.mark.skipif(PROMTOOL is None, reason=f"promtool: {ABSENT}")
def test_every_expression_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"hello:{number}", "expr": each} for number, each in enumerate(expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]}))
    assert PROMTOOL
    command = [PROMTOOL, "check", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_stage_is_shown_against_its_target_and_what_is_critical() -> None:
    shown = {
        query.expression.partition("ray_hello_")[2].partition("_ms_bucket")[0]: panel.steps
        for board, panel in panels()
        if board == "latency" and panel.kind == "timeseries"
        for query in panel.queries
    }
    for stage in STAGES:
        assert shown[stage.name] == tuple(each for each in (stage.target_ms, stage.critical_ms) if each)


def test_panels_do_not_lie_upon_each_other() -> None:
    for board in boards():
        taken = [
            (panel.place["x"] + x, panel.place["y"] + y)
            for panel in board.panels
            for x in range(panel.place["w"])
            for y in range(panel.place["h"])
        ]
        assert len(taken) == len(set(taken)), board.name
        assert max(x for x, _ in taken) < 24


def test_variables_of_queries_are_those_of_the_dashboard() -> None:
    for board in boards():
        for panel in board.panels:
            assert not re.findall(r"\$\w+", "".join(query.expression for query in panel.queries)), panel.title
        assert {"datasource", "region"} <= set(board.variables)


def test_every_metric_and_its_labels_are_in_the_document(ours: Instruments) -> None:
    rows = re.findall(r"^\| `ray_(hello_\w+)` \| (\w+) \|([^|]*)\|", DOCUMENT, re.MULTILINE)
    written = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert written == {name: (_kind(instrument), instrument.labels) for name, instrument in ours.items()}


def test_every_alert_is_in_the_document() -> None:
    written = re.findall(r"^\| `([A-Z]\w+)` \| .* \| (page|ticket) \|$", DOCUMENT, re.MULTILINE)
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert written == [(rule["alert"], rule["labels"]["severity"]) for rule in rules]


def test_targets_in_the_document_are_those_that_hold() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| ([\d-]+) \| ([\d-]+) \| `(\w+)` \|$", DOCUMENT, re.MULTILINE)
    promised = [
        (f"{s.target_ms:g}" if s.target_ms else "-", f"{s.critical_ms:g}" if s.critical_ms else "-") for s in STAGES
    ]
    assert rows == [(s.name, *each, s.latency) for s, each in zip(STAGES, promised, strict=True)]


def _kind(instrument: Instrument) -> str:
    if instrument.boundaries:
        return "histogram"
    return "counter" if instrument.name.endswith("_total") else "gauge"
