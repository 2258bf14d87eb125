"""The API server as Ray's autoscaler sees it, and KubeRay behind it: a RayCluster, its pods, groups without machines.

As KubeRay 1.7 does it (reconcilePods in controllers/ray/raycluster_controller.go): pods in workersToDelete are deleted,
and pods are made until there are `replicas`, those that are about to go counted among them.
"""

import copy
import itertools
from typing import Any

from ray.autoscaler._private.kuberay.node_provider import IKubernetesHttpApiClient

Object = dict[str, Any]


class FakeKubernetes(IKubernetesHttpApiClient):
    """Pods run as soon as they are made, but those of `without_machines`: they stay pending."""

    def __init__(self, cluster: Object, without_machines: frozenset[str] = frozenset()) -> None:
        self.cluster = {"metadata": {"name": "hello", "namespace": "hello"}, "spec": copy.deepcopy(cluster)}
        self.groups: list[Object] = self.cluster["spec"]["workerGroupSpecs"]
        for group in self.groups:
            group["replicas"] = group["minReplicas"]
        self.without_machines = without_machines
        self.pods: dict[str, Object] = {}
        self._numbers = itertools.count()
        self._make("head", "headgroup")

    def get(self, path: str) -> Object:
        if path.startswith("pods?"):
            return {"metadata": {"resourceVersion": "1"}, "items": [*self.pods.values()]}
        return self.cluster if path.startswith("rayclusters") else {"metadata": {"resourceVersion": "1"}}

    def patch(self, path: str, payload: Any, content_type: str = "application/json-patch+json") -> Object:
        assert (path, content_type) == ("rayclusters/hello", "application/json-patch+json")
        for change in payload:
            _spec, _groups, index, field = change["path"].strip("/").split("/")
            self.groups[int(index)][field] = change["value"]
        return self.cluster

    def delete(self, path: str) -> Object:
        raise AssertionError(f"the autoscaler deletes nothing by itself: {path}")

    def reconcile(self) -> None:
        """What KubeRay does."""
        for group in self.groups:
            for name in group.get("scaleStrategy", {}).get("workersToDelete", []):
                self.pods.pop(name, None)
            for _ in range(group["replicas"] - len(self.pods_of(group["groupName"]))):
                self._make("worker", group["groupName"])

    def evict(self, name: str) -> None:
        """It goes on until it is `gone`."""
        self.pods[name]["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"

    def gone(self, name: str) -> None:
        del self.pods[name]

    def pods_of(self, group: str) -> list[str]:
        return [name for name, pod in self.pods.items() if pod["metadata"]["labels"]["ray.io/group"] == group]

    def running(self, name: str) -> bool:
        return "running" in self.pods[name]["status"]["containerStatuses"][0]["state"]

    def going(self, name: str) -> bool:
        return "deletionTimestamp" in self.pods[name]["metadata"]

    def _make(self, kind: str, group: str) -> None:
        name = f"{group}-{next(self._numbers)}"
        state = "waiting" if group in self.without_machines else "running"
        self.pods[name] = {
            "metadata": {"name": name, "labels": {"ray.io/node-type": kind, "ray.io/group": group}},
            "status": {"containerStatuses": [{"state": {state: {}}}]},
        }
