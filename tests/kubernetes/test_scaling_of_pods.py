"""Which pods Ray's autoscaler asks KubeRay for: all of it, on the manifests; only Kubernetes is played."""

import inspect
import logging
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler.v2.instance_manager.cloud_providers.kuberay.cloud_provider import KubeRayProvider
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig, InstanceReconcileConfig
from ray.autoscaler.v2.instance_manager.instance_manager import InstanceManager
from ray.autoscaler.v2.instance_manager.instance_storage import InstanceStorage
from ray.autoscaler.v2.instance_manager.reconciler import Reconciler
from ray.autoscaler.v2.instance_manager.storage import InMemoryStorage
from ray.autoscaler.v2.instance_manager.subscribers.cloud_instance_updater import CloudInstanceUpdater
from ray.autoscaler.v2.instance_manager.subscribers.cloud_resource_monitor import CloudResourceMonitor
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated.autoscaler_pb2 import ClusterResourceState, NodeState, NodeStatus
from ray.core.generated.common_pb2 import LabelSelectorOperator

from tests.kubernetes.fake_kubernetes import FakeKubernetes
from tests.kubernetes.test_manifest import REGIONS, cluster, documents

Selector = dict[str, str]


class Autoscaler:
    """Of a region's RayCluster, put together as ray/autoscaler/v2/autoscaler.py does it."""

    def __init__(self, region: str, without_machines: frozenset[str] = frozenset()) -> None:
        parts = documents(region)
        self.kubernetes = FakeKubernetes(cluster(parts), without_machines)
        self.monitor = CloudResourceMonitor()
        self.provider = KubeRayProvider("hello", {"namespace": "hello"}, None, self.kubernetes)
        subscribers = [CloudInstanceUpdater(self.provider), self.monitor]
        self.instances = InstanceManager(InstanceStorage("hello", InMemoryStorage()), subscribers)
        self.wanted: list[Selector] = []
        self.version = 0
        self.step()  # before any raylet has told of itself

    def step(self, patience_s: int = 600) -> None:
        """KubeRay's turn, then the autoscaler's. A pod that has not joined after `patience_s` is given up."""
        self.kubernetes.reconcile()
        config = Patient(_derive_autoscaling_config_from_ray_cr(self.kubernetes.cluster), skip_content_hash=True)
        config.patience_s = patience_s
        self.version += 1
        Reconciler.reconcile(
            instance_manager=self.instances,
            scheduler=ResourceDemandScheduler(),
            cloud_provider=self.provider,
            cloud_resource_monitor=self.monitor,
            ray_cluster_resource_state=ClusterResourceState(
                cluster_resource_state_version=self.version,
                node_states=self._nodes(config) if self.version > 1 else [],
                pending_resource_requests=self._demand(),
            ),
            non_terminated_cloud_instances=self.provider.get_non_terminated(),
            cloud_provider_errors=self.provider.poll_errors(),
            ray_install_errors=[],
            ray_stop_errors=[],
            autoscaling_config=config,
            _logger=logging.getLogger(__name__),
        )

    def gpu_pods(self) -> dict[str, int]:
        return {name: len(found) for name in ("gpu-spot", "gpu-on-demand") if (found := self.kubernetes.pods_of(name))}

    def _nodes(self, config: AutoscalingConfig) -> list[NodeState]:
        types = config.get_node_type_configs()
        return [
            NodeState(
                node_id=name.encode(),
                instance_id=name,
                ray_node_type_name=(group := name.rpartition("-")[0]),
                status=NodeStatus.DRAINING if self.kubernetes.going(name) else NodeStatus.RUNNING,
                total_resources=types[group].resources,
                available_resources=types[group].resources,
                labels=types[group].labels,
            )
            for name in self.kubernetes.pods
            if self.kubernetes.running(name)
        ]

    def _demand(self) -> list[Any]:
        """A LocalWhisper, until a GPU pod runs."""
        if not self.wanted or any(map(self.kubernetes.running, self.kubernetes.pods_of("gpu-on-demand"))):
            return []
        is_in = LabelSelectorOperator.LABEL_OPERATOR_IN
        selectors = [[(key, is_in, [value]) for key, value in each.items()] for each in self.wanted]
        return ResourceRequestUtil.group_by_count(
            [ResourceRequestUtil.make({"CPU": 1, "GPU": 0.5}, label_selectors=selectors)]
        )


