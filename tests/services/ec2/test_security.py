"""Security groups and their rules, network ACLs, prefix lists."""

from __future__ import annotations

from typing import Any

import pytest

from .region import Region

SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


@pytest.fixture
def vpc(region: Region) -> str:
    return region.vpc()


@pytest.fixture
def group(region: Region, vpc: str) -> str:
    return region.group(vpc)


def shown(region: Region, group: str) -> dict[str, Any]:
    return dict(region.call("DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"][0])


def test_rules_have_ids_and_show_as_permissions(region: Region, group: str) -> None:
    permission = {**SSH, "IpRanges": [{"CidrIp": "10.0.0.77/8", "Description": "inside"}, {"CidrIp": "192.168.0.0/16"}]}
    tags = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "b"}]}]
    rules = region.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission], TagSpecifications=tags)["SecurityGroupRules"]
    assert [rule["CidrIpv4"] for rule in rules] == ["10.0.0.0/8", "192.168.0.0/16"]
    assert all(rule["SecurityGroupRuleId"].startswith("sgr-") and rule["Tags"] for rule in rules)
    (found,) = shown(region, group)["IpPermissions"]
    assert found["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "inside"}, {"CidrIp": "192.168.0.0/16"}]
    identifier = rules[0]["SecurityGroupRuleId"]
    (rule,) = region.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[identifier])["SecurityGroupRules"]
    assert (rule["FromPort"], rule["ToPort"], rule["IsEgress"], rule["Description"]) == (22, 22, False, "inside")
    filters = [{"Name": "group-id", "Values": [group]}]
    assert len(region.call("DescribeSecurityGroupRules", Filters=filters)["SecurityGroupRules"]) == 3


def test_flat_members_and_duplicates(region: Region, group: str) -> None:
    region.call("AuthorizeSecurityGroupIngress", GroupId=group, CidrIp="10.0.0.0/8", **SSH)
    with region.refused("InvalidPermission.Duplicate", 'the specified rule "peer: 10.0.0.0/8, TCP, from port: 22, to port: 22, ALLOW" already exists'):
        region.call("AuthorizeSecurityGroupIngress", GroupId=group, CidrIp="10.0.0.0/8", IpProtocol="6", FromPort=22, ToPort=22)
    ranges = [{"CidrIp": "172.16.0.0/12"}, {"CidrIp": "172.16.0.0/12"}]
    with region.refused("InvalidPermission.Duplicate"):
        region.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[{**SSH, "IpRanges": ranges}])
    region.call("RevokeSecurityGroupIngress", GroupId=group, CidrIp="10.0.0.0/8", **SSH)
    with region.refused("InvalidPermission.NotFound"):
        region.call("RevokeSecurityGroupIngress", GroupId=group, CidrIp="10.0.0.0/8", **SSH)


def test_the_default_egress_rule_can_go(region: Region, group: str) -> None:
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    region.call("RevokeSecurityGroupEgress", GroupId=group, IpPermissions=[everything])
    assert shown(region, group)["IpPermissionsEgress"] == []
    with region.refused("InvalidPermission.NotFound"):
        region.call("RevokeSecurityGroupEgress", GroupId=group, IpPermissions=[{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ({"IpProtocol": "tcp", "FromPort": 80}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 70000}, "InvalidParameterValue"),
        ({"IpProtocol": "udp", "FromPort": 80, "ToPort": 79}, "InvalidParameterValue"),
        ({"IpProtocol": "quic", "FromPort": 80, "ToPort": 80}, "InvalidPermission.Malformed"),
        ({"IpProtocol": "300"}, "InvalidPermission.Malformed"),
        ({"IpProtocol": "\u00b2"}, "InvalidPermission.Malformed"),
        ({"IpProtocol": "\u0663"}, "InvalidPermission.Malformed"),
        ({**SSH, "IpRanges": [{"CidrIp": "ten"}]}, "InvalidParameterValue"),
        ({**SSH, "IpRanges": []}, "MissingParameter"),
        ({**SSH, "IpRanges": [], "UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]}, "InvalidGroup.NotFound"),
        ({**SSH, "IpRanges": [], "PrefixListIds": [{"PrefixListId": "pl-0123456789abcdef0"}]}, "InvalidPrefixListID.NotFound"),
    ],
)
def test_bad_permissions_are_refused(region: Region, group: str, permission: dict[str, Any], code: str) -> None:
    with region.refused(code):
        region.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[{"IpRanges": [{"CidrIp": "10.0.0.0/8"}], **permission}])


def test_references_block_deletion(region: Region, vpc: str, group: str) -> None:
    other = region.group(vpc, "db")
    pair = [{"GroupId": group}]
    region.call("AuthorizeSecurityGroupIngress", GroupId=other, IpPermissions=[{**SSH, "UserIdGroupPairs": pair}])
    region.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[{**SSH, "UserIdGroupPairs": pair}])
    assert shown(region, other)["IpPermissions"][0]["UserIdGroupPairs"] == [{"GroupId": group, "UserId": "111122223333"}]
    with region.refused("DependencyViolation", f"resource {group} has a dependent object"):
        region.call("DeleteSecurityGroup", GroupId=group)
    region.call("RevokeSecurityGroupIngress", GroupId=other, IpPermissions=[{**SSH, "UserIdGroupPairs": pair}])
    region.call("DeleteSecurityGroup", GroupId=group)
    with region.refused("InvalidGroup.NotFound", f"The security group '{group}' does not exist"):
        region.call("DescribeSecurityGroups", GroupIds=[group])


