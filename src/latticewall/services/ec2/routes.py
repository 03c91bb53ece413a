"""Routes of VPC route tables ("Configure route tables", "How route priority works").

A route stores its destination, one target member and its origin; whether it is active follows from the target as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from latticewall.base.faults import Invalid, Unsupported
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, sharing, text
from latticewall.services.ec2.requests import only

TARGETS = ("GatewayId", "TransitGatewayId", "VpcEndpointId", "NetworkInterfaceId", "InstanceId", "LocalTarget")
SHOWN = ("GatewayId", "TransitGatewayId", "NetworkInterfaceId")
DESTINATIONS = "DestinationCidrBlock DestinationIpv6CidrBlock DestinationPrefixListId"
SUPPORTED = f"RouteTableId {DESTINATIONS} {' '.join(TARGETS)}"


def local(cidr: str) -> Document:
    member = "DestinationIpv6CidrBlock" if ":" in cidr else "DestinationCidrBlock"
    return {member: cidr, "GatewayId": "local", "Origin": "CreateRouteTable"}


LATTICE = {"GatewayId": "VpcLattice", "Origin": "CreateRoute", "State": "active"}
"""A route of VPC Lattice's, as Terraform's provider knows it by its gateway."""
LATTICE_RESOURCES = "129.224.0.0/17"


def of_lattice(ctx: Context, vpc: Row | None, lists: Iterable[str]) -> list[Document]:
    """What an association with a service network adds to each of a VPC's tables: where services are (prefix lists) and resources. Nobody can change these
    routes, and packets do not ask for them."""
    if vpc is None or all(row.status == "deleting" for row in ctx.referring(vpc, "vpc-lattice:ServiceNetworkVpcAssociation", "vpcIdentifier")):
        return []
    destinations = [*({"DestinationPrefixListId": identifier} for identifier in lists), {"DestinationCidrBlock": LATTICE_RESOURCES}]
    return [{**destination, **LATTICE} for destination in destinations]


def block_of(route: Document) -> tuple[str, ...]:
    """The block that a stored route leads to, of either family; () for a prefix list's."""
    return tuple(route[member] for member in ("DestinationCidrBlock", "DestinationIpv6CidrBlock") if route.get(member))


def target_of(route: Document) -> str:
    """The id of what a stored route leads to ("local" for the VPC itself)."""
    return next((route[member] for member in SHOWN if route.get(member)), "")


def state(ctx: Context, table: Row, route: Document) -> str:
    """ "active", or "blackhole" when the target is gone or cannot take packets."""
    return "active" if reachable(ctx, table, target_of(route)) else "blackhole"


def reachable(ctx: Context, table: Row, target: str) -> bool:
    vpc_id = table.document["VpcId"]
    if target == "local":
        return True
    if target.startswith("tgw-"):
        return attached(ctx, vpc_id, target)
    if target.startswith("vpce-"):
        return ctx.find("ec2:VpcEndpoint", target) is not None
    if target.startswith("igw-"):
        gateway = ctx.find("ec2:InternetGateway", target)
        return gateway is not None and any(attachment["VpcId"] == vpc_id for attachment in gateway.document["Attachments"])
    interface = ctx.find("ec2:NetworkInterface", target)
    instance = ctx.find("ec2:Instance", interface.document.get("Attachment", {}).get("InstanceId", "")) if interface else None
    return instance is not None and instance.status in ("creating", "ready", "updating", "starting")


def attached(ctx: Context, vpc_id: str, gateway_id: str) -> bool:
    """Whether the VPC has an attachment to the transit gateway."""
    return any(
        row.document["TransitGatewayId"] == gateway_id and row.document["ResourceId"] == vpc_id and row.status not in (*sharing.OUT_OF_USE, sharing.UNACCEPTED)
        for row in ctx.live("ec2:TransitGatewayAttachment")
    )


