import pytest

from tests.cluster.security_groups import WORLD, allowed, rules
from tests.cluster.template import cluster

REPLICA, GCS, DASHBOARD, SSH, STATISTICS, FALLBACK = 30000, 6379, 8265, 22, 8404, 8500


@pytest.mark.parametrize("port", [8000, REPLICA, GCS, DASHBOARD, SSH, STATISTICS, FALLBACK, 8080, 9101, 40000])
def test_the_internet_reaches_no_port_of_a_node(port: int) -> None:
    assert not allowed(WORLD, "NodeGroup", port)


def test_the_load_balancer_reaches_calls_alone() -> None:
    assert [port for port in range(65536) if allowed("LoadBalancerGroup", "NodeGroup", port)] == [8000]


def test_whoever_collects_metrics_reaches_metrics_alone() -> None:
    assert [port for port in range(65536) if allowed("MonitoringGroup", "NodeGroup", port)] == [8080, 9101]


@pytest.mark.parametrize("port", [SSH, GCS, 6380, 10002, REPLICA, FALLBACK, 45678])
def test_nodes_reach_each_other(port: int) -> None:
    assert allowed("NodeGroup", "NodeGroup", port)


@pytest.mark.parametrize(("group", "port"), [("RedisGroup", 6379), ("DatabaseGroup", 5432)])
def test_only_nodes_reach_what_they_store_in(group: str, port: int) -> None:
    assert {rule.source for rule in rules() if rule.group == group} == {"NodeGroup"}
    assert allowed("NodeGroup", group, port)


def test_the_internet_reaches_the_load_balancer_only_by_http_and_https() -> None:
    assert [port for port in range(65536) if allowed(WORLD, "LoadBalancerGroup", port)] == [80, 443]


def test_no_node_is_in_a_group_that_ray_makes() -> None:
    # Such a one is open to SSH from everywhere: Ray's launcher adds that to every group of its own.
    config = cluster()
    assert "security_group" not in config["provider"]
    assert all(node["node_config"]["SecurityGroupIds"] for node in config["available_node_types"].values())
