"""Who may open a TCP connection to whom, by the security groups of configs/aws/region.yaml."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from tests import cloudformation
from tests.cluster.template import AWS

EVERYBODY = {"0.0.0.0/0", "::/0"}
WORLD = "the internet"


@dataclass(frozen=True)
class Rule:
    """Members of `source`, a group or WORLD, reach the ports `first` to `last` of the members of `group`."""

    group: str
    source: str
    first: int
    last: int


@cache
def rules() -> list[Rule]:
    found = []
    for name, resource in cloudformation.resources(AWS / "region.yaml").items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::EC2::SecurityGroup":
            found += [_rule(name, ingress) for ingress in properties.get("SecurityGroupIngress", [])]
        elif resource["Type"] == "AWS::EC2::SecurityGroupIngress":
            found.append(_rule(properties["GroupId"], properties))
    return found


def _rule(group: str, ingress: dict[str, Any]) -> Rule:
    assert ingress["IpProtocol"] == "tcp", f"{group}: only TCP is understood"
    source = ingress.get("SourceSecurityGroupId")
    if source is None:
        cidr = ingress.get("CidrIp") or ingress["CidrIpv6"]
        assert cidr in EVERYBODY, f"{group}: {cidr} is neither a group nor everybody"
        source = WORLD
    return Rule(group, source, int(ingress["FromPort"]), int(ingress["ToPort"]))


def allowed(source: str, group: str, port: int) -> bool:
    """Whether a member of `source` (a group, or WORLD for an address that is in none) reaches that port in `group`."""
    return any(
        rule.group == group and rule.source in {source, WORLD} and rule.first <= port <= rule.last for rule in rules()
    )
