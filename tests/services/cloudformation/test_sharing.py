"""Types of AWS RAM, and resource policies of VPC Lattice, in stacks: made, changed in place, taken away."""

from __future__ import annotations

import json
from typing import Any

from .region import Region, client
from .test_stacks import template
from .test_types import att, come_and_go, of, ref

FIRST, SECOND, THIRD = "222233334444", "333344445555", "444455556666"


def shared(*principals: str, networks: tuple[str, ...], name: str, permission: bool, team: str) -> dict[str, Any]:
    given = {"PermissionArns": [ref("Look")]} if permission else {}
    return template(
        {"Arn": {"Value": att("Share", "Arn")}, "Owner": {"Value": att("Share", "OwningAccountId")}, "Kind": {"Value": att("Look", "PermissionType")}},
        A=of("VpcLattice::ServiceNetwork", Name="first"),
        B=of("VpcLattice::ServiceNetwork", Name="second"),
        Look=of("RAM::Permission", Name="look", ResourceType="vpc-lattice:ServiceNetwork",
                PolicyTemplate={"Effect": "Allow", "Action": ["vpc-lattice:GetServiceNetwork"]}),
        Share=of("RAM::ResourceShare", Name=name, Principals=list(principals), ResourceArns=[ref(network) for network in networks],
                 Tags=[{"Key": "team", "Value": team}], **given),
    )  # fmt: skip


def test_a_share_comes_changes_and_goes(region: Region) -> None:
    before = shared(FIRST, SECOND, networks=("A",), name="one", permission=True, team="red")
    come_and_go(region, before, shared(SECOND, THIRD, networks=("B",), name="two", permission=False, team="blue"))
    outputs, ram = region.outputs(), client("ram")
    (share,) = ram.get_resource_shares(resourceOwner="SELF")["resourceShares"]
    assert (outputs["Arn"], outputs["Owner"], outputs["Kind"]) == (region.physical("Share"), share["owningAccountId"], "CUSTOMER_MANAGED")
    assert (share["resourceShareArn"], share["name"]) == (outputs["Arn"], "two")
    assert {"key": "team", "value": "blue"} in share["tags"]
    for type_, names in (("PRINCIPAL", [SECOND, THIRD]), ("RESOURCE", [region.physical("B")])):
        found = ram.get_resource_share_associations(associationType=type_)["resourceShareAssociations"]
        assert sorted(one["associatedEntity"] for one in found) == names
    (held,) = ram.list_resource_share_permissions(resourceShareArn=outputs["Arn"])["permissions"]
    assert held["permissionType"] == "AWS_MANAGED"
    assert region.deploy(before) == "UPDATE_COMPLETE", region.reasons()
    (held,) = ram.list_resource_share_permissions(resourceShareArn=outputs["Arn"])["permissions"]
    assert held["name"] == "look"
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert not region.counts()


def test_a_resource_policy_comes_changes_and_goes(region: Region) -> None:
    def granted(account: str) -> dict[str, Any]:
        statement = {
            "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": ["vpc-lattice:GetServiceNetwork"],
            "Resource": att("Network", "Arn"),
        }  # fmt: skip
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        return template(
            Network=of("VpcLattice::ServiceNetwork", Name="mesh"),
            Grant=of("VpcLattice::ResourcePolicy", ResourceArn=att("Network", "Arn"), Policy=policy),
        )  # fmt: skip

    come_and_go(region, granted(FIRST), granted(SECOND))
    arn = region.physical("Network")
    assert region.physical("Grant") == arn
    policy = json.loads(region.lattice.get_resource_policy(resourceArn=arn)["policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{SECOND}:root"}
    assert region.deploy(template(Network=of("VpcLattice::ServiceNetwork", Name="mesh"))) == "UPDATE_COMPLETE", region.reasons()
    assert "policy" not in region.lattice.get_resource_policy(resourceArn=arn)
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
