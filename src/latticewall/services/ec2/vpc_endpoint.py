"""VPC endpoints. Those of type ServiceNetwork, Resource and Tunnel are the user's; those of firewalls (GatewayLoadBalancer) the network-firewall service
makes and removes. There are no endpoint services, so Interface and Gateway endpoints have nothing to lead to."""

from __future__ import annotations

from latticewall.base.faults import Fault, Unsupported
from latticewall.base.lattice_names import endpoint_resource_name, zone_id
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import endpoint_payers, endpoint_zones, lattice_endpoint, security_group, text, tunnel_zones
from latticewall.services.ec2.describe import describing, paths
from latticewall.services.ec2.tunnel_zones import TUNNEL

KIND = "ec2:VpcEndpoint"
FILTERS = paths(
    "ip-address-type service-name vpc-id vpc-endpoint-id vpc-endpoint-type service-network-arn resource-configuration-arn service-region",
    vpc_endpoint_state="State",
)  # fmt: skip
REMOVED = "The association was removed by the owner of the resource configuration"


def view(ctx: Context, row: Row) -> Document:
    """What is the same for all endpoints, where the document does not say otherwise, and what follows from interfaces and associations."""
    fixed: Document = {
        "VpcEndpointType": "GatewayLoadBalancer", "OwnerId": row.account, "RequesterManaged": True, "PrivateDnsEnabled": False, "RouteTableIds": [],
        "Groups": [], "NetworkInterfaceIds": [], "DnsEntries": [], "CreationTimestamp": row.created_at, "IpAddressType": "ipv4",
    }  # fmt: skip
    if row.document.get("VpcEndpointType") in lattice_endpoint.TYPES:
        fixed |= _leading_to_lattice(ctx, row)
    return {member: value for member, value in fixed.items() if member not in row.document}


def _leading_to_lattice(ctx: Context, row: Row) -> Document:
    zones = row.document["_zones"]
    shown: Document = {
        "RequesterManaged": False, "Groups": security_group.groups_shown(ctx, row.document["_groups"]) if row.status != "deleting" else [],
        "NetworkInterfaceIds": [zone["NetworkInterfaceId"] for zone in zones],
    }  # fmt: skip
    for family in endpoint_zones.families_of(row) if row.document["VpcEndpointType"] == endpoint_zones.SERVICE_NETWORK else ():
        shown[family.prefixes] = [{"SubnetId": zone["SubnetId"], "IpPrefixes": [endpoint_zones.reserved(zone, family)]} for zone in zones]
    if row.document["VpcEndpointType"] != endpoint_zones.SERVICE_NETWORK:
        names = [endpoint_resource_name(row.region, row.id, "", leaf.id) for _, _, leaf in endpoint_zones.leads_to(ctx, row)]
        names += tunnel_zones.names(ctx, row) if row.document["VpcEndpointType"] == TUNNEL else []
        shown["DnsEntries"] = [{"DnsName": name, "HostedZoneId": zone_id("rsc", row.region)} for name in names]
    if row.document["VpcEndpointType"] == TUNNEL:
        shown |= tunnel_zones.prefixes(row)
    return {**shown, **endpoint_payers.shown(row.document), **_failure(ctx, row)}


def _failure(ctx: Context, row: Row) -> Document:
    """The state of an endpoint that stands but does not lead everywhere: `partial`, or `failed` if it leads nowhere; and why."""
    if row.reason:
        return {"FailureReason": row.reason, "LastError": {"Code": "InternalError", "Message": row.reason}}
    if row.status not in ("ready", "updating"):
        return {}
    if not ctx.referring(row, lattice_endpoint.TYPES[row.document["VpcEndpointType"]].association):
        return {"State": "failed", "FailureReason": REMOVED, "LastError": {"Code": "ResourceEndpointAssociationRemoved", "Message": REMOVED}}
    failed = row.document["_failed"]
    if not failed:
        return {}
    only_one = row.document["VpcEndpointType"] != endpoint_zones.SERVICE_NETWORK and len(row.document["_zones"]) == len(failed)
    error = {"Code": failed[0]["Code"], "Message": failed[0]["Message"]}
    return {"State": "failed" if only_one else "partial", "FailureReason": failed[0]["Message"], "LastError": error}


describe_vpc_endpoints = describing(KIND, "VpcEndpoints", "VpcEndpointIds", FILTERS)


def create_vpc_endpoint(ctx: Context, params: Document) -> Document:
    """CreateVpcEndpoint; firewall endpoints come with CreateFirewall."""
    type_ = params.get("VpcEndpointType") or "Gateway"
    if type_ in lattice_endpoint.TYPES:
        return lattice_endpoint.create(ctx, params)
    ctx.resolve("ec2:Vpc", params["VpcId"])
    message = f"VPC endpoints of type {type_} are not supported yet; firewall endpoints are made by network-firewall CreateFirewall"
    raise Unsupported(message, kind=KIND)


def modify_vpc_endpoint(ctx: Context, params: Document) -> Document:
    """ModifyVpcEndpoint."""
    row = ctx.resolve(KIND, params["VpcEndpointId"])
    if row.document.get("VpcEndpointType") not in lattice_endpoint.TYPES:
        raise _managed(row)
    lattice_endpoint.modify(ctx, row, params)
    return {"Return": True}


def delete_vpc_endpoints(ctx: Context, params: Document) -> Document:
    """DeleteVpcEndpoints: each for itself. Interfaces and associations go at once, the endpoint when the data plane has let go of it."""
    refused = []
    for identifier in params["VpcEndpointIds"]:
        row = ctx.find(KIND, identifier)
        fault: Fault
        if row is None:
            fault = ctx.missing(KIND, identifier)
        elif row.document.get("VpcEndpointType") not in lattice_endpoint.TYPES:
            fault = _managed(row)
        else:
            ctx.remove(row, force=True)
            continue
        refused.append({"ResourceId": identifier, "Error": {"Code": fault.code, "Message": fault.message}})
    return {"Unsuccessful": refused}


def _managed(row: Row) -> Fault:
    return text.invalid("OperationNotPermitted", f"{row.id} is managed by a firewall and goes with it")


def follow_lattice(ctx: Context) -> None:
    """After every round: endpoints, of whatever account, follow what their service networks have become."""
    rows = (row for row in ctx.tx.rows(KIND) if row.document.get("VpcEndpointType") in lattice_endpoint.TYPES)
    endpoint_zones.follow_all(ctx, (row for row in rows if row.status in ("creating", "ready", "updating")))
