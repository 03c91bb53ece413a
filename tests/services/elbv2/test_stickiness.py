"""What target groups and rules may say of sticky sessions, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import NAME, Region

from latticewall.compile.stickiness import stickiness
from latticewall.plan.load_balancers import Stickiness
from latticewall.world.from_rows import build_world

from .pieces import balancer, forward, group, listener, network, rule


def stick(region: Region, arn: str, **attributes: str) -> None:
    found = [{"Key": f"stickiness.{key.replace('__', '.')}", "Value": value} for key, value in attributes.items()]
    region.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=found)


@pytest.mark.parametrize(
    ("code", "attributes"),
    [
        ("stickiness.lb_cookie.duration_seconds", {"lb_cookie__duration_seconds": "0"}),
        ("stickiness.lb_cookie.duration_seconds", {"lb_cookie__duration_seconds": "604801"}),
        ("stickiness.type", {"type": "source_ip"}),
        ("stickiness.app_cookie.cookie_name", {"app_cookie__cookie_name": "a b"}),
        ("reserved", {"app_cookie__cookie_name": "AWSALB"}),
        ("reserved", {"app_cookie__cookie_name": "AWSALBTGx"}),
        ("needs the name of a cookie", {"enabled": "true", "type": "app_cookie"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value.rpartition(".")[2],
)
def test_attributes_that_cannot_be(region: Region, code: str, attributes: dict[str, str]) -> None:
    arn = group(region, region.vpc())
    with region.refused("InvalidConfigurationRequest", code):
        stick(region, arn, **attributes)


def test_rules_and_their_groups_agree(region: Region) -> None:
    vpc, one, two = network(region)
    arn = balancer(region, one, two)["LoadBalancerArn"]
    first, second = group(region, vpc, "first"), group(region, vpc, "second")
    port = listener(region, arn)
    both: dict[str, Any] = forward(first, second, weights=(1, 0))
    sticky = {**both, "ForwardConfig": {**both["ForwardConfig"], "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}}
    for config in ({"Enabled": True}, {"Enabled": True, "DurationSeconds": 0}, {"Enabled": False, "DurationSeconds": 604801}):
        with region.refused("ValidationError", "duration"):
            rule(region, port, 1, None, {**both, "ForwardConfig": {**both["ForwardConfig"], "TargetGroupStickinessConfig": config}})
    stick(region, first, enabled="true")
    with region.refused("InvalidConfigurationRequest", "You must enable group stickiness"):
        rule(region, port, 1, None, both)
    made = rule(region, port, 1, None, sticky)
    (shown,) = region.elbv2.describe_rules(RuleArns=[made])["Rules"][0]["Actions"]
    assert shown["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 60}
    stick(region, second, enabled="true", type="app_cookie", app_cookie__cookie_name="APP", app_cookie__duration_seconds="9")
    stick(region, first, enabled="false")
    with region.store.read() as snapshot:
        world = build_world(snapshot.rows(), NAME, 1, "2026-01-02T03:04:00.000Z")
    groups = [(group.id, group) for group in sorted(world.load_balancer_target_groups, key=lambda group: group.id)]
    ids = [name for name, _ in groups]
    assert stickiness(sticky, groups) == (
        Stickiness(ids[0], ids[0], group_seconds=60), Stickiness(ids[1], ids[1], "app_cookie", "AWSALBAPP-1", "APP", 9, 60),
    )  # fmt: skip
    assert stickiness(both, groups[:1]) == ()
    stick(region, second, enabled="false")
    region.elbv2.modify_rule(RuleArn=made, Actions=[both])
    with region.refused("InvalidConfigurationRequest", "appears behind a rule with group stickiness disabled"):
        stick(region, first, enabled="true")
