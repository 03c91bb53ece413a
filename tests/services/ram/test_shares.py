"""Shares, and who they are open to: accounts, units and the organization, as they are at the moment."""

from __future__ import annotations

import json

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from .accounts import STRANGER, Sharing


@pytest.fixture
def sharing(region: Region) -> Sharing:
    return Sharing(region)


def unit_arn(sharing: Sharing) -> str:
    return str(sharing.unit["Arn"])


@pytest.mark.parametrize("whom", ["account", "unit", "organization"])
def test_a_share_opens_a_network_to_its_principals(sharing: Sharing, whom: str) -> None:
    network = sharing.network()
    assert sharing.seen(sharing.dev) == []
    to = {"account": sharing.dev, "unit": unit_arn(sharing), "organization": sharing.organization["Arn"]}[whom]
    share = sharing.share(network["arn"], to=to)
    assert (share["status"], share["allowExternalPrincipals"], share["owningAccountId"]) == ("ACTIVE", True, sharing.owner)
    assert sharing.seen(sharing.dev) == ["mesh"]
    assert sharing.lattice(sharing.dev).get_service_network(serviceNetworkIdentifier=network["arn"])["name"] == "mesh"
    assert sharing.seen(ACCOUNT) == (["mesh"] if whom == "organization" else [])
    assert sharing.seen(STRANGER) == []
    associations = sharing.ram().get_resource_share_associations(associationType="PRINCIPAL")["resourceShareAssociations"]
    assert [(one["associatedEntity"], one["status"], one["external"]) for one in associations] == [(to, "ASSOCIATED", False)]
    sharing.ram().delete_resource_share(resourceShareArn=share["resourceShareArn"])
    assert sharing.seen(sharing.dev) == []
    assert sharing.ram().get_resource_shares(resourceOwner="SELF")["resourceShares"] == []


def test_accounts_come_under_a_share_and_leave_it_as_they_move(sharing: Sharing) -> None:
    sharing.share(sharing.network()["arn"], to=unit_arn(sharing))
    sharing.move(sharing.dev, sharing.root)
    assert sharing.seen(sharing.dev) == []
    inner = sharing.organizations.create_organizational_unit(ParentId=sharing.unit["Id"], Name="web")["OrganizationalUnit"]
    sharing.move(sharing.dev, inner["Id"])
    assert sharing.seen(sharing.dev) == ["mesh"]
    sharing.organizations.remove_account_from_organization(AccountId=sharing.dev)
    assert sharing.seen(sharing.dev) == []


def test_an_account_that_leaves_the_organization_leaves_its_shares(sharing: Sharing) -> None:
    sharing.share(sharing.network()["arn"], to=sharing.dev)
    sharing.organizations.remove_account_from_organization(AccountId=sharing.dev)
    assert sharing.seen(sharing.dev) == []


def test_an_organization_that_the_owner_has_left_for_another_is_served_no_more(sharing: Sharing) -> None:
    sharing.share(sharing.network()["arn"], to=sharing.organization["Arn"])
    assert sharing.seen(sharing.dev) == ["mesh"]
    sharing.organizations.remove_account_from_organization(AccountId=sharing.owner)
    client("organizations", sharing.owner).create_organization()
    sharing.ram().enable_sharing_with_aws_organization()
    assert sharing.seen(sharing.dev) == []