def test_groups_of_interfaces_stay(region: Region, vpc: str, group: str) -> None:
    region.call("CreateNetworkInterface", SubnetId=region.subnet(vpc, "10.0.0.0/24"), Groups=[group])
    with region.refused("DependencyViolation", group):
        region.call("DeleteSecurityGroup", GroupId=group)


def test_group_names(region: Region, vpc: str, group: str) -> None:
    with region.refused("InvalidGroup.Duplicate", "WEB"):
        region.group(vpc, "WEB")
    with region.refused("InvalidParameterValue"):
        region.group(vpc, "sg-mine")
    with region.refused("InvalidParameterValue", "default"):
        region.group(vpc, "default")
    with region.refused("VPCIdNotSpecified"):
        region.call("CreateSecurityGroup", GroupName="x", Description="x")
    region.group(region.vpc("10.7.0.0/16"), "web")
    (default,) = region.call("DescribeSecurityGroups", Filters=[{"Name": "group-name", "Values": ["default"]}, {"Name": "vpc-id", "Values": [vpc]}])[
        "SecurityGroups"
    ]
    with region.refused("CannotDelete", "cannot be deleted by a user"):
        region.call("DeleteSecurityGroup", GroupId=default["GroupId"])


def test_rules_can_be_changed_in_place(region: Region, vpc: str, group: str) -> None:
    (rule,) = region.call("AuthorizeSecurityGroupIngress", GroupId=group, CidrIp="10.0.0.0/8", **SSH)["SecurityGroupRules"]
    identifier = rule["SecurityGroupRuleId"]
    other = region.group(vpc, "db")
    wanted = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "ReferencedGroupId": other, "Description": "names"}
    region.call("ModifySecurityGroupRules", GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": identifier, "SecurityGroupRule": wanted}])
    (changed,) = region.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[identifier])["SecurityGroupRules"]
    assert (changed["IpProtocol"], changed["ReferencedGroupInfo"]["GroupId"], changed["Description"]) == ("udp", other, "names")
    assert "CidrIpv4" not in changed
    with region.refused("DependencyViolation"):
        region.call("DeleteSecurityGroup", GroupId=other)
    items = [{"SecurityGroupRuleId": identifier, "Description": "new"}]
    region.call("UpdateSecurityGroupRuleDescriptionsIngress", GroupId=group, SecurityGroupRuleDescriptions=items)
    assert shown(region, group)["IpPermissions"][0]["UserIdGroupPairs"][0]["Description"] == "new"
    open_ = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "out"}]}]
    region.call("UpdateSecurityGroupRuleDescriptionsEgress", GroupId=group, IpPermissions=open_)
    assert shown(region, group)["IpPermissionsEgress"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0", "Description": "out"}]
    with region.refused("InvalidSecurityGroupRuleId.NotFound"):
        region.call("UpdateSecurityGroupRuleDescriptionsEgress", GroupId=group, SecurityGroupRuleDescriptions=items)
    region.call("RevokeSecurityGroupIngress", GroupId=group, SecurityGroupRuleIds=[identifier])
    with region.refused("InvalidSecurityGroupRuleId.NotFound", identifier):
        region.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[identifier])


