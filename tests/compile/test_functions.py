"""Functions in the plan: who leads where, what the policy lets in, and how Envoy reaches them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latticewall.compile.functions import SOCKET, compile_functions
from latticewall.compile.render import envoy_clusters
from latticewall.plan.proxy import Cluster
from latticewall.world.types import LambdaFunction, LambdaVersion, Target, TargetGroup, World

FUNCTION = "arn:aws:lambda:eu-north-7:111122223333:function:f"
GROUP = "arn:aws:vpc-lattice:eu-north-7:111122223333:targetgroup/tg-1"
VERSION = LambdaVersion("$LATEST", "c0de", "python3.12", "index.handler", 3, 128, 512, "/aws/lambda/f", ())


def statement(**changed: Any) -> dict[str, Any]:
    return {
        "Sid": "s", "Effect": "Allow", "Principal": {"Service": "vpc-lattice.amazonaws.com"}, "Action": "lambda:InvokeFunction", "Resource": FUNCTION,
        "Condition": {"ArnLike": {"AWS:SourceArn": GROUP}}, **changed,
    }  # fmt: skip


def world(target: str, policies: dict[str, list[dict[str, Any]]]) -> World:
    texts = {name: json.dumps({"Version": "2012-10-17", "Statement": statements}) for name, statements in policies.items()}
    function = LambdaFunction(FUNCTION, "f", "111122223333", (VERSION,), (("live", (("1", 1.0),)),), tuple(texts.items()), -1)
    group = TargetGroup("tg-1", GROUP, "LAMBDA", "", "", 0, "", {}, (Target(target, 0, None),) if target else (), event_structure="V2")
    return World("eu-north-7", 1, "2026-01-02T03:04:00.000Z", target_groups=(group,), functions=(function,))


@pytest.mark.parametrize(
    ("target", "policies", "permitted"),
    [
        (FUNCTION, {"": [statement()]}, True),
        (FUNCTION, {"": [statement(Condition={"StringEquals": {"AWS:SourceAccount": "111122223333"}})]}, True),
        (FUNCTION, {"": [statement(Condition={"ArnLike": {"AWS:SourceArn": GROUP + "x"}})]}, False),
        (FUNCTION, {"": [statement(Principal={"Service": "elasticloadbalancing.amazonaws.com"})]}, False),
        (FUNCTION, {"": [statement(Action="lambda:GetFunction")]}, False),
        (FUNCTION, {}, False),
        (FUNCTION, {"live": [statement(Resource=FUNCTION + ":live")]}, False),
        (FUNCTION + ":live", {"live": [statement(Resource=FUNCTION + ":live")]}, True),
        (FUNCTION + ":live", {"": [statement()]}, False),
        (FUNCTION + "x", {"": [statement()]}, False),
    ],
)
def test_the_policy_of_what_is_registered_decides(target: str, policies: dict[str, list[dict[str, Any]]], permitted: bool) -> None:
    (found,) = compile_functions(world(target, policies)).targets
    assert (found.target_group_arn, found.event, found.permitted) == (GROUP, "V2", permitted)
    assert f"{found.function_arn}:{found.qualifier}".rstrip(":") == target


def test_an_empty_group_leads_nowhere() -> None:
    plan = compile_functions(world("", {}))
    assert plan.targets == ()
    assert [function.arn for function in plan.functions] == [FUNCTION]


def test_envoy_reaches_functions_over_a_socket_in_no_namespace() -> None:
    cluster = Cluster(name="tg-1", namespace="", bind="", endpoints=(), arn=GROUP, socket=SOCKET)
    rendered = envoy_clusters.cluster(cluster, lambda name: f"/netns/{name}")
    assert "upstream_bind_config" not in rendered
    (locality,) = envoy_clusters.endpoints(cluster, "/run/x")["endpoints"]
    assert locality["lb_endpoints"] == [{"endpoint": {"address": {"pipe": {"path": "/run/x/functions/lattice.sock"}}}}]
    assert envoy_clusters.endpoints(Cluster(name="tg-1", namespace="", bind="", endpoints=()), "/run/x")["endpoints"] == []
