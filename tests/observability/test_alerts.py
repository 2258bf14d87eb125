"""Prometheus takes our configuration; each alert fires and is over, by Prometheus' own tests."""

import subprocess

import pytest
import yaml

from tests.observability.dashboards.boards import CONFIGS
from tests.observability.programs import ABSENT, program

ALERTS = [rule for group in yaml.safe_load((CONFIGS / "alerts.yml").read_text())["groups"] for rule in group["rules"]]

PROMTOOL = program("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason=f"promtool: {ABSENT}")


def promtool(*arguments: str) -> None:
    assert PROMTOOL
    done = subprocess.run([PROMTOOL, *arguments], cwd=CONFIGS, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_configuration() -> None:
    promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_each_alert_fires_and_is_over_in_time() -> None:
    promtool("test", "rules", "alerts_test.yml")


def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_is_over() -> None:
    tests = yaml.safe_load((CONFIGS / "alerts_test.yml").read_text())["tests"]
    for rule in ALERTS:
        expected = [
            (each["eval_time"], bool(each["exp_alerts"]))
            for test in tests
            for each in test["alert_rule_test"]
            if each["alertname"] == rule["alert"]
        ]
        fires = [fires for _, fires in expected]
        assert True in fires, rule["alert"]
        assert fires[-1] is False or False in fires[fires.index(True) :], rule["alert"]


def test_each_alert_says_what_is_and_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["annotations"].keys() == {"summary", "action"}
        assert rule["labels"]["severity"] in ("page", "ticket")
