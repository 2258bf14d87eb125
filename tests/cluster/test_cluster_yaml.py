import copy
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray._private.label_utils import validate_label_key, validate_label_value
from ray.autoscaler._private.util import hash_launch_conf, prepare_config, validate_config

from tests.cluster.ports_table import row_of
from tests.cluster.template import (
    AWS,
    CLUSTER,
    REPOSITORY,
    cluster,
    command_in_docs,
    environment_of,
    start_commands,
    start_flags,
)

CONFIG = REPOSITORY / "configs" / "sa-east-1.yaml"
NODE_ENV = environment_of(AWS / "node.env")
LABELS = {"ray.io/availability-region", "ray.io/node-group", "ray.io/market-type"}


def node_types() -> dict[str, dict[str, Any]]:
    types: dict[str, dict[str, Any]] = cluster()["available_node_types"]
    return types


def deployments() -> dict[str, dict[str, Any]]:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return {each["name"]: each for each in config["applications"][0]["deployments"]}


def test_ray_takes_it() -> None:
    validate_config(prepare_config(cluster()))


def broken(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    config = copy.deepcopy(cluster())
    change(config)
    return config


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(max_worker=3),
        lambda config: config["auth"].update(ssh_key="~/.ssh/key"),
        lambda config: config["auth"].pop("ssh_proxy_command"),
        lambda config: config["available_node_types"]["gateway"].update(label={}),
        lambda config: config["available_node_types"]["gateway"].pop("resources"),
        lambda config: config["available_node_types"]["gateway"]["labels"].update({"ray.io/node-group": 1}),
        lambda config: config["available_node_types"]["gateway"].update(min_workers="2"),
        lambda config: config.update(head_node_type="gateways"),
        lambda config: config.update(max_workers=1),
    ],
)
def test_ray_refuses_it_with_a_mistake(change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises((ValueError, jsonschema.ValidationError)):
        validate_config(prepare_config(broken(change)))


def test_every_node_tells_where_it_is_and_what_for() -> None:
    for name, node in node_types().items():
        labels = node["labels"]
        assert labels.keys() == LABELS
        assert labels["ray.io/availability-region"] == cluster()["provider"]["region"]
        assert name.startswith(labels["ray.io/node-group"])
        assert not any(validate_label_key(key) or validate_label_value(value) for key, value in labels.items())


def test_spot_nodes_say_so_and_are_bought_so() -> None:
    for node in node_types().values():
        bought = node["node_config"].get("InstanceMarketOptions", {}).get("MarketType", "on-demand")
        assert bought == node["labels"]["ray.io/market-type"]


@pytest.mark.parametrize("name", ["Gateway", "Vad", "LocalWhisper", "TtsProxy"])
def test_there_are_nodes_for_every_deployment(name: str) -> None:
    options = deployments()[name]["ray_actor_options"]
    wishes = [options, *options.get("fallback_strategy", [])]
    for selector in (wish["label_selector"] for wish in wishes):
        nodes = [node for node in node_types().values() if selector.items() <= node["labels"].items()]
        assert any(
            node["resources"]["CPU"] >= options["num_cpus"]
            and node["resources"].get("GPU", 0) >= options.get("num_gpus", 0)
            for node in nodes
        ), f"no node type has what {name} asks for: {selector}"


def test_no_replica_fits_on_the_head() -> None:
    assert node_types()["head"]["resources"] == {"CPU": 0}
    assert all(each["ray_actor_options"]["num_cpus"] > 0 for each in deployments().values())


@pytest.mark.parametrize(("group", "resource", "option"), [("gateway", "CPU", "num_cpus"), ("gpu", "GPU", "num_gpus")])
def test_the_largest_cluster_holds_all_that_the_config_may_ask_for(group: str, resource: str, option: str) -> None:
    most = sum(
        each["autoscaling_config"]["max_replicas"] * each["ray_actor_options"].get(option, 0)
        for each in deployments().values()
        if each["ray_actor_options"]["label_selector"]["ray.io/node-group"] == group
    )
    room = sum(
        node["max_workers"] * node["resources"].get(resource, 0)
        for node in node_types().values()
        if node["labels"]["ray.io/node-group"] == group and node["labels"]["ray.io/market-type"] == "on-demand"
    )
    assert most <= room  # also when there is no spot


def test_the_smallest_cluster_holds_the_smallest_application() -> None:
    least = sum(
        each["autoscaling_config"]["min_replicas"] * each["ray_actor_options"]["num_cpus"]
        for each in deployments().values()
        if each["ray_actor_options"]["label_selector"]["ray.io/node-group"] == "gateway"
    )
    gateway = node_types()["gateway"]
    assert least <= gateway["min_workers"] * gateway["resources"]["CPU"]


def test_all_types_together_fit_below_the_clusters_own_limit() -> None:
    assert cluster()["max_workers"] >= sum(node.get("max_workers", 0) for node in node_types().values())


@pytest.mark.parametrize("kind", ["head", "worker"])
def test_every_node_starts_ray_with_what_the_node_scripts_add(kind: str) -> None:
    assert re.search(r"REGION=sa-east-1 .*configs/aws/as-service (no|always) ray start ", start_commands()[kind])
    assert environment_of(REPOSITORY / "configs" / "ray.env")["RAY_AUTH_MODE"] == "token"


def test_a_replica_that_goes_keeps_its_calls_for_as_long_as_one_lasts() -> None:
    period = int(NODE_ENV["RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"])
    assert period == 660
    assert period < deployments()["Gateway"]["graceful_shutdown_timeout_s"]


def test_the_nodes_own_settings_do_not_contradict_the_shared_ones() -> None:
    assert not NODE_ENV.keys() & environment_of(REPOSITORY / "configs" / "ray.env").keys()


@pytest.mark.parametrize("kind", ["head", "worker"])
def test_every_port_that_can_be_pinned_is_and_stands_in_the_docs(kind: str) -> None:
    flags = start_flags(kind)
    pinned = {name for name in flags if name.endswith("-port")}
    every_node = {
        *("--node-manager-port", "--object-manager-port", "--runtime-env-agent-port", "--metrics-export-port"),
        *("--dashboard-agent-grpc-port", "--dashboard-agent-listen-port", "--min-worker-port", "--max-worker-port"),
    }
    assert pinned == every_node | (
        {"--port", "--dashboard-port", "--ray-client-server-port"} if kind == "head" else set()
    )
    node = "head" if kind == "head" else "gateway"
    assert all(row_of(int(flags[name]), node) for name in pinned)


def test_the_dashboard_listens_on_loopback_alone() -> None:
    assert start_flags("head")["--dashboard-host"] == "127.0.0.1"


def test_gateways_have_the_ports_that_the_docs_say() -> None:
    row = row_of(30000, "gateway")
    assert row is not None
    assert (str(row.first), str(row.last)) == (
        NODE_ENV["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"],
        NODE_ENV["RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"],
    )


def test_nodes_install_the_wheel_of_this_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wheel = f"{project['name'].replace('-', '_')}-{project['version']}-py3-none-any.whl"
    config = cluster()
    for command in [*config["head_setup_commands"], *config["worker_setup_commands"]]:
        assert f"setup-node {wheel}" in command


def test_every_file_that_a_node_runs_is_there_and_can_be_run() -> None:
    scripts = re.findall(r"~/hello/(configs/aws/\S+)", CLUSTER.read_text(encoding="utf-8"))
    assert {Path(script).name for script in scripts} == {"setup-node", "as-service", "take-calls"}
    for script in {*scripts, "configs/aws/with-environment", "configs/aws/set-key", "configs/aws/forget"}:
        assert (REPOSITORY / script).stat().st_mode & 0o111


def test_no_key_stands_in_any_of_it() -> None:
    for path in [CLUSTER, *AWS.iterdir()]:
        assert not re.search(r"(?i)(AKIA[0-9A-Z]{16}|postgresql://)", path.read_text(encoding="utf-8"))


def test_nodes_have_no_public_address_and_encrypted_disks() -> None:
    assert cluster()["provider"]["use_internal_ips"] is True
    for node in node_types().values():
        (disk,) = node["node_config"]["BlockDeviceMappings"]
        assert disk["Ebs"]["Encrypted"] is True
        assert disk["Ebs"]["VolumeType"] == "gp3"
        assert node["node_config"]["MetadataOptions"]["HttpTokens"] == "required"


def test_the_head_is_made_anew_where_it_was() -> None:
    head = node_types()["head"]["node_config"]
    assert head["PrivateIpAddress"]
    assert len(head["SubnetIds"]) == 1


def test_a_node_that_systemd_stops_has_time_for_its_calls() -> None:
    [drain] = map(int, re.findall(r"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=(\d+)", start_commands()["worker"]))
    [stop] = map(int, re.findall(r"TimeoutStopSec=(\d+)", (AWS / "as-service").read_text(encoding="utf-8")))
    assert stop > drain > deployments()["Gateway"]["graceful_shutdown_timeout_s"]
    assert "DRAIN_TIMEOUT" not in start_commands()["head"]  # it has no calls, and the launcher waits for it


def test_the_launcher_stops_where_the_key_of_the_head_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it compares the head that runs with the one that is wanted."""
    monkeypatch.setenv("HOME", str(tmp_path))
    config = cluster()
    with pytest.raises(FileNotFoundError, match=r"hello-sa-east-1-key\.pem"):
        hash_launch_conf(config["available_node_types"]["head"]["node_config"], config["auth"])
    assert {node["node_config"]["KeyName"] for node in node_types().values()} == {"hello-sa-east-1-key"}


def test_an_update_is_another_cluster_with_the_same_roles_and_key(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(CLUSTER.read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run(["bash", "-c", command_in_docs("sed -E ")], cwd=tmp_path, check=True)
    other = yaml.safe_load((tmp_path / "cluster-b.yaml").read_text(encoding="utf-8"))
    validate_config(prepare_config(other))
    assert other["cluster_name"] == "hello-sa-east-1-b"
    head = other["available_node_types"]["head"]["node_config"]
    assert head.pop("PrivateIpAddress") == "10.0.1.11"
    assert head.items() < node_types()["head"]["node_config"].items()
    for name in ("gateway", "gpu-spot", "gpu-on-demand"):
        assert other["available_node_types"][name] == node_types()[name]
    assert other["auth"] == cluster()["auth"]
    commands = [other["head_start_ray_commands"][0], *other["worker_start_ray_commands"]]
    assert all(" CLUSTER=hello-sa-east-1-b " in command for command in commands)
    assert "RAY_external_storage_namespace=hello-sa-east-1-b " in commands[0]
