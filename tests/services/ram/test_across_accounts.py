"""VPC Lattice across accounts: what an owner and a consumer may do, by shares and by resource policies; identity policies count as well."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from .accounts import STRANGER, Sharing, local


@pytest.fixture
def sharing(region: Region) -> Sharing:
    return Sharing(region)


def refused(sharing: Sharing, words: str = "is not authorized to perform") -> Any:
    return sharing.region.refused("AccessDeniedException", words)


def joined(sharing: Sharing, network: str) -> dict[str, Any]:
    """An association of a VPC of dev with a network that is shared with it, ready."""
    made = sharing.lattice(sharing.dev).create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=sharing.vpc(sharing.dev))
    sharing.region.settle()
    return dict(made)


def test_a_consumer_may_only_what_the_permission_says(sharing: Sharing) -> None:
    network = sharing.network()
    dev, arn = sharing.lattice(sharing.dev), network["arn"]
    with refused(sharing, "because no resource-based policy allows the vpc-lattice:GetServiceNetwork action"):
        dev.get_service_network(serviceNetworkIdentifier=arn)
    sharing.share(arn, to=sharing.dev)
    assert dev.get_service_network(serviceNetworkIdentifier=arn)["arn"] == arn
    with sharing.region.refused("ResourceNotFoundException"):
        dev.get_service_network(serviceNetworkIdentifier=network["id"])
    for call in (
        lambda: dev.delete_service_network(serviceNetworkIdentifier=arn),
        lambda: dev.update_service_network(serviceNetworkIdentifier=arn, authType="NONE"),
        lambda: dev.put_auth_policy(resourceIdentifier=arn, policy="{}"),
        lambda: dev.get_auth_policy(resourceIdentifier=arn),
        lambda: dev.get_resource_policy(resourceArn=arn),
        lambda: dev.list_tags_for_resource(resourceArn=arn),
        lambda: dev.tag_resource(resourceArn=arn, tags={"a": "b"}),
        lambda: dev.create_access_log_subscription(resourceIdentifier=arn, destinationArn=f"arn:aws:logs:{NAME}:{sharing.dev}:log-group:/x"),
    ):  # fmt: skip
        with refused(sharing):
            call()


def test_a_vpc_association_is_known_to_both_sides(sharing: Sharing) -> None:
    network = sharing.network()
    sharing.share(network["arn"], to=sharing.dev)
    dev, owner = sharing.lattice(sharing.dev), sharing.lattice()
    made = joined(sharing, network["arn"])
    assert (made["arn"].split(":")[4], made["createdBy"]) == (sharing.dev, sharing.dev)
    for lattice, account in ((dev, sharing.dev), (owner, sharing.owner)):
        arn = local(made["arn"], account)
        for identifier in (made["id"], arn):
            shown = lattice.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=identifier)
            assert (shown["arn"], shown["createdBy"], shown["status"]) == (arn, sharing.dev, "ACTIVE")
            assert (shown["serviceNetworkArn"], shown["serviceNetworkName"]) == (network["arn"], "mesh")
        for identifier in (network["id"], network["arn"]):
            listed = lattice.list_service_network_vpc_associations(serviceNetworkIdentifier=identifier)["items"]
            assert [one["arn"] for one in listed] == [arn]
    with refused(sharing):
        owner.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=made["arn"])
    with sharing.region.refused("ResourceNotFoundException"):
        sharing.lattice(STRANGER).get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=made["id"])
    assert owner.get_service_network(serviceNetworkIdentifier=network["id"])["numberOfAssociatedVPCs"] == 1


def test_who_shares_a_network_sees_the_associations_of_others_with_it(sharing: Sharing) -> None:
    """The consumer "can see all VPC associations with a shared service network" and "can describe all service associations and resource configurations
    associations" with it; the ARNs are of the owner and of who made the association ("Share your VPC Lattice entities")."""
    network = sharing.network()["arn"]
    sharing.share(network, to=sharing.dev)
    owner, dev = sharing.lattice(), sharing.lattice(sharing.dev)
    service = owner.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=sharing.service()["id"])
    vpc = owner.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=sharing.vpc(sharing.owner))
    for made, kind in ((service, "service"), (vpc, "vpc")):
        (listed,) = getattr(dev, f"list_service_network_{kind}_associations")(serviceNetworkIdentifier=network)["items"]
        assert (listed["id"], listed["arn"]) == (made["id"], made["arn"])
        member = f"serviceNetwork{kind.capitalize()}AssociationIdentifier"
        assert getattr(dev, f"get_service_network_{kind}_association")(**{member: made["id"]})["createdBy"] == sharing.owner
        with refused(sharing):
            getattr(dev, f"delete_service_network_{kind}_association")(**{member: made["id"]})
        assert not getattr(sharing.lattice(STRANGER), f"list_service_network_{kind}_associations")(serviceNetworkIdentifier=network.rpartition("/")[2])["items"]
    with refused(sharing):
        dev.update_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=vpc["id"], privateDnsEnabled=True)


