"""What the nodes of configs/aws/region.yaml may do at AWS."""

from typing import Any

from tests import cloudformation
from tests.cluster.template import AWS


def statement(role: str, action: str) -> dict[str, Any]:
    """The one that names the action."""
    properties = cloudformation.resources(AWS / "region.yaml")[role]["Properties"]
    documents = [each["PolicyDocument"] for each in properties.get("Policies", [properties])]
    [found] = [each for document in documents for each in document["Statement"] if action in each["Action"]]
    return dict(found)


def test_the_head_terminates_nodes_of_its_clusters_and_no_head() -> None:
    assert statement("HeadRole", "ec2:TerminateInstances")["Condition"] == {
        "StringLike": {"ec2:ResourceTag/ray-cluster-name": "hello-*"},
        "StringEquals": {"ec2:ResourceTag/ray-node-type": "worker"},
    }


def test_no_node_reads_the_operators_key() -> None:
    found = statement("NodePolicy", "ssm:GetParameter")
    assert (found["Effect"], found["Resource"].rpartition(":")[2]) == ("Deny", "parameter/ec2/keypair/*")
