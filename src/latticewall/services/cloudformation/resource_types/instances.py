"""Types of instances, interfaces and security groups ("AWS::EC2 resource type reference")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.services.cloudformation.resource_types.ec2 import of_ec2
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work

EVERYTHING_OUT = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}
PEER = "IpProtocol FromPort ToPort CidrIp CidrIpv6 Description {0}PrefixListId {0}SecurityGroupId {0}SecurityGroupOwnerId"
RULE = "IpProtocol=! FromPort= ToPort= CidrIp= CidrIpv6= Description="
PORTS = ("IpProtocol", "FromPort", "ToPort")

# -- security groups -----------------------------------------------------------------------------------------------------------------------


def _permission(work: Work, rule: Mapping[str, Any], way: str) -> dict[str, Any]:
    """A rule of a template as an IpPermission with one peer."""
    side = "Source" if way == "Ingress" else "Destination"
    if rule.get(f"{side}SecurityGroupOwnerId", work.ctx.caller.account) != work.ctx.caller.account:
        raise Invalid("Security groups of other accounts cannot be referred to", fields=((f"{side}SecurityGroupOwnerId", "not supported"),))
    described: dict[str, Any] = {"Description": rule["Description"]} if rule.get("Description") else {}
    peers = {
        "IpRanges": {"CidrIp": rule.get("CidrIp")}, "Ipv6Ranges": {"CidrIpv6": rule.get("CidrIpv6")},
        "PrefixListIds": {"PrefixListId": rule.get(f"{side}PrefixListId")}, "UserIdGroupPairs": {"GroupId": rule.get(f"{side}SecurityGroupId")},
    }  # fmt: skip
    given: dict[str, Any] = {member: [{**peer, **described}] for member, peer in peers.items() if any(peer.values())}
    ports = {member: rule[member] for member in PORTS if rule.get(member) is not None}
    permission: dict[str, Any] = {**ports, **given}
    return dict(work.input(f"ec2:AuthorizeSecurityGroup{way}", {"IpPermissions": [permission]})["IpPermissions"][0])


def _permissions(work: Work, properties: Mapping[str, Any], way: str) -> list[dict[str, Any]]:
    """The rules of one direction; without rules for what goes out, everything may."""
    rules = properties.get(f"SecurityGroup{way}") or ([EVERYTHING_OUT] if way == "Egress" else [])
    return [_permission(work, rule, way) for rule in (rules if isinstance(rules, list) else [rules])]


def _set_rules(work: Work, group: str, old: list[dict[str, Any]], new: list[dict[str, Any]], way: str) -> None:
    gone, fresh = [rule for rule in old if rule not in new], [rule for rule in new if rule not in old]
    if gone:
        work.call(f"ec2:RevokeSecurityGroup{way}", {"GroupId": group, "IpPermissions": gone})
    if fresh:
        work.call(f"ec2:AuthorizeSecurityGroup{way}", {"GroupId": group, "IpPermissions": fresh})


def _make_group(work: Work, properties: Properties) -> Made:
    named: Properties = {"Description": properties["GroupDescription"], **{key: properties[key] for key in ("GroupName", "VpcId") if key in properties}}
    params = work.input("ec2:CreateSecurityGroup", named)
    specifications = [{"ResourceType": "security-group", "Tags": [{"Key": key, "Value": value} for key, value in work.tags.items()]}]
    group = work.call("ec2:CreateSecurityGroup", {**params, "TagSpecifications": specifications})["GroupId"]
    _set_rules(work, group, [], _permissions(work, properties, "Ingress"), "Ingress")
    _set_rules(work, group, [_permission(work, EVERYTHING_OUT, "Egress")], _permissions(work, properties, "Egress"), "Egress")
    return Made(group, group)


def _change_group(work: Work, made: Made, properties: Properties) -> None:
    for way in ("Ingress", "Egress"):
        _set_rules(work, made.row_id, _permissions(work, made.properties, way), _permissions(work, properties, way), way)


def _make_rule(way: str) -> Any:
    def make(work: Work, properties: Properties) -> Made:
        params = {"GroupId": properties["GroupId"], "IpPermissions": [_permission(work, properties, way)]}
        (rule,) = work.call(f"ec2:AuthorizeSecurityGroup{way}", params)["SecurityGroupRules"]
        return Made(rule["SecurityGroupRuleId"], rule["SecurityGroupRuleId"])

    return make


def _delete_rule(way: str) -> Any:
    def delete(work: Work, made: Made) -> None:
        work.call(f"ec2:RevokeSecurityGroup{way}", {"GroupId": made.properties["GroupId"], "SecurityGroupRuleIds": [made.row_id]})

    return delete


def _rule_type(way: str, side: str) -> ResourceType:
    return ResourceType(
        f"AWS::EC2::SecurityGroup{way}", f"GroupId=! {RULE} {side}PrefixListId= {side}SecurityGroupId=", kind="ec2:SecurityGroupRule",
        making=_make_rule(way), removing=_delete_rule(way), attributes={"Id": "@id"},
        by_hand=frozenset(f"GroupId {RULE.replace('=', '').replace('!', '')} {side}PrefixListId {side}SecurityGroupId".split()),
    )  # fmt: skip


# -- instances -----------------------------------------------------------------------------------------------------------------------------


def _launch(properties: Properties) -> Properties:
    """Properties as RunInstances takes them."""
    given = {**properties, "MinCount": 1, "MaxCount": 1}
    if profile := given.pop("IamInstanceProfile", None):
        given["IamInstanceProfile"] = {"Name": profile}
    if monitoring := given.pop("Monitoring", None):
        given["Monitoring"] = {"Enabled": monitoring}
    placement = {"AvailabilityZone": given.pop("AvailabilityZone", None), "Tenancy": given.pop("Tenancy", None)}
    if any(placement.values()):
        given["Placement"] = {key: value for key, value in placement.items() if value}
    return given


def _terminate(work: Work, made: Made) -> None:
    work.call("ec2:TerminateInstances", {"InstanceIds": [made.row_id]})


def _change_instance(work: Work, made: Made, properties: Properties) -> None:
    """Security groups, role and switches change while the instance runs."""
    old, operation = made.properties, "ec2:ModifyInstanceAttribute"
    groups = {"Groups": properties.get("SecurityGroupIds")}
    for member, changed in (("SecurityGroupIds", groups), *((name, {name: properties.get(name)}) for name in SWITCHES)):
        if properties.get(member) != old.get(member):
            given = changed if any(value is not None for value in changed.values()) else {member: SWITCHES.get(member)}
            work.call(operation, {"InstanceId": made.row_id, **work.input(operation, given)})
    if properties.get("IamInstanceProfile") != old.get("IamInstanceProfile"):
        _set_profile(work, made.row_id, properties.get("IamInstanceProfile"))


SWITCHES: Mapping[str, Any] = {
    "SourceDestCheck": True, "DisableApiTermination": False, "InstanceInitiatedShutdownBehavior": "stop",
}  # fmt: skip
"""What can be switched, and its default."""


def _set_profile(work: Work, instance_id: str, profile: str | None) -> None:
    filters = [{"Name": "instance-id", "Values": [instance_id]}, {"Name": "state", "Values": ["associated"]}]
    found = work.call("ec2:DescribeIamInstanceProfileAssociations", {"Filters": filters})["IamInstanceProfileAssociations"]
    if found and profile:
        params = {"AssociationId": found[0]["AssociationId"], "IamInstanceProfile": {"Name": profile}}
        work.call("ec2:ReplaceIamInstanceProfileAssociation", params)
    elif found:
        work.call("ec2:DisassociateIamInstanceProfile", {"AssociationId": found[0]["AssociationId"]})
    elif profile:
        work.call("ec2:AssociateIamInstanceProfile", {"InstanceId": instance_id, "IamInstanceProfile": {"Name": profile}})


def _switch_check(work: Work, made: Made) -> None:
    """RunInstances has no word for the source/destination check."""
    if str(made.properties.get("SourceDestCheck", True)).lower() == "false":
        work.call("ec2:ModifyInstanceAttribute", {"InstanceId": made.row_id, "SourceDestCheck": {"Value": False}})


TYPES = (
    ResourceType(
        "AWS::EC2::SecurityGroup", "GroupDescription=! GroupName= VpcId= SecurityGroupIngress SecurityGroupEgress", kind="ec2:SecurityGroup",
        making=_make_group, changing=_change_group, delete="ec2:DeleteSecurityGroup", key="GroupId=id", tagging="ec2", tag_type="security-group",
        name="GroupName:255", attributes={"GroupId": "@id", "Id": "@id", "VpcId": "VpcId"},
        by_hand=frozenset({"GroupDescription", "GroupName", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress"}),
        parts={"SecurityGroupIngress": PEER.format("Source"), "SecurityGroupEgress": PEER.format("Destination")},
    ),
    _rule_type("Ingress", "Source"),
    _rule_type("Egress", "Destination"),
    of_ec2(
        "Instance",
        "ImageId= InstanceType= SubnetId= AvailabilityZone= KeyName= PrivateIpAddress= NetworkInterfaces= SecurityGroupIds IamInstanceProfile UserData= "
        "Monitoring= DisableApiTermination SourceDestCheck InstanceInitiatedShutdownBehavior BlockDeviceMappings= EbsOptimized= CreditSpecification= "
        "Tenancy= MetadataOptions= PrivateDnsNameOptions= LaunchTemplate= SecurityGroups= HibernationOptions= EnclaveOptions= CpuOptions= "
        "Ipv6Addresses= Ipv6AddressCount=",
        create="ec2:RunInstances", delete="", made="Instances.0.InstanceId", tag_type="instance", before=_launch, settled=_switch_check,
        changing=_change_instance,
        removing=_terminate, renames={"GroupSet": "Groups"},
        by_hand=frozenset({"SourceDestCheck", "IamInstanceProfile", "Monitoring", "AvailabilityZone", "Tenancy"}),
        attributes={
            "InstanceId": "@id", "PrivateIp": "PrivateIpAddress", "PrivateDnsName": "PrivateDnsName", "PublicIp": "PublicIpAddress",
            "PublicDnsName": "PublicDnsName", "AvailabilityZone": "Placement.AvailabilityZone", "VpcId": "VpcId",
        },
    ),
    of_ec2(
        "NetworkInterface",
        "SubnetId=! GroupSet Description PrivateIpAddress= PrivateIpAddresses= SecondaryPrivateIpAddressCount= SourceDestCheck InterfaceType= "
        "Ipv6Addresses= Ipv6AddressCount=",
        tag_type="network-interface", renames={"GroupSet": "Groups"},
        settings={"SourceDestCheck": "ec2:ModifyNetworkInterfaceAttribute"},
        defaults={"SourceDestCheck": True, "Description": ""},
        updates={"GroupSet": "ec2:ModifyNetworkInterfaceAttribute", "Description": "ec2:ModifyNetworkInterfaceAttribute"},
        attributes={
            "Id": "@id", "VpcId": "VpcId", "PrimaryPrivateIpAddress": "PrivateIpAddress",
            "SecondaryPrivateIpAddresses": lambda ctx, made: [
                item["PrivateIpAddress"] for item in ctx.resolve("ec2:NetworkInterface", made.row_id).document["PrivateIpAddresses"][1:]
            ],
        },
    ),
)  # fmt: skip
