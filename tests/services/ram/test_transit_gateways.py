"""Transit Gateways that are shared: attached from other accounts, accepted and routed by their owner."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import NAME, Region, client

from .accounts import STRANGER, Sharing


@pytest.fixture
def sharing(region: Region) -> Sharing:
    return Sharing(region)


class Gateway:
    """A Transit Gateway of the owner's account, shared with dev. owner, dev: EC2 clients."""

    def __init__(self, sharing: Sharing, **options: str) -> None:
        self.sharing, self.settle = sharing, sharing.region.settle
        self.owner, self.dev = client("ec2", sharing.owner), client("ec2", sharing.dev)
        made = self.owner.create_transit_gateway(Options=options)["TransitGateway"]
        self.id, self.arn = made["TransitGatewayId"], made["TransitGatewayArn"]
        self.settle()
        self.table = self.owner.describe_transit_gateways()["TransitGateways"][0]["Options"]["AssociationDefaultRouteTableId"]
        self.vpc = self.dev.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.dev.create_subnet(VpcId=self.vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]

    def share(self) -> str:
        return str(self.sharing.share(self.arn, to=self.sharing.dev)["resourceShareArn"])

    def attach(self) -> dict[str, Any]:
        made = self.dev.create_transit_gateway_vpc_attachment(TransitGatewayId=self.id, VpcId=self.vpc, SubnetIds=[self.subnet])
        self.settle()
        return dict(made["TransitGatewayVpcAttachment"])

    def state(self, ec2: Any) -> list[str]:
        return [one["State"] for one in ec2.describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"]]

    def routes(self) -> list[str]:
        found = self.owner.search_transit_gateway_routes(TransitGatewayRouteTableId=self.table, Filters=[{"Name": "state", "Values": ["active"]}])
        return [route["DestinationCidrBlock"] for route in found["Routes"]]


def test_an_attachment_waits_for_the_gateways_owner(region: Region, sharing: Sharing) -> None:
    gateway = Gateway(sharing)
    with region.refused("InvalidTransitGatewayID.NotFound"):
        gateway.attach()
    assert gateway.dev.describe_transit_gateways()["TransitGateways"] == []
    gateway.share()
    (seen,) = gateway.dev.describe_transit_gateways(TransitGatewayIds=[gateway.id])["TransitGateways"]
    assert seen["OwnerId"] == sharing.owner
    made = gateway.attach()
    assert (made["State"], made["VpcOwnerId"]) == ("pendingAcceptance", sharing.dev)
    table = gateway.dev.describe_route_tables()["RouteTables"][0]["RouteTableId"]
    with region.refused("InvalidTransitGatewayID.NotFound"):
        gateway.dev.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/8", TransitGatewayId=gateway.id)
    attachment = made["TransitGatewayAttachmentId"]
    with region.refused("InvalidTransitGatewayAttachmentID.NotFound"):
        gateway.dev.accept_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    gateway.owner.accept_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    gateway.settle()
    assert (gateway.state(gateway.dev), gateway.state(gateway.owner), gateway.routes()) == (["available"], ["available"], ["10.7.0.0/16"])
    gateway.dev.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/8", TransitGatewayId=gateway.id)
    (shown,) = gateway.owner.describe_transit_gateway_attachments()["TransitGatewayAttachments"]
    assert (shown["ResourceOwnerId"], shown["Association"]["TransitGatewayRouteTableId"]) == (sharing.dev, gateway.table)
    with region.refused("IncorrectState"):
        gateway.owner.delete_transit_gateway(TransitGatewayId=gateway.id)
    with region.refused("IncorrectState"):
        gateway.owner.accept_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)


