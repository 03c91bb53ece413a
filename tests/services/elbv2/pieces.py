"""Load balancers and what they need, in a few words."""

from __future__ import annotations

from typing import Any

from tests.region import Region


def network(region: Region) -> tuple[str, str, str]:
    """A VPC and two subnets in two zones."""
    vpc = region.vpc()
    return vpc, region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b")


def balancer(region: Region, *subnets: str, name: str = "web", **more: Any) -> dict[str, Any]:
    """A load balancer that is active."""
    made = region.elbv2.create_load_balancer(**{"Name": name, "Subnets": list(subnets), "Scheme": "internal", **more})["LoadBalancers"][0]
    region.settle()
    return dict(made)


def group(region: Region, vpc: str, name: str = "web", **more: Any) -> str:
    params = {"Name": name, "Protocol": "HTTP", "Port": 8080, "VpcId": vpc, "TargetType": "ip", **more}
    return str(region.elbv2.create_target_group(**params)["TargetGroups"][0]["TargetGroupArn"])


def listener(region: Region, balancer: str, *actions: dict[str, Any], port: int = 80) -> str:
    made = region.elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=list(actions) or [fixed()])
    return str(made["Listeners"][0]["ListenerArn"])


def rule(region: Region, listener: str, priority: int, condition: dict[str, Any] | None = None, *actions: dict[str, Any]) -> str:
    conditions = [condition or {"Field": "path-pattern", "Values": ["/x"]}]
    made = region.elbv2.create_rule(ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=list(actions) or [fixed()])
    return str(made["Rules"][0]["RuleArn"])


def fixed(status: str = "404", **more: str) -> dict[str, Any]:
    return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status, **more}}


def forward(*groups: str, weights: tuple[int, ...] = ()) -> dict[str, Any]:
    if len(groups) == 1 and not weights:
        return {"Type": "forward", "TargetGroupArn": groups[0]}
    listed = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, weights, strict=True)]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": listed}}
