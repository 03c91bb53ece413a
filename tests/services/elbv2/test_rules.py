"""Listeners, their rules, conditions and actions."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import Region

from .pieces import balancer, fixed, forward, group, listener, network, rule


def test_a_listener_and_its_default_rule(region: Region) -> None:
    vpc, one, two = network(region)
    lb, target = balancer(region, one, two)["LoadBalancerArn"], group(region, vpc)
    made = listener(region, lb, forward(target))
    (shown,) = region.elbv2.describe_listeners(LoadBalancerArn=lb)["Listeners"]
    assert (shown["ListenerArn"], shown["Port"], shown["Protocol"], shown["LoadBalancerArn"]) == (made, 80, "HTTP", lb)
    assert shown["DefaultActions"] == [
        {
            "Type": "forward", "TargetGroupArn": target,
            "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": target, "Weight": 1}], "TargetGroupStickinessConfig": {"Enabled": False}},
        }
    ]  # fmt: skip
    assert region.elbv2.describe_target_groups(LoadBalancerArn=lb)["TargetGroups"][0]["LoadBalancerArns"] == [lb]
    with region.refused("ResourceInUse", "in use"):
        region.elbv2.delete_target_group(TargetGroupArn=target)
    with region.refused("DuplicateListener"):
        listener(region, lb)
    (default,) = region.elbv2.describe_rules(ListenerArn=made)["Rules"]
    assert (default["Priority"], default["IsDefault"], default["Conditions"]) == ("default", True, [])
    for call in (region.elbv2.delete_rule, region.elbv2.modify_rule):
        with region.refused("OperationNotPermitted", "efault rule"):
            call(RuleArn=default["RuleArn"])
    region.elbv2.modify_listener(ListenerArn=made, Port=81, DefaultActions=[fixed("503")])
    (shown,) = region.elbv2.describe_listeners(ListenerArns=[made])["Listeners"]
    assert (shown["Port"], shown["DefaultActions"][0]["FixedResponseConfig"]) == (81, {"StatusCode": "503"})
    region.elbv2.delete_target_group(TargetGroupArn=target)
    region.elbv2.delete_listener(ListenerArn=made)
    with region.refused("ListenerNotFound"):
        region.elbv2.describe_rules(ListenerArn=made)


def test_rules_by_priority_that_change_places(region: Region) -> None:
    _, one, two = network(region)
    made = listener(region, balancer(region, one, two)["LoadBalancerArn"])
    second, first = rule(region, made, 20), rule(region, made, 10)
    with region.refused("PriorityInUse", "'10'"):
        rule(region, made, 10)
    assert [item["Priority"] for item in region.elbv2.describe_rules(ListenerArn=made)["Rules"]] == ["10", "20", "default"]
    with region.refused("PriorityInUse"):
        region.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": first, "Priority": 20}])
    region.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": first, "Priority": 20}, {"RuleArn": second, "Priority": 10}])
    assert [item["RuleArn"] for item in region.elbv2.describe_rules(ListenerArn=made)["Rules"]][:2] == [second, first]
    region.elbv2.modify_rule(RuleArn=first, Conditions=[{"Field": "host-header", "Values": ["*.example.com"]}])
    (shown,) = region.elbv2.describe_rules(RuleArns=[first])["Rules"]
    assert shown["Conditions"] == [{"Field": "host-header", "Values": ["*.example.com"], "HostHeaderConfig": {"Values": ["*.example.com"]}}]
    region.elbv2.delete_rule(RuleArn=first)
    with region.refused("RuleNotFound"):
        region.elbv2.describe_rules(RuleArns=[first])


@pytest.mark.parametrize(
    ("condition", "code", "words"),
    [
        ({"Field": "cookie", "Values": ["a"]}, "ValidationError", "cookie"),
        ({"Field": "path-pattern"}, "ValidationError", "at least one value"),
        ({"Field": "path-pattern", "Values": ["/a b"]}, "ValidationError", "characters"),
        ({"Field": "path-pattern", "Values": ["/a\n"]}, "ValidationError", "characters"),
        ({"Field": "host-header", "Values": ["a" * 129]}, "ValidationError", "128"),
        ({"Field": "path-pattern", "Values": ["/" + "*" * 7]}, "ValidationError", "wildcard"),
        ({"Field": "path-pattern", "Values": [f"/{at}" for at in range(6)]}, "ValidationError", "5 condition values"),
        ({"Field": "path-pattern", "RegexValues": ["/a"]}, "InvalidConfigurationRequest", "regular"),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1/8"]}}, "ValidationError", "10.0.0.1/8"),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["get"]}}, "ValidationError", "get"),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "Host", "Values": ["a"]}}, "ValidationError", "Host"),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a"}]}}, "ValidationError", "query string"),
    ],
)
def test_conditions_that_cannot_be(region: Region, condition: dict[str, Any], code: str, words: str) -> None:
    _, one, two = network(region)
    made = listener(region, balancer(region, one, two)["LoadBalancerArn"])
    with region.refused(code, words):
        rule(region, made, 1, condition)


def _redirect(**more: str) -> dict[str, Any]:
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **more}}


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ({"Type": "authenticate-oidc"}, "InvalidConfigurationRequest", "authenticate-oidc"),
        (fixed("302"), "ValidationError", ""),
        (fixed("200", ContentType="image/png"), "ValidationError", "image/png"),
        (_redirect(), "InvalidLoadBalancerAction", "itself"),
        (_redirect(Port="0"), "ValidationError", "Port '0'".lower()),
        (_redirect(Path="/a%0d\r\n"), "ValidationError", "path"),
        (_redirect(Host="a.b/c"), "ValidationError", "host"),
        ({"Type": "forward"}, "ValidationError", "target group"),
        (forward("arn:aws:elasticloadbalancing:eu-north-7:111122223333:targetgroup/a/0123456789abcdef"), "TargetGroupNotFound", "targetgroup/a"),
    ],
)
def test_actions_that_cannot_be(region: Region, action: dict[str, Any], code: str, words: str) -> None:
    _, one, two = network(region)
    lb = balancer(region, one, two)["LoadBalancerArn"]
    with region.refused(code, words):
        listener(region, lb, action)


def test_a_target_group_has_one_load_balancer_of_its_vpc(region: Region) -> None:
    vpc, one, two = network(region)
    target, far = group(region, vpc), group(region, region.vpc("10.9.0.0/16"), "far")
    first, second = (balancer(region, one, two, name=name)["LoadBalancerArn"] for name in ("first", "second"))
    listener(region, first, forward(target))
    with region.refused("TargetGroupAssociationLimit"):
        listener(region, second, forward(target))
    with region.refused("InvalidConfigurationRequest", "different VPCs"):
        listener(region, second, forward(far))
    with region.refused("UnsupportedProtocol", "TCP"):
        region.elbv2.create_listener(LoadBalancerArn=second, Protocol="TCP", Port=443, DefaultActions=[fixed()])


def test_http_2_is_for_https_listeners(region: Region) -> None:
    vpc, one, two = network(region)
    plain, rpc = group(region, vpc), group(region, vpc, "rpc", ProtocolVersion="GRPC")
    lb = balancer(region, one, two)["LoadBalancerArn"]
    made = listener(region, lb, forward(plain))
    own = rule(region, made, 1)
    elb = region.elbv2
    for call in (
        lambda: listener(region, lb, forward(rpc), port=81),
        lambda: rule(region, made, 2, None, forward(rpc)),
        lambda: elb.modify_rule(RuleArn=own, Actions=[forward(rpc)]),
        lambda: elb.modify_listener(ListenerArn=made, DefaultActions=[forward(plain, rpc, weights=(1, 0))]),
    ):
        with region.refused("InvalidLoadBalancerAction", "Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'GRPC'"):
            call()
