"""Every limit on time in the shipped files lets the longest call be, and agrees with those of the nodes."""

import re
from pathlib import Path
from typing import Any

import yaml

from serve_app.conversation.agent import Rules
from tests import cloudformation
from tests.loadbalancer.front_end import SHIPPED

CONFIGS = SHIPPED.parent
NGINX = (SHIPPED / "nginx.conf").read_text(encoding="utf-8")
HAPROXY = (SHIPPED / "haproxy.cfg").read_text(encoding="utf-8")
SERVE_PINGS_EVERY_S = 20  # uvicorn's ws_ping_interval, which Serve leaves as it is


def test_no_silence_of_a_call_is_too_long() -> None:
    [calls] = re.findall(r"location = /v1/convai/conversation \{(.*?)\}", NGINX, re.DOTALL)
    limits = [
        *seconds(r"(?:proxy_read|proxy_send|send)_timeout (\d+)s", calls, 3),
        *seconds(r"timeout (?:client|server|tunnel) (\d+)s", HAPROXY, 3),
        attribute("LoadBalancer", "idle_timeout.timeout_seconds"),
    ]
    assert min(limits) > max(Rules().max_duration_seconds, SERVE_PINGS_EVERY_S)
    assert len(set(limits)) == 1


def test_no_connection_is_too_old() -> None:
    """Neither of a call that has come back, nor of one at a process that was replaced."""
    longest = environment("ray.env", "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S")
    assert seconds(r"worker_shutdown_timeout (\d+)s", NGINX, 1) == [longest]
    assert seconds(r"hard-stop-after (\d+)s", HAPROXY, 1) == [longest]
    assert attribute("LoadBalancer", "client_keep_alive.seconds") == longest


def test_a_node_that_is_taken_out_keeps_its_calls() -> None:
    delay = attribute("Nodes", "deregistration_delay.timeout_seconds")
    assert delay == attribute("NodesB", "deregistration_delay.timeout_seconds")
    for region in ("sa-east-1", "us-east-1", "eu-west-1"):
        [application] = yaml.safe_load((CONFIGS / f"{region}.yaml").read_text(encoding="utf-8"))["applications"]
        [gateway] = [each for each in application["deployments"] if each["name"] == "Gateway"]
        assert delay > gateway["graceful_shutdown_timeout_s"] > Rules().max_duration_seconds


def test_all_three_ask_a_node_the_same_and_turn_away_the_same() -> None:
    """nginx as it is for everybody cannot ask."""
    [asked] = re.findall(r"option httpchk GET (\S+)", HAPROXY)
    assert resources()["Nodes"]["Properties"]["HealthCheckPath"] == asked
    refused = {
        condition["HttpHeaderConfig"]["HttpHeaderName"]
        for resource in resources().values()
        for condition in resource["Properties"].get("Conditions", [])
        if condition["Field"] == "http-header"
    }
    assert refused == set(re.findall(r'proxy_set_header (x-request-\S+) "";', NGINX))
    assert refused == set(re.findall(r"del-header (\S+)", HAPROXY))


def test_calls_can_be_shared_among_two_clusters_that_are_asked_the_same() -> None:
    first, other = (dict(resources()[name]["Properties"]) for name in ("Nodes", "NodesB"))
    assert (first.pop("Name"), other.pop("Name")) == ("Cluster", "${Cluster}-b")
    assert first == other
    [action] = resources()["Calls"]["Properties"]["Actions"]
    shares = {each["TargetGroupArn"]: each["Weight"] for each in action["ForwardConfig"]["TargetGroups"]}
    assert shares == {"Nodes": "Weight", "NodesB": "WeightB"}


def resources() -> dict[str, Any]:
    return cloudformation.resources(SHIPPED / "aws-alb.yaml")


def attribute(resource: str, key: str) -> int:
    properties = resources()[resource]["Properties"]
    [value] = [
        each["Value"]
        for name, listed in properties.items()
        if name.endswith("Attributes")
        for each in listed
        if each["Key"] == key
    ]
    return int(value)


def environment(file: str, name: str) -> int:
    [value] = re.findall(rf"^{name}=(\d+)$", Path(CONFIGS / file).read_text(encoding="utf-8"), re.MULTILINE)
    return int(value)


def seconds(pattern: str, text: str, count: int) -> list[int]:
    found = [int(value) for value in re.findall(pattern, text)]
    assert len(found) == count, (pattern, found)
    return found
