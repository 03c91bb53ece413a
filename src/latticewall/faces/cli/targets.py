"""The targets of a stack's target groups: until their first health checks have ended nobody knows which of them answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from latticewall.faces.cli.client import Refused
from latticewall.faces.cli.session import Session

TARGET_SECONDS = 60.0
"""How long first health checks are waited for: a check that nobody answers fails before that, unless it was made to be very patient."""
_POLL_SECONDS = 0.2
_LATTICE, _BALANCER = "AWS::VpcLattice::TargetGroup", "AWS::ElasticLoadBalancingV2::TargetGroup"


@dataclass(frozen=True)
class Target:
    """group: its logical id in the template. status: as VPC Lattice has it, in capitals. reason: its code, or what is said of it."""

    group: str
    id: str
    port: int | None
    status: str
    reason: str

    def __str__(self) -> str:
        place = self.id if self.port is None else f"[{self.id}]:{self.port}" if ":" in self.id else f"{self.id}:{self.port}"
        return f"target {place} of {self.group} is {self.status}" + (f": {self.reason}" if self.reason else "")


def checked_targets(session: Session, stack: str, deadline: float, waiting: Callable[[int], None]) -> list[Target]:
    """All targets of the stack, once the first health check of each has ended, or when the time is over. deadline: monotonic seconds. waiting: is told how
    many are waited for."""
    resources = session.pages("cloudformation:ListStackResources", {"StackName": stack}, "StackResourceSummaries")
    groups = [one for one in resources if one["ResourceType"] in (_LATTICE, _BALANCER) and not one["ResourceStatus"].startswith("DELETE_")]
    until = min(deadline, time.monotonic() + TARGET_SECONDS)
    told = 0
    while True:
        found = [target for group in groups for target in _targets(session, group)]
        left = sum(target.status == "INITIAL" for target in found)
        if not left or time.monotonic() > until:
            return found
        if left != told:
            waiting(left)
            told = left
        time.sleep(_POLL_SECONDS)


def _targets(session: Session, group: dict[str, Any]) -> Iterator[Target]:
    name, arn = str(group["LogicalResourceId"]), group["PhysicalResourceId"]
    try:
        if group["ResourceType"] == _LATTICE:
            for item in session.pages("vpc-lattice:ListTargets", {"targetGroupIdentifier": arn}, "items"):
                yield Target(name, item["id"], item.get("port"), item["status"], item.get("reasonCode", ""))
        else:
            for item in session.call("elbv2:DescribeTargetHealth", {"TargetGroupArn": arn})["TargetHealthDescriptions"]:
                health = item["TargetHealth"]
                yield Target(name, item["Target"]["Id"], item["Target"].get("Port"), health["State"].upper(), health.get("Description", ""))
    except Refused:
        return  # it was deleted behind the stack's back
