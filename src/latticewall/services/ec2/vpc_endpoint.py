"""VPC endpoints. The only ones there are belong to firewalls: the network-firewall service makes and removes them."""

from __future__ import annotations

from latticewall.base.faults import Fault, Unsupported
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import text
from latticewall.services.ec2.describe import describing, paths

FILTERS = paths(
    "ip-address-type service-name vpc-id vpc-endpoint-id vpc-endpoint-type service-network-arn resource-configuration-arn service-region",
    vpc_endpoint_state="State",
)  # fmt: skip


def view(ctx: Context, row: Row) -> Document:  # noqa: ARG001 - the signature of a kind's hook
    """Members that are the same for every firewall endpoint, where its document does not say otherwise."""
    fixed: Document = {
        "VpcEndpointType": "GatewayLoadBalancer", "OwnerId": row.account, "RequesterManaged": True, "PrivateDnsEnabled": False, "RouteTableIds": [],
        "Groups": [], "NetworkInterfaceIds": [], "DnsEntries": [], "CreationTimestamp": row.created_at, "IpAddressType": "ipv4",
    }  # fmt: skip
    return {member: value for member, value in fixed.items() if member not in row.document}


describe_vpc_endpoints = describing("ec2:VpcEndpoint", "VpcEndpoints", "VpcEndpointIds", FILTERS)


def create_vpc_endpoint(ctx: Context, params: Document) -> Document:
    """CreateVpcEndpoint: refused, naming the type; firewall endpoints come with CreateFirewall."""
    ctx.resolve("ec2:Vpc", params["VpcId"])
    kind = params.get("VpcEndpointType") or "Gateway"
    message = f"VPC endpoints of type {kind} are not supported yet; firewall endpoints are made by network-firewall CreateFirewall"
    raise Unsupported(message, kind="ec2:VpcEndpoint")


def delete_vpc_endpoints(ctx: Context, params: Document) -> Document:
    """DeleteVpcEndpoints: firewall endpoints go with their firewall only."""
    refused = []
    for identifier in params["VpcEndpointIds"]:
        fault: Fault = ctx.missing("ec2:VpcEndpoint", identifier)
        if ctx.find("ec2:VpcEndpoint", identifier):
            fault = text.invalid("OperationNotPermitted", f"{identifier} is managed by a firewall and goes with it")
        refused.append({"ResourceId": identifier, "Error": {"Code": fault.code, "Message": fault.message}})
    return {"Unsuccessful": refused}