class Patient(AutoscalingConfig):
    patience_s: int

    def get_instance_reconcile_config(self) -> InstanceReconcileConfig:
        return InstanceReconcileConfig(allocate_status_timeout_s=self.patience_s)


def selectors(region: str) -> list[Selector]:
    """LocalWhisper's, and those it falls back to."""
    config = yaml.safe_load(documents(region)["RayService hello"]["spec"]["serveConfigV2"])
    deployments = {each["name"]: each for each in config["applications"][0]["deployments"]}
    options = deployments["LocalWhisper"]["ray_actor_options"]
    return [each["label_selector"] for each in (options, *(options.get("fallback_strategy") or []))]


def without_spot(region: str, wanted: list[Selector]) -> Autoscaler:
    """As far as a spot pod that is pending."""
    autoscaler = Autoscaler(region, without_machines=frozenset({"gpu-spot"}))
    autoscaler.wanted = wanted
    autoscaler.step()
    autoscaler.step()
    assert autoscaler.gpu_pods() == {"gpu-spot": 1}, "spot comes first"
    return autoscaler


def give_up(autoscaler: Autoscaler) -> None:
    for patience_s in (0, 600, 600):  # the pod is deleted; when it has gone another is asked for; that one is made
        autoscaler.step(patience_s)


@pytest.mark.parametrize("region", REGIONS)
def test_on_demand_comes_after_a_spot_pod_that_was_given_up(region):
    autoscaler = without_spot(region, selectors(region))
    autoscaler.step()
    assert autoscaler.gpu_pods() == {"gpu-spot": 1}, "it is waited for"
    give_up(autoscaler)
    assert autoscaler.gpu_pods() == {"gpu-on-demand": 1}


def test_a_fallback_that_names_the_market_would_never_be_taken():
    """Why the configs name none: whichever selector is first outweighs that its machines do not come (Ray 2.60)."""
    (each,) = selectors("sa-east-1")
    autoscaler = without_spot("sa-east-1", [{**each, "ray.io/market-type": it} for it in ("spot", "on-demand")])
    give_up(autoscaler)
    assert autoscaler.gpu_pods() == {"gpu-spot": 1}


def test_a_gateway_pod_that_goes_is_replaced_at_once():
    autoscaler = Autoscaler("sa-east-1")
    kubernetes = autoscaler.kubernetes
    autoscaler.step()
    first, _ = kubernetes.pods_of("gateway")
    kubernetes.evict(first)
    autoscaler.step()
    autoscaler.step()
    assert len(kubernetes.pods_of("gateway")) == 3
    kubernetes.gone(first)
    autoscaler.step()
    assert len(kubernetes.pods_of("gateway")) == 3, "KubeRay makes one as well: it is one too many until it is idle"


def test_at_its_maximum_a_gateway_pod_that_goes_is_replaced_when_it_has_gone():
    autoscaler = Autoscaler("sa-east-1")
    gateways = autoscaler.kubernetes.groups[0]
    gateways["replicas"] = gateways["minReplicas"] = gateways["maxReplicas"]
    autoscaler.step()
    first, *_ = autoscaler.kubernetes.pods_of("gateway")
    autoscaler.kubernetes.evict(first)
    autoscaler.step()
    autoscaler.step()
    assert len(autoscaler.kubernetes.pods_of("gateway")) == gateways["maxReplicas"], "with the one that goes"
    autoscaler.kubernetes.gone(first)
    autoscaler.step()
    assert len(autoscaler.kubernetes.pods_of("gateway")) == gateways["maxReplicas"]


@pytest.mark.parametrize("region", REGIONS)
def test_a_pod_is_given_up_in_time_and_not_before_a_machine_can_start(region):
    """Six to eight minutes are told of, for a GPU machine and its image: github.com/ray-project/kuberay/issues/4226."""
    entries = cluster(documents(region))["autoscalerOptions"]["env"]
    (value,) = (each["value"] for each in entries if each["name"] in inspect.getsource(InstanceReconcileConfig))
    assert 480 < int(value) < 900
