"""On answers as Serve 2.60 gives them, cut to what is read."""

from typing import Any

from tests.regions.serve_state import Replica, parsed_scales


def details(**deployment: Any) -> dict[str, Any]:
    return {"applications": {"hello": {"deployments": {"LocalWhisper": deployment}}}}


def test_replicas_are_told_apart_by_their_state() -> None:
    replicas = [
        {"replica_id": "a", "state": "RUNNING", "node_id": "n1"},
        {"replica_id": "b", "state": "STARTING"},
        {"replica_id": "c", "state": "STOPPING", "node_id": "n2"},
    ]
    [(name, scale)] = parsed_scales(details(target_num_replicas=2, replicas=replicas)).items()
    assert (name, scale.target, len(scale.replicas)) == ("LocalWhisper", 2, 3)
    assert scale.running == (Replica("a", "RUNNING", "n1"),)


def test_a_replica_without_a_node_yet_has_none() -> None:
    for node in ({}, {"node_id": None}):
        replicas = [{"replica_id": "b", "state": "STARTING", **node}]
        scale = parsed_scales(details(target_num_replicas=1, replicas=replicas))["LocalWhisper"]
        assert scale.replicas[0].node_id == ""
        assert not scale.running