def _target(ctx: Context, table: Row, params: Document) -> Document:
    """The target member to store, checked. Raises EC2's refusals."""
    given = [member for member in TARGETS if params.get(member)]
    if len(given) != 1:
        raise text.bad_combination("The request must contain exactly one of gatewayId, transitGatewayId, vpcEndpointId, networkInterfaceId, instanceId")
    member = given[0]
    identifier = params[member]
    if member == "LocalTarget" or identifier == "local":
        return {"GatewayId": "local"}
    if member == "TransitGatewayId":
        if not attached(ctx, table.document["VpcId"], identifier):
            raise text.not_found("InvalidTransitGatewayID.NotFound", f"The transitGateway ID '{identifier}' does not exist")
        return {"TransitGatewayId": identifier}
    if member == "VpcEndpointId" or (member == "GatewayId" and identifier.startswith("vpce-")):
        endpoint = _same_vpc(table, ctx.resolve("ec2:VpcEndpoint", identifier))
        if endpoint.document.get("VpcEndpointType", "GatewayLoadBalancer") != "GatewayLoadBalancer":
            raise text.invalid("InvalidParameterValue", f"{identifier} is not a Gateway Load Balancer endpoint: no route can lead to it")
        if params.get("DestinationIpv6CidrBlock"):
            raise Unsupported(f"The firewall endpoint {endpoint.id} takes no IPv6 yet", kind="ec2", fields=((member, "not supported for IPv6"),))
        return {"GatewayId": endpoint.id}
    if member == "GatewayId":
        return {"GatewayId": _internet_gateway(ctx, table, identifier)}
    if member == "InstanceId":
        identifier = _only_interface(ctx, ctx.resolve("ec2:Instance", identifier))
    return _interface(ctx, table, identifier)


def _same_vpc(table: Row, target: Row) -> Row:
    if target.document.get("VpcId") != table.document["VpcId"]:
        raise text.invalid("InvalidParameterValue", f"route table {table.id} and {target.id} belong to different networks")
    return target


def _internet_gateway(ctx: Context, table: Row, identifier: str) -> str:
    gateway = ctx.resolve("ec2:InternetGateway", identifier)
    if not any(attachment["VpcId"] == table.document["VpcId"] for attachment in gateway.document["Attachments"]):
        raise text.invalid("InvalidParameterValue", f"route table {table.id} and network gateway {identifier} belong to different networks")
    return identifier


def _only_interface(ctx: Context, instance: Row) -> str:
    interfaces = ctx.referring(instance, "ec2:NetworkInterface")
    if len(interfaces) != 1:
        raise text.invalid("InvalidInstanceID", f"There are multiple interfaces attached to instance '{instance.id}'. Please specify an interface ID.")
    return interfaces[0].id


def _interface(ctx: Context, table: Row, identifier: str) -> Document:
    interface = _same_vpc(table, ctx.resolve("ec2:NetworkInterface", identifier))
    attachment = interface.document.get("Attachment", {})
    instance = {"InstanceId": attachment["InstanceId"], "InstanceOwnerId": interface.account} if attachment.get("InstanceId") else {}
    return {"NetworkInterfaceId": interface.id, **instance}


def _destination(ctx: Context, params: Document) -> Document:
    """The one destination member to store, checked."""
    if sum(bool(params.get(member)) for member in DESTINATIONS.split()) != 1:
        message = "The request must contain exactly one of destinationCidrBlock, destinationIpv6CidrBlock, destinationPrefixListId"
        raise text.bad_combination(message)
    if params.get("DestinationIpv6CidrBlock"):
        return {"DestinationIpv6CidrBlock": str(cidrs.parse_v6(params["DestinationIpv6CidrBlock"], "destinationIpv6CidrBlock"))}
    if params.get("DestinationPrefixListId"):
        return {"DestinationPrefixListId": ctx.resolve("ec2:ManagedPrefixList", params["DestinationPrefixListId"]).id}
    network = cidrs.parse(params["DestinationCidrBlock"], "destinationCidrBlock")
    if network.subnet_of(cidrs.UNROUTABLE):
        raise text.bad_value(str(network), "destinationCidrBlock", "Routes to this range are not supported.")
    return {"DestinationCidrBlock": str(network)}


def words(destination: Document) -> str:
    """A destination as EC2's messages write it."""
    return str(next(iter(destination.values())))


def leads_to(route: Document, destination: Document) -> bool:
    return all(route.get(member) == value for member, value in destination.items())


