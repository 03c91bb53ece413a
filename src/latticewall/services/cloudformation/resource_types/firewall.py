"""Types of Network Firewall ("AWS::NetworkFirewall resource type reference"). Ref is the ARN."""

from __future__ import annotations

from typing import Any

from latticewall.resources.context import Context
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work


def _change_body(noun: str) -> Any:
    """Update of a rule group or policy: whole, with the token of its present version."""

    def change(work: Work, made: Made, properties: Properties) -> None:
        token = work.call(f"network-firewall:Describe{noun}", {f"{noun}Arn": made.physical_id})["UpdateToken"]
        taken = {key: value for key, value in properties.items() if key in (noun, "Description")}
        given = work.input(f"network-firewall:Update{noun}", {"Description": "", **taken})
        work.call(f"network-firewall:Update{noun}", {f"{noun}Arn": made.physical_id, "UpdateToken": token, **given})

    return change


def _endpoint_ids(ctx: Context, made: Made) -> list[str]:
    """ "zone:vpce-id" of every endpoint, in the order of SubnetMappings."""
    answer = ctx.call("network-firewall:DescribeFirewall", {"FirewallArn": made.physical_id})
    states = answer["FirewallStatus"]["SyncStates"]
    by_subnet = {state["Attachment"]["SubnetId"]: f"{zone}:{state['Attachment']['EndpointId']}" for zone, state in states.items()}
    return [by_subnet[mapping["SubnetId"]] for mapping in answer["Firewall"]["SubnetMappings"]]


def _change_firewall(work: Work, made: Made, properties: Properties) -> None:
    """Policy, subnets and protections; protections are lifted before and set after what they guard."""
    arn, old = {"FirewallArn": made.physical_id}, made.properties

    def protect(member: str, operation: str) -> None:
        if properties.get(member) != old.get(member):
            work.call(f"network-firewall:{operation}", {**arn, **work.input(f"network-firewall:{operation}", {member: properties.get(member, False)})})

    guards = {
        "SubnetChangeProtection": "UpdateSubnetChangeProtection", "FirewallPolicyChangeProtection": "UpdateFirewallPolicyChangeProtection",
        "DeleteProtection": "UpdateFirewallDeleteProtection",
    }  # fmt: skip
    lifted = [member for member in guards if str(properties.get(member, False)).lower() == "false"]
    for member in lifted:
        protect(member, guards[member])
    if properties["FirewallPolicyArn"] != old["FirewallPolicyArn"]:
        work.call("network-firewall:AssociateFirewallPolicy", {**arn, "FirewallPolicyArn": properties["FirewallPolicyArn"]})
    before = {mapping["SubnetId"] for mapping in old["SubnetMappings"]}
    after = [mapping for mapping in properties["SubnetMappings"] if mapping["SubnetId"] not in before]
    gone = sorted(before - {mapping["SubnetId"] for mapping in properties["SubnetMappings"]})
    if after:
        work.call("network-firewall:AssociateSubnets", {**arn, **work.input("network-firewall:AssociateSubnets", {"SubnetMappings": after})})
    if gone:
        work.call("network-firewall:DisassociateSubnets", {**arn, "SubnetIds": gone})
    if properties.get("Description") != old.get("Description"):
        work.call("network-firewall:UpdateFirewallDescription", {**arn, "Description": properties.get("Description", "")})
    for member in guards:
        if member not in lifted:
            protect(member, guards[member])


# -- logging -------------------------------------------------------------------------------------------------------------------------------


def _firewall(properties: Properties) -> dict[str, Any]:
    return {key: properties[key] for key in ("FirewallArn", "FirewallName") if properties.get(key)}


def _set_logging(work: Work, firewall: dict[str, Any], wanted: list[Any]) -> None:
    """The API takes one change per call: a destination is added, changed or removed at a time."""
    answer = work.call("network-firewall:DescribeLoggingConfiguration", firewall)
    present = list((answer.get("LoggingConfiguration") or {}).get("LogDestinationConfigs") or ())
    kinds = {item["LogType"]: item["LogDestinationType"] for item in wanted}
    for item in [one for one in present if kinds.get(one["LogType"]) != one["LogDestinationType"]]:
        present = [one for one in present if one is not item]
        _update(work, firewall, present)
    for item in wanted:
        if item in present:
            continue
        present = [one for one in present if one["LogType"] != item["LogType"]] + [item]
        _update(work, firewall, present)


def _update(work: Work, firewall: dict[str, Any], configs: list[Any]) -> None:
    work.call("network-firewall:UpdateLoggingConfiguration", {**firewall, "LoggingConfiguration": {"LogDestinationConfigs": configs}})


def _configs(work: Work, properties: Properties) -> list[Any]:
    given = work.input("network-firewall:UpdateLoggingConfiguration", {"LoggingConfiguration": properties["LoggingConfiguration"]})
    return list(given["LoggingConfiguration"].get("LogDestinationConfigs") or ())


def _make_logging(work: Work, properties: Properties) -> Made:
    _set_logging(work, _firewall(properties), _configs(work, properties))
    return Made(str(properties.get("FirewallArn") or properties.get("FirewallName")))


def _change_logging(work: Work, made: Made, properties: Properties) -> None:
    _set_logging(work, _firewall(made.properties), _configs(work, properties))


def _delete_logging(work: Work, made: Made) -> None:
    _set_logging(work, _firewall(made.properties), [])


def _type(noun: str, properties: str, **more: Any) -> ResourceType:
    return ResourceType(
        f"AWS::NetworkFirewall::{noun}", properties, kind=f"network-firewall:{noun}", create=f"network-firewall:Create{noun}", ref="arn",
        key=f"{noun}Arn=arn", name=f"{noun}Name:128", delete=f"network-firewall:Delete{noun}", tagging="firewall", **more,
    )  # fmt: skip


TYPES = (
    _type(
        "RuleGroup", "RuleGroupName=! Type=! Capacity=! RuleGroup Description SummaryConfiguration", made="RuleGroupResponse.RuleGroupArn",
        changing=_change_body("RuleGroup"), attributes={"RuleGroupArn": "@arn", "RuleGroupId": "@id"},
    ),
    _type(
        "FirewallPolicy", "FirewallPolicyName=! FirewallPolicy! Description", made="FirewallPolicyResponse.FirewallPolicyArn",
        changing=_change_body("FirewallPolicy"), attributes={"FirewallPolicyArn": "@arn", "FirewallPolicyId": "@id"},
    ),
    _type(
        "Firewall",
        "FirewallName=! FirewallPolicyArn! VpcId=! SubnetMappings! DeleteProtection SubnetChangeProtection FirewallPolicyChangeProtection Description "
        "EnabledAnalysisTypes=",
        made="Firewall.FirewallArn", changing=_change_firewall,
        attributes={"FirewallArn": "@arn", "FirewallId": "@id", "EndpointIds": _endpoint_ids},
    ),
    ResourceType(
        "AWS::NetworkFirewall::LoggingConfiguration", "FirewallArn=! FirewallName= LoggingConfiguration!",
        create="network-firewall:UpdateLoggingConfiguration", making=_make_logging, changing=_change_logging, removing=_delete_logging,
    ),
)  # fmt: skip