def test_only_the_maker_changes_an_association_and_sees_its_tags(sharing: Sharing) -> None:
    network = sharing.network()["arn"]
    sharing.share(network, to=sharing.dev)
    dev, owner, made = sharing.lattice(sharing.dev), sharing.lattice(), joined(sharing, network)
    dev.tag_resource(resourceArn=made["arn"], tags={"team": "apps"})
    assert dev.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"team": "apps"}
    mine = local(made["arn"], sharing.owner)
    for call in (
        lambda: owner.list_tags_for_resource(resourceArn=mine),
        lambda: owner.tag_resource(resourceArn=mine, tags={"a": "b"}),
        lambda: owner.untag_resource(resourceArn=mine, tagKeys=["team"]),
        lambda: owner.update_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=mine, privateDnsEnabled=True),
        lambda: owner.update_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=made["id"], privateDnsEnabled=True),
    ):  # fmt: skip
        with refused(sharing):
            call()
    dev.update_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=made["id"], privateDnsEnabled=True)


@pytest.mark.parametrize("who", ["maker", "owner"])
def test_either_side_may_delete_and_unsharing_leaves_what_there_is(sharing: Sharing, who: str) -> None:
    network = sharing.network()["arn"]
    share = sharing.share(network, to=sharing.dev)["resourceShareArn"]
    made = joined(sharing, network)
    with sharing.region.refused("ConflictException"):
        sharing.lattice().delete_service_network(serviceNetworkIdentifier=network)
    sharing.ram().delete_resource_share(resourceShareArn=share)
    dev = sharing.lattice(sharing.dev)
    assert dev.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=made["id"])["status"] == "ACTIVE"
    with refused(sharing):
        dev.get_service_network(serviceNetworkIdentifier=network)
    account = sharing.dev if who == "maker" else sharing.owner
    sharing.lattice(account).delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=local(made["arn"], account))
    sharing.region.settle()
    vpc = sharing.vpc(sharing.dev)
    with refused(sharing):
        dev.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)
    sharing.lattice().delete_service_network(serviceNetworkIdentifier=network)


def test_services_are_joined_by_whoever_owns_one_side(sharing: Sharing) -> None:
    network, theirs = sharing.network()["arn"], sharing.service("payments", sharing.dev)["arn"]
    owner, dev = sharing.lattice(), sharing.lattice(sharing.dev)
    with refused(sharing):
        owner.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=theirs)
    sharing.ram(sharing.dev).create_resource_share(name="payments", resourceArns=[theirs], principals=[sharing.owner])
    assert [one["name"] for one in owner.list_services()["items"]] == ["payments"]
    made = owner.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=theirs)
    sharing.region.settle()
    assert made["arn"].split(":")[4] == sharing.owner
    listed = dev.list_service_network_service_associations(serviceIdentifier=theirs)["items"]
    assert [(one["arn"], one["createdBy"]) for one in listed] == [(local(made["arn"], sharing.dev), sharing.owner)]
    dev.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=listed[0]["arn"])
    sharing.region.settle()
    sharing.share(network, to=sharing.dev)
    assert dev.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=theirs)["createdBy"] == sharing.dev


def test_a_third_account_cannot_join_two_others(sharing: Sharing) -> None:
    network, service = sharing.network()["arn"], sharing.service("payments", sharing.dev)["arn"]
    sharing.share(network, to=ACCOUNT)
    sharing.ram(sharing.dev).create_resource_share(name="payments", resourceArns=[service], principals=[ACCOUNT])
    with refused(sharing):
        sharing.lattice(ACCOUNT).create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)


