"""Lambda functions as the functions process will have them, and the target groups that lead to them ("Lambda functions as targets in VPC Lattice")."""

from __future__ import annotations

from latticewall.base.faults import Fault
from latticewall.plan.functions import Function, FunctionsPlan, FunctionTarget, FunctionVersion
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Principal, Request
from latticewall.world.types import LambdaFunction, LambdaVersion, TargetGroup, World

LATTICE = "vpc-lattice.amazonaws.com"
SOCKET = "functions/lattice.sock"
"""Where the functions process takes Envoy's requests, below the region's folder for running things."""


def compile_functions(world: World) -> FunctionsPlan:
    by_arn = {function.arn: function for function in world.functions}
    targets = [_target(group, by_arn) for group in world.target_groups if group.type == "LAMBDA"]
    return FunctionsPlan(
        tuple(_function(function, world.region) for function in world.functions), tuple(sorted(target for target in targets if target is not None))
    )


def _function(function: LambdaFunction, region: str) -> Function:
    versions = tuple(_version(version) for version in function.versions)
    return Function(function.arn, function.name, function.account, region, versions, function.aliases, function.reserved)


def _version(version: LambdaVersion) -> FunctionVersion:
    return FunctionVersion(
        version.version, version.code, version.runtime, version.handler, version.timeout, version.memory, version.storage, version.log_group,
        version.environment,
    )  # fmt: skip


def _target(group: TargetGroup, functions: dict[str, LambdaFunction]) -> FunctionTarget | None:
    """The group's one target; None while there is none."""
    if not group.targets:
        return None
    arn = group.targets[0].id
    function_arn, qualifier = ":".join(arn.split(":")[:7]), "".join(arn.split(":")[7:8])
    function = functions.get(function_arn)
    permitted = function is not None and is_permitted(dict(function.policies).get(qualifier, ""), arn, group.arn)
    return FunctionTarget(group.arn, function_arn, qualifier, group.event_structure, permitted)


def is_permitted(policy: str, arn: str, target_group_arn: str) -> bool:
    """Whether a function's policy lets VPC Lattice invoke it for a target group. arn: qualified as it is registered."""
    if not policy:
        return False
    try:
        policies = PolicySet([parse_policy(policy, Form.RESOURCE)])
    except Fault:
        return False
    context: dict[str, str | tuple[str, ...]] = {"aws:SourceArn": target_group_arn, "aws:SourceAccount": target_group_arn.split(":")[4]}
    return policies.evaluate(Request("lambda:InvokeFunction", arn, Principal.service(LATTICE), context)).allowed
