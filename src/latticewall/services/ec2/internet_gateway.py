"""Internet gateways. They can be made, attached and routed to; there is no Internet behind them, so packets sent there are dropped."""

from __future__ import annotations

from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import text
from latticewall.services.ec2.describe import describing, paths
from latticewall.services.ec2.requests import tags_for

FILTERS = paths("internet-gateway-id owner-id", attachment__vpc_id="Attachments.VpcId", attachment__state="Attachments.State")


def create_internet_gateway(ctx: Context, params: Document) -> Document:
    """CreateInternetGateway."""
    document = {"OwnerId": ctx.caller.account, "Attachments": []}
    row = ctx.create("ec2:InternetGateway", document, tags=tags_for(params, "internet-gateway"))
    return {"InternetGateway": ctx.view(row)}


describe_internet_gateways = describing("ec2:InternetGateway", "InternetGateways", "InternetGatewayIds", FILTERS)


def attach_internet_gateway(ctx: Context, params: Document) -> Document:
    """AttachInternetGateway: one VPC per gateway, one gateway per VPC."""
    gateway = ctx.resolve("ec2:InternetGateway", params["InternetGatewayId"])
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    if gateway.document["Attachments"]:
        raise text.conflict("Resource.AlreadyAssociated", f"resource {gateway.id} is already attached to network {gateway.document['Attachments'][0]['VpcId']}")
    if ctx.referring(vpc, "ec2:InternetGateway"):
        raise text.invalid("InvalidParameterValue", f"Network {vpc.id} already has an internet gateway attached")
    ctx.change(gateway, {"Attachments": [{"VpcId": vpc.id, "State": "available"}]})
    ctx.refer(gateway, "VpcId", vpc.id)
    return {}


def detach_internet_gateway(ctx: Context, params: Document) -> Document:
    """DetachInternetGateway."""
    gateway = ctx.resolve("ec2:InternetGateway", params["InternetGatewayId"])
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    if not any(attachment["VpcId"] == vpc.id for attachment in gateway.document["Attachments"]):
        raise text.invalid("Gateway.NotAttached", f"resource {gateway.id} is not attached to network {vpc.id}")
    ctx.change(gateway, {"Attachments": []})
    ctx.forget(gateway, "VpcId", vpc.id)
    return {}


def delete_internet_gateway(ctx: Context, params: Document) -> Document:
    """DeleteInternetGateway: not while it is attached."""
    gateway = ctx.resolve("ec2:InternetGateway", params["InternetGatewayId"])
    if gateway.document["Attachments"]:
        raise text.dependency_violation("internetGateway", gateway.id, gateway.document["Attachments"][0]["VpcId"])
    ctx.remove(gateway)
    return {}