def test_a_vpc_is_joined_by_its_owner_and_targets_are_of_the_services_account(sharing: Sharing) -> None:
    network = sharing.network()["arn"]
    sharing.share(network, to=sharing.dev)
    vpc = sharing.vpc(sharing.dev)
    with sharing.region.refused("ResourceNotFoundException"):
        sharing.lattice().create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)
    config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": vpc}
    group = sharing.lattice(sharing.dev).create_target_group(name="web", type="IP", config=config)["arn"]
    sharing.region.settle()
    service = sharing.service()["id"]
    with sharing.region.refused("ResourceNotFoundException"):
        action = {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}
        sharing.lattice().create_listener(serviceIdentifier=service, name="web", protocol="HTTP", defaultAction=action)


# -- identity policies ------------------------------------------------------------------------------------------------------------------------------------


def user(account: str, *statements: dict[str, Any]) -> Any:
    """A client of an IAM user of an account."""
    iam = client("iam", account)
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="only", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return client("vpc-lattice", iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"])


def test_both_the_share_and_the_users_policies_must_allow(sharing: Sharing) -> None:
    network = sharing.network()["arn"]
    sharing.share(network, to=sharing.dev)
    vpc = sharing.vpc(sharing.dev)
    alice = user(
        sharing.dev, {"Effect": "Allow", "Action": "vpc-lattice:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "vpc-lattice:Create*", "Resource": "*", "Condition": {"ArnEquals": {"vpc-lattice:ServiceNetworkArn": network}}},
    )  # fmt: skip
    assert alice.get_service_network(serviceNetworkIdentifier=network)["name"] == "mesh"
    with refused(sharing, "with an explicit deny in an identity-based policy"):
        alice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)


def test_a_share_alone_is_not_enough_for_a_user(sharing: Sharing) -> None:
    network = sharing.network()["arn"]
    sharing.share(network, to=sharing.dev)
    alice = user(sharing.dev, {"Effect": "Allow", "Action": "vpc-lattice:ListServiceNetworks", "Resource": "*"})
    assert len(alice.list_service_networks()["items"]) == 1
    with refused(sharing, "because no identity-based policy allows the vpc-lattice:GetServiceNetwork action"):
        alice.get_service_network(serviceNetworkIdentifier=network)


def test_a_deny_on_an_association_holds_under_every_name_of_it(sharing: Sharing) -> None:
    network = sharing.network()["arn"]
    sharing.share(network, to=sharing.dev)
    made = joined(sharing, network)
    mine = local(made["arn"], sharing.owner)
    alice = user(
        sharing.owner, {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "vpc-lattice:DeleteServiceNetworkVpcAssociation", "Resource": mine},
    )  # fmt: skip
    for identifier in (mine, made["id"]):
        with refused(sharing, f"on resource: {mine} with an explicit deny"):
            alice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=identifier)


# -- resource policies ------------------------------------------------------------------------------------------------------------------------------------