def test_protocol_numbers_and_icmp(region: Region, group: str) -> None:
    ranges = {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    for permission in ({"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}, {"IpProtocol": "50"}, {"IpProtocol": "-1"}):
        region.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[{**permission, **ranges}])
    found = [{key: item[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in item} for item in shown(region, group)["IpPermissions"]]
    assert sorted(found, key=str) == [{"IpProtocol": "-1"}, {"IpProtocol": "50"}, {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}]


# -- network ACLs --------------------------------------------------------------------------------------------------------------------------


def test_a_new_acl_denies_until_it_has_entries(region: Region, vpc: str) -> None:
    acl = region.call("CreateNetworkAcl", VpcId=vpc)["NetworkAcl"]
    assert [(entry["Egress"], entry["RuleAction"]) for entry in acl["Entries"]] == [(True, "deny"), (False, "deny")]
    named = {"NetworkAclId": acl["NetworkAclId"], "Egress": False}
    entry = {**named, "RuleNumber": 10, "Protocol": "tcp", "RuleAction": "allow", "CidrBlock": "10.0.0.9/8", "PortRange": {"From": 80, "To": 81}}
    region.call("CreateNetworkAclEntry", **entry)
    with region.refused("NetworkAclEntryAlreadyExists", "10"):
        region.call("CreateNetworkAclEntry", **entry)
    filters = [{"Name": "entry.rule-number", "Values": ["10"]}, {"Name": "entry.egress", "Values": ["false"]}]
    (found,) = region.call("DescribeNetworkAcls", Filters=filters)["NetworkAcls"]
    assert found["Entries"][1] == {
        "RuleNumber": 10, "Protocol": "6", "RuleAction": "allow", "Egress": False, "CidrBlock": "10.0.0.0/8", "PortRange": {"From": 80, "To": 81},
    }  # fmt: skip
    region.call("ReplaceNetworkAclEntry", **{**entry, "RuleAction": "deny"})
    region.call("DeleteNetworkAclEntry", **named, RuleNumber=10)
    with region.refused("InvalidNetworkAclEntry.NotFound"):
        region.call("DeleteNetworkAclEntry", **named, RuleNumber=10)
    with region.refused("InvalidNetworkAclEntry.NotFound"):
        region.call("DeleteNetworkAclEntry", **named, RuleNumber=32767)
    with region.refused("InvalidParameterValue"):
        region.call("CreateNetworkAclEntry", **{**entry, "RuleNumber": 32767})
    with region.refused("MissingParameter"):
        region.call("CreateNetworkAclEntry", **{**entry, "PortRange": {}})


def test_subnets_move_between_acls(region: Region, vpc: str) -> None:
    subnet = region.subnet(vpc, "10.0.0.0/24")
    acl = region.call("CreateNetworkAcl", VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (default,) = region.call("DescribeNetworkAcls", Filters=filters)["NetworkAcls"]
    association = default["Associations"][0]["NetworkAclAssociationId"]
    new = region.call("ReplaceNetworkAclAssociation", AssociationId=association, NetworkAclId=acl)["NewAssociationId"]
    (found,) = region.call("DescribeNetworkAcls", Filters=filters)["NetworkAcls"]
    assert (found["NetworkAclId"], found["Associations"][0]["NetworkAclAssociationId"]) == (acl, new)
    with region.refused("DependencyViolation", acl):
        region.call("DeleteNetworkAcl", NetworkAclId=acl)
    with region.refused("InvalidAssociationID.NotFound", association):
        region.call("ReplaceNetworkAclAssociation", AssociationId=association, NetworkAclId=acl)
    region.call("ReplaceNetworkAclAssociation", AssociationId=new, NetworkAclId=default["NetworkAclId"])
    region.call("DeleteNetworkAcl", NetworkAclId=acl)
    with region.refused("InvalidParameterValue", "default"):
        region.call("DeleteNetworkAcl", NetworkAclId=default["NetworkAclId"])


# -- prefix lists --------------------------------------------------------------------------------------------------------------------------


def test_the_lattice_list_is_in_every_region(region: Region, group: str) -> None:
    filters = [{"Name": "prefix-list-name", "Values": ["com.amazonaws.us-east-1.vpc-lattice"]}]
    (found,) = region.call("DescribeManagedPrefixLists", Filters=filters)["PrefixLists"]
    assert (found["OwnerId"], found["PrefixListArn"]) == ("AWS", f"arn:aws:ec2:us-east-1:aws:prefix-list/{found['PrefixListId']}")
    assert region.call("GetManagedPrefixListEntries", PrefixListId=found["PrefixListId"])["Entries"] == [{"Cidr": "169.254.171.0/24"}]
    (shown_list,) = region.call("DescribePrefixLists", Filters=filters)["PrefixLists"]
    assert shown_list["Cidrs"] == ["169.254.171.0/24"]
    peer = [{"PrefixListId": found["PrefixListId"]}]
    region.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[{**SSH, "PrefixListIds": peer}])
    with region.refused("OperationNotPermitted"):
        region.call("DeleteManagedPrefixList", PrefixListId=found["PrefixListId"])
    region.caller = region.caller.at("eu-west-1")
    elsewhere = region.call("DescribeManagedPrefixLists")["PrefixLists"]
    assert {found["PrefixListName"]: found["AddressFamily"] for found in elsewhere} == {
        "com.amazonaws.eu-west-1.vpc-lattice": "IPv4",
        "com.amazonaws.eu-west-1.ipv6.vpc-lattice": "IPv6",
    }
    region.vpc()
    assert sorted(region.call("DescribeManagedPrefixLists")["PrefixLists"], key=str) == sorted(elsewhere, key=str)


def test_aws_s_prefix_lists_show_their_blocks(region: Region) -> None:
    shown = {item["PrefixListName"].partition("us-east-1.")[2]: item["Cidrs"] for item in region.call("DescribePrefixLists")["PrefixLists"]}
    assert shown == {"vpc-lattice": ["169.254.171.0/24"], "ipv6.vpc-lattice": ["fd00:ec2:80::/64"]}


def test_prefix_lists_have_versions(region: Region, group: str) -> None:
    entries = [{"Cidr": "10.0.0.1/8", "Description": "a"}, {"Cidr": "192.168.0.0/16"}]
    made = region.call("CreateManagedPrefixList", PrefixListName="mine", AddressFamily="IPv4", MaxEntries=2, Entries=entries)["PrefixList"]
    assert (made["State"], made["Version"], made["MaxEntries"]) == ("create-complete", 1, 2)
    named = {"PrefixListId": made["PrefixListId"]}
    with region.refused("PrefixListMaxEntriesExceeded"):
        region.call("ModifyManagedPrefixList", **named, CurrentVersion=1, AddEntries=[{"Cidr": "172.16.0.0/12"}])
    with region.refused("PrefixListVersionMismatch", "1"):
        region.call("ModifyManagedPrefixList", **named, CurrentVersion=7, RemoveEntries=[{"Cidr": "10.0.0.0/8"}])
    with region.refused("InvalidParameterCombination"):
        region.call("ModifyManagedPrefixList", **named, CurrentVersion=1, MaxEntries=5, RemoveEntries=[{"Cidr": "10.0.0.0/8"}])
    change = region.call("ModifyManagedPrefixList", **named, CurrentVersion=1, RemoveEntries=[{"Cidr": "10.0.0.0/8"}], AddEntries=[{"Cidr": "172.16.0.0/12"}])
    assert change["PrefixList"]["Version"] == 2
    assert [entry["Cidr"] for entry in region.call("GetManagedPrefixListEntries", **named)["Entries"]] == ["192.168.0.0/16", "172.16.0.0/12"]
    assert region.call("GetManagedPrefixListEntries", **named, TargetVersion=1)["Entries"][0] == {"Cidr": "10.0.0.0/8", "Description": "a"}
    region.call("ModifyManagedPrefixList", **named, MaxEntries=9, PrefixListName="ours")
    assert region.call("DescribeManagedPrefixLists", PrefixListIds=[made["PrefixListId"]])["PrefixLists"][0]["PrefixListName"] == "ours"
    region.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[{**SSH, "PrefixListIds": [named]}])
    with region.refused("DependencyViolation", group):
        region.call("DeleteManagedPrefixList", **named)
    region.call("RevokeSecurityGroupIngress", GroupId=group, IpPermissions=[{**SSH, "PrefixListIds": [named]}])
    assert region.call("DeleteManagedPrefixList", **named)["PrefixList"]["State"] == "delete-complete"
    with region.refused("InvalidPrefixListID.NotFound"):
        region.call("GetManagedPrefixListEntries", **named)