def test_a_gateway_may_accept_by_itself_and_unsharing_leaves_attachments(region: Region, sharing: Sharing) -> None:
    gateway = Gateway(sharing, AutoAcceptSharedAttachments="enable")
    share = gateway.share()
    attachment = gateway.attach()["TransitGatewayAttachmentId"]
    assert (gateway.state(gateway.owner), gateway.routes()) == (["available"], ["10.7.0.0/16"])
    found = gateway.owner.get_transit_gateway_route_table_associations(TransitGatewayRouteTableId=gateway.table)["Associations"]
    assert [one["TransitGatewayAttachmentId"] for one in found] == [attachment]
    sharing.ram().delete_resource_share(resourceShareArn=share)
    assert gateway.state(gateway.dev) == ["available"]
    gateway.owner.create_transit_gateway_route(
        TransitGatewayRouteTableId=gateway.table, DestinationCidrBlock="10.8.0.0/16", TransitGatewayAttachmentId=attachment
    )
    assert gateway.routes() == ["10.7.0.0/16", "10.8.0.0/16"]
    gateway.owner.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    gateway.settle()
    assert gateway.routes() == []
    with region.refused("InvalidTransitGatewayID.NotFound"):
        gateway.attach()
    gateway.owner.delete_transit_gateway(TransitGatewayId=gateway.id)


def test_an_attachment_is_rejected(region: Region, sharing: Sharing) -> None:
    gateway = Gateway(sharing)
    gateway.share()
    attachment = gateway.attach()["TransitGatewayAttachmentId"]
    gateway.owner.reject_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    assert (gateway.state(gateway.dev), gateway.routes()) == (["rejected"], [])
    with region.refused("IncorrectState"):
        gateway.owner.accept_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    gateway.owner.delete_transit_gateway(TransitGatewayId=gateway.id)
    gateway.settle()
    assert gateway.state(gateway.dev) == ["rejected"]
    gateway.dev.delete_subnet(SubnetId=gateway.subnet)
    gateway.dev.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    gateway.settle()


def test_a_consumer_attaches_and_no_more(region: Region, sharing: Sharing) -> None:
    gateway = Gateway(sharing, AutoAcceptSharedAttachments="enable")
    gateway.share()
    attachment = gateway.attach()["TransitGatewayAttachmentId"]
    for call, params in (
        ("create_transit_gateway_route_table", {"TransitGatewayId": gateway.id}), ("delete_transit_gateway", {"TransitGatewayId": gateway.id}),
        ("modify_transit_gateway", {"TransitGatewayId": gateway.id, "Description": "mine"}),
        ("search_transit_gateway_routes", {"TransitGatewayRouteTableId": gateway.table, "Filters": [{"Name": "state", "Values": ["active"]}]}),
        ("disassociate_transit_gateway_route_table",
         {"TransitGatewayRouteTableId": gateway.table, "TransitGatewayAttachmentId": attachment}),
    ):  # fmt: skip
        with pytest.raises(gateway.dev.exceptions.ClientError, match="NotFound"):
            getattr(gateway.dev, call)(**params)
    with pytest.raises(gateway.owner.exceptions.ClientError, match="NotFound"):
        gateway.owner.modify_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment, Options={"ApplianceModeSupport": "enable"})
    stranger = client("ec2", STRANGER)
    assert stranger.describe_transit_gateway_attachments()["TransitGatewayAttachments"] == []
    with region.refused("InvalidTransitGatewayAttachmentID.NotFound"):
        stranger.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)


def test_policies_are_asked_about_the_gateway_of_the_other_account(region: Region, sharing: Sharing) -> None:
    gateway = Gateway(sharing)
    gateway.share()
    iam = client("iam", sharing.dev)
    iam.create_user(UserName="alice")
    statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "ec2:*", "Resource": gateway.arn}]
    iam.put_user_policy(UserName="alice", PolicyName="only", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    alice = client("ec2", iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"])
    with region.refused("UnauthorizedOperation", f"arn:aws:ec2:{NAME}:{sharing.owner}:transit-gateway/{gateway.id}"):
        alice.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway.id, VpcId=gateway.vpc, SubnetIds=[gateway.subnet])