def test_a_share_with_ones_own_organization_is_no_share_of_others(sharing: Sharing) -> None:
    sharing.share(sharing.network()["arn"], to=sharing.organization["Arn"])
    shown = {account: sharing.ram(account).get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"] for account in (sharing.owner, sharing.dev)}
    assert (len(shown[sharing.owner]), len(shown[sharing.dev])) == (0, 1)


def test_shares_with_the_organization_end_when_it_no_longer_trusts_ram(sharing: Sharing) -> None:
    sharing.share(sharing.network()["arn"], to=sharing.organization["Arn"])
    sharing.organizations.disable_aws_service_access(ServicePrincipal="ram.amazonaws.com")
    assert sharing.seen(sharing.dev) == []


def test_who_may_enable_sharing(region: Region) -> None:
    sharing = Sharing(region, enabled=False)
    network = sharing.network()["arn"]
    with region.refused("OperationNotPermittedException", "management account"):
        sharing.ram(sharing.dev).enable_sharing_with_aws_organization()
    with region.refused("OperationNotPermittedException", "management account"):
        sharing.ram(STRANGER).enable_sharing_with_aws_organization()
    with region.refused("OperationNotPermittedException", "can only be shared within your AWS Organization"):
        sharing.share(network, to=sharing.organization["Arn"])
    assert sharing.ram(ACCOUNT).enable_sharing_with_aws_organization()["returnValue"] is True
    trusted = sharing.organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert [one["ServicePrincipal"] for one in trusted] == ["ram.amazonaws.com"]
    assert region.iam.get_role(RoleName="AWSServiceRoleForResourceAccessManager")["Role"]["Path"] == "/aws-service-role/ram.amazonaws.com/"
    sharing.share(network, to=sharing.organization["Arn"])


def test_what_cannot_be_shared_and_with_whom(region: Region, sharing: Sharing) -> None:
    network = sharing.network()["arn"]
    vpc = client("ec2", sharing.owner).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = client("ec2", sharing.owner).create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetArn"]
    foreign = sharing.lattice(sharing.dev).create_service_network(name="theirs")["arn"]
    group = f"arn:aws:vpc-lattice:{NAME}:{sharing.owner}:targetgroup/tg-0123456789abcdef0"
    for resource, code in (
        (subnet, "OperationNotPermittedException"), (group, "OperationNotPermittedException"), (foreign, "UnknownResourceException"),
        (network[:-1] + "g", "UnknownResourceException"), ("mesh", "MalformedArnException"),
    ):  # fmt: skip
        with region.refused(code):
            sharing.share(resource, to=sharing.dev)
    disabled = sharing.network("closed", sharingConfig={"enabled": False})["arn"]
    with region.refused("OperationNotPermittedException", "not enabled for sharing"):
        sharing.share(disabled, to=sharing.dev)
    for principal, code in (
        (sharing.owner, "InvalidParameterException"), (f"arn:aws:iam::{sharing.dev}:role/web", "InvalidParameterException"),
        ("vpc-lattice.amazonaws.com", "InvalidParameterException"), (unit_arn(sharing)[:-1] + "x", "UnknownResourceException"),
        (sharing.organization["Arn"].replace("o-", "o-00"), "UnknownResourceException"),
    ):  # fmt: skip
        with region.refused(code):
            sharing.share(network, to=principal)
    with region.refused("OperationNotPermittedException", "can only be shared within"):
        sharing.share(network, to=STRANGER, allowExternalPrincipals=False)
    share = sharing.share(network, to=sharing.dev)["resourceShareArn"]
    with region.refused("UnknownResourceException"):
        sharing.ram(sharing.dev).delete_resource_share(resourceShareArn=share)


def test_what_is_shared_is_listed_on_both_sides(sharing: Sharing) -> None:
    network, service = sharing.network()["arn"], sharing.service()["arn"]
    share = sharing.share(network, service, to=sharing.dev, tags=[{"key": "team", "value": "core"}])["resourceShareArn"]
    mine, theirs = sharing.ram(), sharing.ram(sharing.dev)
    for client_, owner in ((mine, "SELF"), (theirs, "OTHER-ACCOUNTS")):
        found = client_.list_resources(resourceOwner=owner)["resources"]
        assert [(one["arn"], one["type"], one["status"]) for one in found] == [
            (network, "vpc-lattice:ServiceNetwork", "AVAILABLE"), (service, "vpc-lattice:Service", "AVAILABLE"),
        ]  # fmt: skip
        assert len(client_.list_resources(resourceOwner=owner, resourceType="vpc-lattice:Service")["resources"]) == 1
        assert [one["name"] for one in client_.get_resource_shares(resourceOwner=owner)["resourceShares"]] == ["share"]
    assert mine.get_resource_shares(resourceOwner="SELF")["resourceShares"][0]["tags"] == [{"key": "team", "value": "core"}]
    assert theirs.get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"][0]["tags"] == []
    assert [one["id"] for one in mine.list_principals(resourceOwner="SELF")["principals"]] == [sharing.dev]
    assert [one["id"] for one in theirs.list_principals(resourceOwner="OTHER-ACCOUNTS")["principals"]] == [sharing.owner]
    (policy,) = mine.get_resource_policies(resourceArns=[service])["policies"]
    (statement,) = json.loads(policy)["Statement"]
    assert (statement["Principal"], statement["Resource"]) == ({"AWS": sharing.dev}, service)
    assert statement["Action"] == ["vpc-lattice:CreateServiceNetworkServiceAssociation", "vpc-lattice:GetService"]
    mine.disassociate_resource_share(resourceShareArn=share, resourceArns=[network])
    assert sharing.seen(sharing.dev) == []
    sharing.lattice().delete_service(serviceIdentifier=service)
    sharing.region.settle()
    assert [one["status"] for one in theirs.list_resources(resourceOwner="OTHER-ACCOUNTS")["resources"]] == ["UNAVAILABLE"]


def test_a_client_token_makes_one_share(region: Region, sharing: Sharing) -> None:
    first, again = (sharing.ram().create_resource_share(name="one", clientToken="t")["resourceShare"]["resourceShareArn"] for _ in range(2))
    assert first == again
    with region.refused("IdempotentParameterMismatchException"):
        sharing.ram().create_resource_share(name="two", clientToken="t")


def test_a_share_is_changed_and_tagged(region: Region, sharing: Sharing) -> None:
    share = sharing.share(sharing.network()["arn"], to=STRANGER)["resourceShareArn"]
    ram = sharing.ram()
    with region.refused("OperationNotPermittedException", "external principals"):
        ram.update_resource_share(resourceShareArn=share, allowExternalPrincipals=False)
    ram.disassociate_resource_share(resourceShareArn=share, principals=[STRANGER])
    changed = ram.update_resource_share(resourceShareArn=share, name="renamed", allowExternalPrincipals=False)["resourceShare"]
    assert (changed["name"], changed["allowExternalPrincipals"]) == ("renamed", False)
    ram.tag_resource(resourceShareArn=share, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    ram.untag_resource(resourceShareArn=share, tagKeys=["a"])
    found = ram.get_resource_shares(resourceOwner="SELF", tagFilters=[{"tagKey": "b", "tagValues": ["2"]}])["resourceShares"]
    assert [one["tags"] for one in found] == [[{"key": "b", "value": "2"}]]
    assert ram.get_resource_shares(resourceOwner="SELF", name="share")["resourceShares"] == []
    with region.refused("UnknownResourceException"):
        ram.get_resource_shares(resourceOwner="SELF", resourceShareArns=[share[:-1] + "0"])


def test_permissions_say_what_consumers_may(region: Region, sharing: Sharing) -> None:
    ram, network = sharing.ram(), sharing.network()
    share = sharing.share(network["arn"], to=sharing.dev)["resourceShareArn"]
    (held,) = ram.list_resource_share_permissions(resourceShareArn=share)["permissions"]
    assert held["name"] == "AWSRAMPermissionVpcLatticeServiceNetworkReadWrite"
    detail = ram.get_permission(permissionArn=held["arn"])["permission"]
    assert "vpc-lattice:CreateServiceNetworkVpcAssociation" in json.loads(detail["permission"])["Action"]
    assert len(ram.list_permissions()["permissions"]) == 7
    template = json.dumps({"Effect": "Allow", "Action": ["vpc-lattice:GetServiceNetwork"]})
    made = ram.create_permission(name="look", resourceType="vpc-lattice:ServiceNetwork", policyTemplate=template)["permission"]
    with region.refused("InvalidParameterException", "replace"):
        ram.associate_resource_share_permission(resourceShareArn=share, permissionArn=made["arn"])
    ram.associate_resource_share_permission(resourceShareArn=share, permissionArn=made["arn"], replace=True)
    dev, vpc = sharing.lattice(sharing.dev), sharing.vpc(sharing.dev)
    assert dev.get_service_network(serviceNetworkIdentifier=network["arn"])["id"] == network["id"]
    with region.refused("AccessDeniedException", "because no resource-based policy allows the vpc-lattice:CreateServiceNetworkVpcAssociation action"):
        dev.create_service_network_vpc_association(serviceNetworkIdentifier=network["arn"], vpcIdentifier=vpc)
    with region.refused("OperationNotPermittedException", "associated"):
        ram.delete_permission(permissionArn=made["arn"])
    with region.refused("InvalidPolicyException"):
        bad = json.dumps({"Effect": "Allow", "Action": ["vpc-lattice:DeleteServiceNetwork"]})
        ram.create_permission(name="more", resourceType="vpc-lattice:ServiceNetwork", policyTemplate=bad)
    for bad in ("{}", "[" * 5000):
        with region.refused("MalformedPolicyTemplateException"):
            ram.create_permission(name="more", resourceType="vpc-lattice:ServiceNetwork", policyTemplate=bad)
    (version,) = ram.list_permission_versions(permissionArn=made["arn"])["permissions"]
    assert (version["name"], version["version"], version["defaultVersion"]) == ("look", "1", True)
    with region.refused("OperationNotPermittedException", "resources of the type vpc-lattice:ServiceNetwork"):
        ram.disassociate_resource_share_permission(resourceShareArn=share, permissionArn=made["arn"])
    ram.disassociate_resource_share(resourceShareArn=share, resourceArns=[network["arn"]])
    assert ram.disassociate_resource_share_permission(resourceShareArn=share, permissionArn=made["arn"])["returnValue"]
    assert ram.list_resource_share_permissions(resourceShareArn=share)["permissions"] == []
    with region.refused("UnknownResourceException"):
        ram.disassociate_resource_share_permission(resourceShareArn=share, permissionArn=made["arn"])
    ram.delete_permission(permissionArn=made["arn"])
    with region.refused("UnknownResourceException"):
        ram.list_permission_versions(permissionArn=made["arn"])
    assert len(ram.list_permissions()["permissions"]) == 7