def statement(arn: str, principal: Any, *actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": [f"vpc-lattice:{action}" for action in actions], "Resource": arn, **more}


def put(sharing: Sharing, arn: str, *statements: dict[str, Any]) -> None:
    sharing.lattice().put_resource_policy(resourceArn=arn, policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def test_a_resource_policy_grants_as_a_share_does(sharing: Sharing) -> None:
    arn = sharing.network()["arn"]
    owner, dev, vpc = sharing.lattice(), sharing.lattice(sharing.dev), sharing.vpc(sharing.dev)
    assert "policy" not in owner.get_resource_policy(resourceArn=arn)
    owner.delete_resource_policy(resourceArn=arn)
    put(sharing, arn, statement(arn, {"AWS": f"arn:aws:iam::{sharing.dev}:root"}, "GetServiceNetwork"))
    assert json.loads(owner.get_resource_policy(resourceArn=arn)["policy"])["Statement"][0]["Resource"] == arn
    assert sharing.seen(sharing.dev) == ["mesh"]
    with refused(sharing, "because no resource-based policy allows the vpc-lattice:CreateServiceNetworkVpcAssociation action"):
        dev.create_service_network_vpc_association(serviceNetworkIdentifier=arn, vpcIdentifier=vpc)
    put(sharing, arn, statement(arn, {"AWS": sharing.dev}, "GetServiceNetwork", "CreateServiceNetworkVpcAssociation"))
    dev.create_service_network_vpc_association(serviceNetworkIdentifier=arn, vpcIdentifier=vpc)
    owner.delete_resource_policy(resourceArn=arn)
    assert sharing.seen(sharing.dev) == []
    with refused(sharing):
        dev.get_service_network(serviceNetworkIdentifier=arn)


def test_a_resource_policy_for_the_organization(sharing: Sharing) -> None:
    arn = sharing.network()["arn"]
    put(sharing, arn, statement(arn, "*", "GetServiceNetwork", Condition={"StringEquals": {"aws:PrincipalOrgID": sharing.organization["Id"]}}))
    assert (sharing.seen(sharing.dev), sharing.seen(STRANGER)) == (["mesh"], [])
    sharing.organizations.remove_account_from_organization(AccountId=sharing.dev)
    assert sharing.seen(sharing.dev) == []


def test_what_a_resource_policy_cannot_say(sharing: Sharing) -> None:
    arn = sharing.network()["arn"]
    good = statement(arn, {"AWS": sharing.dev}, "GetServiceNetwork")
    for bad, words in (
        ({**good, "Effect": "Deny"}, "must have the effect Allow"),
        ({**good, "Action": "vpc-lattice:*"}, "names vpc-lattice:*"),
        ({**good, "Action": ["vpc-lattice:DeleteServiceNetwork"]}, "names vpc-lattice:DeleteServiceNetwork"),
        ({**good, "Resource": "*"}, "must name the resource"),
        ({**good, "Principal": "*"}, "is for everyone"),
        ({**good, "Principal": {"AWS": f"arn:aws:iam::{sharing.dev}:role/web"}}, "names the principal"),
        ({**good, "Principal": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}}}, "other conditions"),
        ({**good, "Principal": "*", "Condition": {"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-aaaaaaaaaa/*"}}}, "other conditions"),
        ({**good, "Principal": "*", "Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}}}, "other conditions"),
        ({**good, "Principal": "*", "Condition": {"StringLike": {"aws:PrincipalOrgID": "o-*"}}}, "other conditions"),
        ({**good, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, "other conditions"),
        ({"Effect": "Allow"}, "Principal"),
    ):  # fmt: skip
        with sharing.region.refused("ValidationException", words):
            put(sharing, arn, bad)
    with sharing.region.refused("ValidationException"):
        sharing.lattice().put_resource_policy(resourceArn=arn, policy="no policy")
    closed = sharing.network("closed", sharingConfig={"enabled": False})["arn"]
    with sharing.region.refused("ValidationException", "not enabled for sharing"):
        put(sharing, closed, good)


# -- resource configurations ------------------------------------------------------------------------------------------------------------------------------


def configuration(account: str, name: str, **more: Any) -> str:
    ec2, lattice = client("ec2", account), client("vpc-lattice", account)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone=f"{NAME}a")["Subnet"]["SubnetId"]
    gateway = lattice.create_resource_gateway(name=name, vpcIdentifier=vpc, subnetIds=[subnet], resourceConfigDnsResolution="IN_VPC")["id"]
    given = {"type": "SINGLE", "portRanges": ["6379"], "resourceConfigurationDefinition": {"ipResource": {"ipAddress": "10.0.1.7"}}, **more}
    return str(lattice.create_resource_configuration(name=name, resourceGatewayIdentifier=gateway, **given)["arn"])


def test_a_resource_joins_a_shared_network_only_if_it_allows_that(sharing: Sharing) -> None:
    network = sharing.network()["arn"]
    shy, open_ = (configuration(sharing.dev, name, allowAssociationToShareableServiceNetwork=name == "open") for name in ("shy", "open"))
    sharing.region.settle()
    sharing.share(network, to=sharing.dev)
    dev = sharing.lattice(sharing.dev)
    with sharing.region.refused("ValidationException", "does not allow association"):
        dev.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=shy)
    made = dev.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=open_)
    shown = sharing.lattice().get_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=made["id"])
    assert (shown["arn"], shown["resourceConfigurationArn"]) == (local(made["arn"], sharing.owner), open_)


