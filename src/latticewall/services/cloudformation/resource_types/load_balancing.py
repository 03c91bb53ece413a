"""Types of Elastic Load Balancing ("AWS::ElasticLoadBalancingV2 resource type reference"). Ref is the ARN."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from latticewall.base.faults import NotFound
from latticewall.services.cloudformation.resource_types.row import Attribute, Made, Properties, ResourceType, Work


def _type(noun: str, api: str, properties: str, *, attributes: Mapping[str, Attribute], **more: Any) -> ResourceType:
    """noun: CloudFormation's, api: the service's own."""
    return ResourceType(
        f"AWS::ElasticLoadBalancingV2::{noun}", properties,
        **{
            "kind": f"elbv2:{api}", "create": f"elbv2:Create{api}", "made": f"{api}s.0.{api}Arn", "ref": "arn", "key": f"{api}Arn=arn",
            "update": f"elbv2:Modify{api}", "delete": f"elbv2:Delete{api}", "tagging": "balancing", "attributes": {f"{api}Arn": "@arn", **attributes}, **more,
        },
    )  # fmt: skip


def _register(work: Work, made: Made) -> None:
    _set_targets(work, made.physical_id, [], _targets(work, made.properties))


def _targets(work: Work, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(work.input("elbv2:RegisterTargets", {"Targets": properties.get("Targets") or []}).get("Targets") or [])


def _set_targets(work: Work, arn: str, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    for operation, targets in (("DeregisterTargets", [one for one in old if one not in new]), ("RegisterTargets", [one for one in new if one not in old])):
        if targets:
            work.call(f"elbv2:{operation}", {"TargetGroupArn": arn, "Targets": targets})


def _change_group(work: Work, made: Made, properties: Properties) -> None:
    """Health check, attributes and targets: each by an operation of its own."""
    changed = {name: value for name, value in properties.items() if made.properties.get(name) != value}
    check = {name: value for name, value in changed.items() if name.startswith(("Health", "Unhealthy", "Matcher"))}
    for operation, wanted, renames in (
        ("elbv2:ModifyTargetGroup", check, {}),
        ("elbv2:ModifyTargetGroupAttributes", {name: value for name, value in changed.items() if name in ATTRIBUTES}, ATTRIBUTES),
    ):
        if wanted:
            work.call(operation, {"TargetGroupArn": made.physical_id, **work.input(operation, wanted, renames)})
    _set_targets(work, made.physical_id, _targets(work, made.properties), _targets(work, properties))


def _change_rule(work: Work, made: Made, properties: Properties) -> None:
    if properties.get("Priority") != made.properties.get("Priority"):
        given = work.input("elbv2:CreateRule", {"Priority": properties["Priority"]})
        work.call("elbv2:SetRulePriorities", {"RulePriorities": [{"RuleArn": made.physical_id, **given}]})
    mutable: Properties = {name: properties[name] for name in ("Actions", "Conditions") if name in properties}
    work.call("elbv2:ModifyRule", {"RuleArn": made.physical_id, **work.input("elbv2:ModifyRule", mutable)})


def _certificates(properties: Mapping[str, Any]) -> list[str]:
    return [str(item.get("CertificateArn") or "") for item in properties["Certificates"]]


def _add_certificates(work: Work, properties: Properties) -> Made:
    """A part of its listener."""
    _set_certificates(work, properties["ListenerArn"], [], _certificates(properties))
    return Made(work.name(128), properties=properties)


def _change_certificates(work: Work, made: Made, properties: Properties) -> None:
    _set_certificates(work, properties["ListenerArn"], _certificates(made.properties), _certificates(properties))


def _remove_certificates(work: Work, made: Made) -> None:
    """A listener that is gone has none."""
    with suppress(NotFound):
        _set_certificates(work, made.properties["ListenerArn"], _certificates(made.properties), [])


def _set_certificates(work: Work, listener: str, old: list[str], new: list[str]) -> None:
    for operation, arns in (("AddListenerCertificates", new), ("RemoveListenerCertificates", old)):
        for arn in arns:
            if (arn in new) != (arn in old):
                work.call(f"elbv2:{operation}", {"ListenerArn": listener, "Certificates": [{"CertificateArn": arn}]})


ATTRIBUTES = {"LoadBalancerAttributes": "Attributes", "TargetGroupAttributes": "Attributes", "ListenerAttributes": "Attributes"}
TYPES = (
    _type(
        "LoadBalancer", "LoadBalancer", "Name= Scheme= Type= Subnets SubnetMappings= SecurityGroups IpAddressType LoadBalancerAttributes", name="Name:32",
        update="", renames=ATTRIBUTES, settings={"LoadBalancerAttributes": "elbv2:ModifyLoadBalancerAttributes"},
        updates={"SecurityGroups": "elbv2:SetSecurityGroups", "Subnets": "elbv2:SetSubnets", "IpAddressType": "elbv2:SetIpAddressType"},
        attributes={
            "DNSName": "DNSName", "CanonicalHostedZoneID": "CanonicalHostedZoneId", "LoadBalancerFullName": "@id", "LoadBalancerName": "@name",
            "SecurityGroups": "SecurityGroups",
        },
    ),
    _type(
        "TargetGroup", "TargetGroup",
        "Name= Port= Protocol= ProtocolVersion= VpcId= TargetType= IpAddressType= HealthCheckEnabled HealthCheckIntervalSeconds HealthCheckPath "
        "HealthCheckPort HealthCheckProtocol HealthCheckTimeoutSeconds HealthyThresholdCount UnhealthyThresholdCount Matcher Targets TargetGroupAttributes",
        name="Name:32", renames=ATTRIBUTES, settings={"TargetGroupAttributes": "elbv2:ModifyTargetGroupAttributes"}, settled=_register,
        changing=_change_group, by_hand=frozenset({"Targets"}), parts={"Targets": "Id Port AvailabilityZone"},
        attributes={
            "TargetGroupName": "@name", "TargetGroupFullName": lambda ctx, made: f"targetgroup/{made.row_id}",  # noqa: ARG005 - the signature of an attribute
            "LoadBalancerArns": "LoadBalancerArns",
        },
    ),
    _type(
        "Listener", "Listener", "LoadBalancerArn=! Port! Protocol! DefaultActions! Certificates SslPolicy ListenerAttributes", attributes={},
        renames=ATTRIBUTES, settings={"ListenerAttributes": "elbv2:ModifyListenerAttributes"},
    ),
    ResourceType(
        "AWS::ElasticLoadBalancingV2::ListenerCertificate", "ListenerArn=! Certificates!", making=_add_certificates, changing=_change_certificates,
        removing=_remove_certificates, by_hand=frozenset({"ListenerArn", "Certificates"}), parts={"Certificates": "CertificateArn"},
        attributes={"Id": "@ref"},
    ),
    _type(
        "ListenerRule", "Rule", "ListenerArn=! Priority! Conditions! Actions!", changing=_change_rule, attributes={"IsDefault": "IsDefault"},
    ),
)  # fmt: skip
