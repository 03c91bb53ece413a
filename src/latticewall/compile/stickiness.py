"""Which of a rule's target groups bind clients, and by which cookies ("Sticky sessions for your Application Load Balancer")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latticewall.plan.load_balancers import Stickiness
from latticewall.world.types import LoadBalancerTargetGroup

BY_BALANCER, BY_APPLICATION = "AWSALB", "AWSALBAPP"


def stickiness(action: Mapping[str, Any], clusters: Sequence[tuple[str, LoadBalancerTargetGroup]]) -> tuple[Stickiness, ...]:
    """action: a forward action. clusters: its target groups in their order, each with the name of its cluster."""
    config = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
    group_seconds = int(config["DurationSeconds"]) if config.get("Enabled") else 0
    found = (_of_group(cluster, group, at, group_seconds) for at, (cluster, group) in enumerate(clusters))
    return tuple(one for one in found if one.kind or one.group_seconds)


def _of_group(cluster: str, group: LoadBalancerTargetGroup, at: int, group_seconds: int) -> Stickiness:
    said = group.attributes
    kind = said["stickiness.type"] if said["stickiness.enabled"] == "true" else ""
    if not kind:
        return Stickiness(cluster, group.id, group_seconds=group_seconds)
    seconds = int(said[f"stickiness.{kind}.duration_seconds"])
    if kind == "lb_cookie":
        return Stickiness(cluster, group.id, kind, BY_BALANCER, "", seconds, group_seconds)
    return Stickiness(cluster, group.id, kind, f"{BY_APPLICATION}-{at}", said["stickiness.app_cookie.cookie_name"], seconds, group_seconds)