def _check_against_local(ctx: Context, table: Row, destination: Document, target: Document) -> None:
    """A route more specific than a local one: only for a whole subnet, and only to an endpoint or interface. A list's entries are not looked at."""
    for block in block_of(destination):
        network = ip_network(block)
        local_ones = (ip_network(found) for route in table.document["Routes"] if route["Origin"] == "CreateRouteTable" for found in block_of(route))
        if any(is_inside(network, found) for found in local_ones if network != found):
            _check_more_specific(ctx, table, network, target)


def is_inside(network: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    """Of one family, and a part of the other."""
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and network.subnet_of(other)
    return isinstance(other, IPv6Network) and network.subnet_of(other)


def _check_more_specific(ctx: Context, table: Row, network: IPv4Network | IPv6Network, target: Document) -> None:
    homes = [subnet.document for subnet in ctx.live("ec2:Subnet") if subnet.document["VpcId"] == table.document["VpcId"]]
    subnets = {home.get("CidrBlock") for home in homes} | {block["Ipv6CidrBlock"] for home in homes for block in home["Ipv6CidrBlockAssociationSet"]}
    leads = target_of(target)
    if str(network) not in subnets or not leads.startswith(("vpce-", "eni-")):
        message = f"The destination CIDR block {network} is equal to or more specific than one of this VPC's CIDR blocks. "
        raise Invalid(message + "This route can target only an interface or an instance.", code="InvalidParameterValue")


def create_route(ctx: Context, params: Document) -> Document:
    """CreateRoute."""
    only(params, SUPPORTED)
    table = ctx.resolve("ec2:RouteTable", params["RouteTableId"])
    destination = _destination(ctx, params)
    target = _target(ctx, table, params)
    if any(leads_to(route, destination) for route in table.document["Routes"]):
        raise text.conflict("RouteAlreadyExists", f"The route identified by {words(destination)} already exists.")
    if target_of(target) == "local":
        raise text.bad_value("local", "gatewayId", "Local routes come with the VPC's CIDR blocks.")
    _check_against_local(ctx, table, destination, target)
    ctx.change(table, {"Routes": [*table.document["Routes"], {**destination, **target, "Origin": "CreateRoute"}]})
    return {"Return": True}


def _position(table: Row, destination: Document) -> int:
    found = [index for index, route in enumerate(table.document["Routes"]) if leads_to(route, destination)]
    if not found:
        message = f"no route with destination {words(destination)} in route table {table.id}"
        raise text.not_found("InvalidRoute.NotFound", message)
    return found[0]


def replace_route(ctx: Context, params: Document) -> Document:
    """ReplaceRoute: also the target of a local route (an interface or endpoint), and LocalTarget=true to restore it."""
    only(params, SUPPORTED)
    table = ctx.resolve("ec2:RouteTable", params["RouteTableId"])
    destination = _destination(ctx, params)
    position = _position(table, destination)
    old = table.document["Routes"][position]
    target = _target(ctx, table, params)
    is_local = old["Origin"] == "CreateRouteTable"
    leads = target_of(target)
    if (is_local and leads != "local" and not leads.startswith(("vpce-", "eni-"))) or (not is_local and leads == "local"):
        raise text.bad_value(leads, "target", "A local route leads to the VPC, an interface or a firewall endpoint, and only a local route leads to the VPC.")
    _check_against_local(ctx, table, destination, target)
    changed = list(table.document["Routes"])
    changed[position] = {**destination, **target, "Origin": old["Origin"]}
    ctx.change(table, {"Routes": changed})
    return {}


def delete_route(ctx: Context, params: Document) -> Document:
    """DeleteRoute: not the local ones."""
    only(params, f"RouteTableId {DESTINATIONS}")
    table = ctx.resolve("ec2:RouteTable", params["RouteTableId"])
    destination = _destination(ctx, params)
    position = _position(table, destination)
    if table.document["Routes"][position]["Origin"] == "CreateRouteTable":
        raise text.invalid("InvalidParameterValue", f"cannot remove local route {words(destination)} in route table {table.id}")
    ctx.change(table, {"Routes": [route for index, route in enumerate(table.document["Routes"]) if index != position]})
    return {}
