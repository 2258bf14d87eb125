"""The manifests of configs/kubernetes: made from one template, accepted by Kubernetes and KubeRay, and of a piece."""

import copy
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate import ValidationError

from serve_app.run_environment import load_flags
from serve_app.serve_config.manifest import manifest, manifests
from tests.kubernetes import custom_resources, pods

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / "configs"
REGIONS = ("eu-west-1", "sa-east-1", "us-east-1")
GRACE_S = 30
"""Between the end of a node's drain and Kubernetes' SIGKILL."""

Document = dict[str, Any]


def documents(region: str) -> dict[str, Document]:
    """By kind and name."""
    text = (CONFIGS / "kubernetes" / f"{region}.yaml").read_text(encoding="utf-8")
    return {f"{entry['kind']} {entry['metadata']['name']}": entry for entry in yaml.safe_load_all(text)}


@pytest.fixture(scope="module", params=REGIONS)
def region(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def parts(region: str) -> dict[str, Document]:
    return documents(region)


def cluster(parts: dict[str, Document]) -> Document:
    return parts["RayService hello"]["spec"]["rayClusterConfig"]


def groups(parts: dict[str, Document]) -> list[Document]:
    """The head's, and all workers'."""
    return [cluster(parts)["headGroupSpec"], *cluster(parts)["workerGroupSpecs"]]


def group(parts: dict[str, Document], name: str) -> Document:
    return next(each for each in cluster(parts)["workerGroupSpecs"] if each["groupName"] == name)


def container(group: Document) -> Document:
    (only,) = group["template"]["spec"]["containers"]
    return only


def environment(parts: dict[str, Document], group: Document) -> dict[str, str]:
    """Of a pod's Ray; what the container says itself comes before the ConfigMap."""
    data = parts["ConfigMap hello-environment"]["data"]
    return {**data, **{entry["name"]: entry["value"] for entry in container(group).get("env", [])}}


def test_the_committed_manifests_are_as_make_configs_makes_them():
    for path, made in manifests().items():
        assert path.read_text(encoding="utf-8") == made, f"{path} is old: `make configs` makes it anew"
    assert sorted(path.stem for path in manifests()) == [*REGIONS]


def test_texts_are_put_in_as_deep_as_their_line_stands():
    template = "name: @region@\n  a: |\n    @serve_config@\nb:\n  @ray_flags@\n"
    made = manifest(template, "moon", "# why\nx:\n\n  - 1\n", "# because\nA=1=2\n\nB=\n")
    assert yaml.safe_load(made.split("\n", 2)[2].replace("  a: |", "a: |")) == {
        "a": "# why\nx:\n\n  - 1\n",
        "b": {"A": "1=2", "B": ""},
    }
    assert "\n  # because\n" in made, "comments stay"


def test_serve_gets_the_regions_config_word_for_word(region, parts):
    config = (CONFIGS / f"{region}.yaml").read_text(encoding="utf-8")
    assert parts["RayService hello"]["spec"]["serveConfigV2"] == config


def test_kubernetes_and_kuberay_accept_every_document(parts):
    for document in parts.values():
        custom_resources.check(document)


def test_every_node_has_rays_flags(parts, monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    load_flags(CONFIGS / "ray.env")
    for each in groups(parts):
        assert container(each)["envFrom"][0] == {"configMapRef": {"name": "hello-environment"}}
        assert os.environ.items() <= environment(parts, each).items()


def test_a_gateway_pod_that_goes_has_time_for_its_calls(parts):
    """Serve's period < its grace < Ray's drain < Kubernetes' grace."""
    gateways = group(parts, "gateway")
    has = environment(parts, gateways)
    serve = yaml.safe_load(parts["RayService hello"]["spec"]["serveConfigV2"])["applications"][0]["deployments"][0]
    period_s = float(has["RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"])
    drain_s = float(has["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
    assert serve["name"] == "Gateway"
    assert 600 < period_s < serve["graceful_shutdown_timeout_s"] < drain_s
    assert gateways["template"]["spec"]["terminationGracePeriodSeconds"] >= drain_s + GRACE_S
    assert float(has["RAY_gcs_rpc_server_reconnect_timeout_s"]) > drain_s, "the old cluster's head may go first"


def test_every_pod_has_its_drain_within_kubernetes_grace(parts):
    for each in cluster(parts)["workerGroupSpecs"]:
        drain_s = float(environment(parts, each)["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
        assert drain_s < each["template"]["spec"]["terminationGracePeriodSeconds"]


def test_the_drain_and_the_wait_for_a_head_are_as_on_other_nodes(parts, monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    load_flags(CONFIGS / "aws" / "node.env")
    shared = ("RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S", "RAY_gcs_rpc_server_reconnect_timeout_s")
    for name in (*shared, "WHISPER_MODEL"):
        assert environment(parts, group(parts, "gateway"))[name] == os.environ[name]


def test_nodes_are_labelled_as_the_configs_select_them(region, parts):
    has = [each["labels"] for each in groups(parts)]
    in_order = [each["groupName"] for each in cluster(parts)["workerGroupSpecs"]]
    assert in_order == ["gateway", "gpu-spot", "gpu-on-demand"], "docs/kubernetes.md patches them by their number"
    assert [labels["ray.io/node-group"] for labels in has] == ["head", "gateway", "gpu", "gpu"]
    assert {labels["ray.io/availability-region"] for labels in has} == {region}
    config = yaml.safe_load(parts["RayService hello"]["spec"]["serveConfigV2"])
    for deployment in config["applications"][0]["deployments"]:
        options = deployment["ray_actor_options"]
        fallbacks = [each["label_selector"] for each in options.get("fallback_strategy") or []]
        for selector in (options["label_selector"], *fallbacks):
            assert any(selector.items() <= labels.items() for labels in has), f"{deployment['name']}: {selector}"


def test_the_pods_hold_all_replicas_that_the_config_allows(parts):
    """Ray counts the CPUs of `num-cpus`, and a GPU per pod of the GPU groups, whichever of the two has them."""
    config = yaml.safe_load(parts["RayService hello"]["spec"]["serveConfigV2"])
    wanted = {"gateway": 0.0, "gpu": 0.0}
    for deployment in config["applications"][0]["deployments"]:
        options, most = deployment["ray_actor_options"], deployment["autoscaling_config"]["max_replicas"]
        place = options["label_selector"]["ray.io/node-group"]
        wanted[place] += most * (options["num_gpus"] if place == "gpu" else options["num_cpus"])
    gateways = group(parts, "gateway")
    assert wanted["gateway"] <= gateways["maxReplicas"] * int(gateways["rayStartParams"]["num-cpus"])
    for name in ("gpu-spot", "gpu-on-demand"):
        assert wanted["gpu"] <= group(parts, name)["maxReplicas"]
        assert container(group(parts, name))["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_the_agents_and_the_journal_are_where_the_image_looks_for_them(parts):
    dockerfile = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    paths = dict(re.findall(r"(\w+_DIR|HF_HOME)=(/\S+)", dockerfile))
    mounts = {entry["mountPath"] for entry in container(group(parts, "gateway"))["volumeMounts"]}
    assert mounts == {paths["DATA_DIR"], paths["AGENTS_DIR"]}
    for name in ("JOURNAL_DIR", "RECORDINGS_DIR", "HF_HOME"):
        assert Path(paths["DATA_DIR"]) in Path(paths[name]).parents


def test_no_key_is_in_a_manifest(parts):
    text = yaml.safe_dump([*parts.values()])
    assert not re.search(r"(API_KEY|SECRET|TOKEN|PASSWORD|DATABASE_URL)\w*: ", text)
    for each in groups(parts):
        assert {"secretRef": {"name": "hello-keys"}} in container(each)["envFrom"]


def test_only_the_gateways_proxies_reach_a_call_port(parts):
    """Policies add up, so every one that selects the gateways' pods is looked at."""
    gateways = {"ray.io/is-ray-node": "yes", **group(parts, "gateway")["labels"]}
    outside: dict[str, set[int]] = {}
    for policy in (part for name, part in parts.items() if name.startswith("NetworkPolicy")):
        assert policy["spec"]["policyTypes"] == ["Ingress"]
        if policy["spec"]["podSelector"]["matchLabels"].items() <= gateways.items():
            for rule in policy["spec"]["ingress"]:
                (source,) = rule["from"]
                if "namespaceSelector" not in source:
                    assert source == {"podSelector": {"matchLabels": {"ray.io/is-ray-node": "yes"}}}
                    continue
                (namespace,) = source["namespaceSelector"]["matchLabels"].values()
                outside.setdefault(namespace, set()).update(port["port"] for port in rule["ports"])
    assert outside == {"gateways": {8000}, "kuberay-system": {8265, 8000}, "monitoring": {8080, 9101}}


def test_a_machine_can_be_emptied(parts):
    """Only a number of minAvailable does not ask the pods' owner for its /scale, which a RayCluster has not."""
    budget, gateways = parts["PodDisruptionBudget hello-gateways"]["spec"], group(parts, "gateway")
    assert budget["selector"]["matchLabels"].items() <= gateways["labels"].items()
    assert "maxUnavailable" not in budget
    assert isinstance(budget["minAvailable"], int)
    assert 0 < budget["minAvailable"] < gateways["minReplicas"]


def test_a_region_without_machines_is_not_given_up(parts):
    """After ray.io/initializing-timeout KubeRay gives the RayService up, whatever is changed in it then."""
    assert "annotations" not in parts["RayService hello"]["metadata"]


def test_a_call_never_goes_through_a_pod_that_may_be_taken_away(parts):
    selector = parts["Service hello-calls"]["spec"]["selector"]
    assert [
        each["labels"]["ray.io/market-type"] for each in groups(parts) if selector.items() <= each["labels"].items()
    ] == ["on-demand"]


def test_the_route_strips_what_serve_would_heed(parts):
    serves_own, rule = parts["HTTPRoute hello-calls"]["spec"]["rules"]
    assert serves_own == {"matches": [{"path": {"type": "PathPrefix", "value": "/-"}}]}
    removed = rule["filters"][0]["requestHeaderModifier"]["remove"]
    assert removed == ["x-request-timeout-seconds", "x-request-disconnect-disabled"]
    assert rule["timeouts"]["request"] == "0s"


def test_the_command_of_a_pod_is_as_kuberay_makes_it():
    assert pods.ray_start({"labels": {"b": "2", "a": "1"}, "rayStartParams": {"num-cpus": "4"}}, "10.0.0.1") == (
        "ulimit -n ${RAY_START_ULIMIT_OPEN_FILES:-65536}; ray start --address=10.0.0.1:6379 --block "
        "--dashboard-agent-listen-port=52365 --labels=a=1,b=2 --metrics-export-port=8080 --num-cpus=4"
    )


Change = Callable[[dict[str, Document]], object]

MUTATIONS: dict[str, Change] = {
    "a slip in the spec": lambda m: m["RayService hello"]["spec"].update(serveConfigv2=""),
    "a slip in the cluster": lambda m: cluster(m).update(workerGroupSpec=[]),
    "a worker group on the wrong level": lambda m: m["RayService hello"]["spec"].update(workerGroupSpecs=[]),
    "no name of a group": lambda m: group(m, "gateway").pop("groupName"),
    "a number as a flag": lambda m: group(m, "gateway")["rayStartParams"].update({"num-cpus": 4}),
    "labels among the flags": lambda m: group(m, "gateway")["rayStartParams"].update(labels="a=b"),
    "a label that is none": lambda m: group(m, "gateway")["labels"].update({"ray.io/node-group": "a b"}),
    "less at most than at least": lambda m: group(m, "gateway").update(maxReplicas=1),
    "a text as a number": lambda m: group(m, "gateway").update(minReplicas="2"),
    "a strategy that there is not": lambda m: m["RayService hello"]["spec"]["upgradeStrategy"].update(type="Rolling"),
    "a strategy behind a gate": lambda m: m["RayService hello"]["spec"]["upgradeStrategy"].update(
        type="NewClusterWithIncrementalUpgrade"
    ),
    "no version of Ray": lambda m: cluster(m).pop("rayVersion"),
    "another mode of authentication": lambda m: cluster(m)["authOptions"].update(mode="tokens"),
    "Redis' password as a text": lambda m: cluster(m)["gcsFaultToleranceOptions"].update(redisPassword="secret"),
    "Redis twice": lambda m: container(groups(m)[0]).update(env=[{"name": "RAY_REDIS_ADDRESS", "value": "a:1"}]),
    "a slip in a pod": lambda m: group(m, "gateway")["template"]["spec"].update(terminationGracePeriodSecond=750),
    "a grace that is a text": lambda m: group(m, "gateway")["template"]["spec"].update(
        terminationGracePeriodSeconds="750s"
    ),
    "a pod that is restarted in place": lambda m: group(m, "gateway")["template"]["spec"].update(
        restartPolicy="Always"
    ),
    "a slip in a container": lambda m: container(group(m, "gateway")).update(readinesProbe={}),
    "a probe of two kinds' fields": lambda m: container(group(m, "gateway"))["readinessProbe"]["httpGet"].update(
        url="/"
    ),
    "no port of a probe": lambda m: container(group(m, "gateway"))["readinessProbe"]["httpGet"].pop("port"),
    "a slip in a volume": lambda m: group(m, "gateway")["template"]["spec"]["volumes"][0]["emptyDir"].update(
        size="1Gi"
    ),
    "a template with a kind": lambda m: group(m, "gateway")["template"].update(kind="Pod"),
    "a slip in the autoscaler's resources": lambda m: cluster(m)["autoscalerOptions"]["resources"].update(limit={}),
    "a number in the autoscaler's environment": lambda m: cluster(m)["autoscalerOptions"]["env"][0].update(value=600),
    "an autoscaler of version 3": lambda m: cluster(m)["autoscalerOptions"].update(version="v3"),
    "a budget of two kinds' fields": lambda m: m["PodDisruptionBudget hello-gateways"]["spec"].update(maxSurge=1),
    "a policy for nobody's ports": lambda m: m["NetworkPolicy hello-calls"]["spec"]["ingress"][0].update(port=8000),
    "a port that is none": lambda m: m["Service hello-calls"]["spec"]["ports"][0].update(port="calls"),
    "a filter of another type": lambda m: m["HTTPRoute hello-calls"]["spec"]["rules"][1]["filters"][0].update(
        type="RequestHeaderRemover"
    ),
    "a path without its slash": lambda m: m["HTTPRoute hello-calls"]["spec"]["rules"][0]["matches"][0]["path"].update(
        value="-"
    ),
    "a timeout without a unit": lambda m: m["HTTPRoute hello-calls"]["spec"]["rules"][1]["timeouts"].update(
        request="0"
    ),
}


@pytest.mark.parametrize("change", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_mutated_manifest_is_refused(change):
    changed = copy.deepcopy(WELL)
    change(changed)
    (document,) = (changed[name] for name in changed if changed[name] != WELL[name])
    with pytest.raises((ValueError, ValidationError)):
        custom_resources.check(document)


WELL = documents("sa-east-1")