def test_a_shared_resource_joins_the_networks_of_its_consumers(sharing: Sharing) -> None:
    theirs = configuration(sharing.dev, "cache", allowAssociationToShareableServiceNetwork=True)
    sharing.region.settle()
    owner, network = sharing.lattice(), sharing.network()["id"]
    with refused(sharing):
        owner.get_resource_configuration(resourceConfigurationIdentifier=theirs)
    sharing.ram(sharing.dev).create_resource_share(name="cache", resourceArns=[theirs], principals=[sharing.owner])
    assert owner.get_resource_configuration(resourceConfigurationIdentifier=theirs)["name"] == "cache"
    assert [one["arn"] for one in owner.list_resource_configurations()["items"]] == [theirs]
    made = owner.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=theirs)
    assert made["createdBy"] == sharing.owner
    with refused(sharing):
        owner.update_resource_configuration(resourceConfigurationIdentifier=theirs, portRanges=["1-2"])


def test_a_shared_segment_is_reached_by_tunnels_of_its_consumers(sharing: Sharing) -> None:
    definition = {"cidrResource": {"cidrRanges": ["10.0.1.0/24"]}}
    theirs = configuration(sharing.dev, "segment", type="CIDR", resourceConfigurationDefinition=definition)
    ec2 = client("ec2", sharing.owner)
    vpc = sharing.vpc(sharing.owner)
    zones = {"10.0.1.0/24": f"{NAME}a", "10.0.2.0/24": f"{NAME}b"}
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"] for cidr, zone in zones.items()]
    sharing.region.settle()
    given = {"VpcEndpointType": "Tunnel", "VpcId": vpc, "ResourceConfigurationArn": theirs}
    with sharing.region.refused("InvalidParameterValue", "There is no such ResourceConfiguration"):
        ec2.create_vpc_endpoint(**given, SubnetIds=subnets[:1])
    sharing.ram(sharing.dev).create_resource_share(name="segment", resourceArns=[theirs], principals=[sharing.owner])
    with sharing.region.refused("InvalidParameter", "where the resource gateway of"):
        ec2.create_vpc_endpoint(**given, SubnetIds=subnets[1:])
    made = ec2.create_vpc_endpoint(**given, SubnetIds=subnets[:1])["VpcEndpoint"]["VpcEndpointId"]
    sharing.region.settle()
    (association,) = ec2.describe_vpc_endpoint_associations(VpcEndpointIds=[made])["VpcEndpointAssociations"]
    assert (association["AssociatedResourceArn"], association["AssociatedResourceAccessibility"]) == (theirs, "Accessible")
    (seen,) = sharing.lattice(sharing.dev).list_resource_endpoint_associations(resourceConfigurationIdentifier=theirs)["items"]
    assert (seen["vpcEndpointId"], seen["vpcEndpointOwner"]) == (made, sharing.owner)


def test_a_shared_group_brings_its_children_also_those_that_its_owner_adds_later(sharing: Sharing) -> None:
    dev, owner, network = sharing.lattice(sharing.dev), sharing.lattice(), sharing.network()["id"]
    single = dev.get_resource_configuration(resourceConfigurationIdentifier=configuration(sharing.dev, "cache"))
    group = dev.create_resource_configuration(
        name="group", type="GROUP", resourceGatewayIdentifier=single["resourceGatewayId"], allowAssociationToShareableServiceNetwork=True
    )["arn"]

    def child(name: str) -> None:
        definition = {"ipResource": {"ipAddress": "10.0.1.8"}}
        dev.create_resource_configuration(name=name, type="CHILD", resourceConfigurationGroupIdentifier=group, resourceConfigurationDefinition=definition)

    child("first")
    sharing.region.settle()
    sharing.ram(sharing.dev).create_resource_share(name="group", resourceArns=[group], principals=[sharing.owner])
    owner.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=group)
    child("second")
    sharing.region.settle()
    for side in (owner, dev):
        listed = side.list_service_network_resource_associations(includeChildren=True)["items"]
        assert {item["resourceConfigurationName"]: item["status"] for item in listed} == dict.fromkeys(("group", "first", "second"), "ACTIVE")
        assert len(side.list_service_network_resource_associations()["items"]) == 1
