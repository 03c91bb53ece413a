"""Elastic network interfaces: addresses, security groups, attachments ("Elastic network interfaces")."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.base.inet import is_reserved
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, hostnames, instance_type, ipv6, security_group, subnet, text
from latticewall.services.ec2.describe import describing, paths
from latticewall.services.ec2.requests import boolean, count, only, tags_for

FILTERS = paths(
    "network-interface-id subnet-id vpc-id availability-zone availability-zone-id description interface-type mac-address owner-id private-ip-address "
    "private-dns-name requester-id requester-managed source-dest-check status",
    group_id="Groups.GroupId", group_name="Groups.GroupName", addresses__private_ip_address="PrivateIpAddresses.PrivateIpAddress",
    addresses__primary="PrivateIpAddresses.Primary", ipv6_addresses__ipv6_address="Ipv6Addresses.Ipv6Address",
    attachment__attachment_id="Attachment.AttachmentId", attachment__status="Attachment.Status",
    attachment__instance_id="Attachment.InstanceId", attachment__instance_owner_id="Attachment.InstanceOwnerId",
    attachment__device_index="Attachment.DeviceIndex", attachment__delete_on_termination="Attachment.DeleteOnTermination",
    attachment__attach_time="Attachment.AttachTime",
)  # fmt: skip
MAX_GROUPS = 16


def mac_of(identifier: str) -> str:
    """A locally administered hardware address that follows from the interface's id."""
    digits = identifier.removeprefix("eni-")[-10:].rjust(10, "0")
    return ":".join(("02", *(digits[at : at + 2] for at in range(0, 10, 2))))


def choose_addresses(ctx: Context, home: Row, wanted: Sequence[str], more: int = 0) -> list[str]:
    """Addresses for an interface in the subnet: those wanted (checked), else the lowest free one; then `more` further ones. The primary is the first.
    Raises EC2's refusals."""
    if not subnet.has_ipv4(home):
        raise text.bad_combination(f"Subnet {home.id} is an IPv6-only subnet: its network interfaces have no private IPv4 addresses.")
    network, taken = subnet.network_of(home), subnet.taken(ctx, home)
    chosen: list[IPv4Address] = []
    for text_form in wanted:
        address = cidrs.parse_address(text_form)
        if address not in network:
            raise text.invalid("InvalidParameterValue", f"Address {address} does not fall within the subnet's address range")
        if is_reserved(address, network):
            raise text.invalid("InvalidParameterValue", f"Address {address} is in subnet's reserved address range")
        if address in taken or address in chosen:
            raise text.conflict("InvalidIPAddress.InUse", f"Address {address} is in use.")
        chosen.append(address)
    for _ in range(more + (0 if wanted else 1)):
        free = cidrs.lowest_free(network, taken.union(chosen))
        if free is None:
            message = f"There are not enough free addresses in subnet '{home.id}' to satisfy the request."
            raise text.conflict("InsufficientFreeAddressesInSubnet", message)
        chosen.append(free)
    return [str(address) for address in chosen]


def check_groups(ctx: Context, vpc_id: str, group_ids: Sequence[str]) -> list[str]:
    """The groups of an interface: in its VPC, each once, at most 16; the VPC's default group when none is given."""
    if not group_ids:
        return [security_group.default_of(ctx, vpc_id).id]
    found = list(dict.fromkeys(group_ids))
    if len(found) > MAX_GROUPS:
        raise text.conflict("SecurityGroupsPerInterfaceLimitExceeded", f"The maximum number of security groups per interface is {MAX_GROUPS}")
    for identifier in found:
        if ctx.resolve("ec2:SecurityGroup", identifier).document["VpcId"] != vpc_id:
            raise text.invalid("InvalidParameter", f"Security group {identifier} and VPC {vpc_id} belong to different networks.")
    return found


def make(
    ctx: Context, home: Row, *, addresses: Sequence[str] | None = (), more: int = 0, groups: Sequence[str] | None = (), description: str = "",
    tags: dict[str, str] | None = None, interface_type: str = "interface", requester_managed: bool = False,
    of_ipv6: tuple[Sequence[str], int] = ((), 0),
) -> Row:  # fmt: skip
    """A new interface in the subnet `home`. addresses: of IPv4, None for an interface without; without it is in an IPv6-only subnet anyway. groups: none
    given = the default group; None = an interface that never has groups. of_ipv6: addresses, and how many to pick."""
    group_ids = [] if groups is None else check_groups(ctx, home.document["VpcId"], groups)
    without = addresses is None or not (subnet.has_ipv4(home) or addresses or more)
    chosen = [] if without else choose_addresses(ctx, home, addresses or (), more)
    identifier = ctx.new_id("eni-")
    document = {
        "SubnetId": home.id, "VpcId": home.document["VpcId"], "AvailabilityZone": home.document["AvailabilityZone"], "OwnerId": ctx.caller.account,
        "AvailabilityZoneId": home.document["AvailabilityZoneId"], "Description": description, "InterfaceType": interface_type,
        "MacAddress": mac_of(identifier), "SourceDestCheck": True, "RequesterManaged": requester_managed,
        "Ipv6Addresses": ipv6.listed(ipv6.choose_addresses(ctx, home, *of_ipv6)),
        **address_members(chosen), "Groups": security_group.groups_shown(ctx, group_ids),
    }  # fmt: skip
    refs = {"SubnetId": home.id}
    row = ctx.create("ec2:NetworkInterface", document, id=identifier, parent=home.id, tags=tags, refs=refs)
    for group_id in group_ids:
        ctx.refer(row, "Groups", group_id)
    return row


def address_members(addresses: Sequence[str]) -> Document:
    """The members of a document that hold the addresses, the primary first; of an interface that has IPv6 only, none."""
    listed = [{"PrivateIpAddress": address, "Primary": index == 0} for index, address in enumerate(addresses)]
    return {"PrivateIpAddress": addresses[0] if addresses else None, "PrivateIpAddresses": listed}


def view(ctx: Context, row: Row) -> Document:
    """Status, the first IPv6 address, and names where the VPC gives names."""
    used = bool(row.document.get("Attachment") or row.document["RequesterManaged"] or ctx.tx.edges_to(row.kind, row.id))
    shown: Document = {"Status": "in-use" if used else "available"}
    shown["Tags"] = [{"Key": key, "Value": value} for key, value in sorted(row.tags.items())]
    if row.document["Ipv6Addresses"]:
        shown["Ipv6Address"] = row.document["Ipv6Addresses"][0]["Ipv6Address"]
    vpc, addresses = ctx.find("ec2:Vpc", row.document["VpcId"]), row.document["PrivateIpAddresses"]
    shown["Ipv6Native"] = not addresses
    if vpc and vpc.document["_EnableDnsHostnames"] and addresses:
        shown["PrivateIpAddresses"] = [{**item, "PrivateDnsName": hostnames.by_address(row.region, item["PrivateIpAddress"])} for item in addresses]
        shown["PrivateDnsName"] = hostnames.by_address(row.region, row.document["PrivateIpAddress"])
    return shown


def wanted_addresses(params: Document) -> list[str]:
    """The addresses that PrivateIpAddress and PrivateIpAddresses name, the primary first."""
    listed = list(params.get("PrivateIpAddresses") or ())
    primary = [item for item in listed if item.get("Primary")]
    if len(primary) > 1 or (primary and params.get("PrivateIpAddress") not in (None, "", primary[0].get("PrivateIpAddress"))):
        raise text.bad_combination("Only one primary private IP address can be specified.")
    ordered = [item["PrivateIpAddress"] for item in sorted(listed, key=lambda item: not item.get("Primary")) if item.get("PrivateIpAddress")]
    single = params.get("PrivateIpAddress")
    return [single, *(address for address in ordered if address != single)] if single else ordered


def create_network_interface(ctx: Context, params: Document) -> Document:
    """CreateNetworkInterface."""
    only(
        params, "SubnetId Description PrivateIpAddress PrivateIpAddresses SecondaryPrivateIpAddressCount Groups Ipv6Addresses Ipv6AddressCount",
        InterfaceType="interface", EnablePrimaryIpv6=False,
    )  # fmt: skip
    home = ctx.resolve("ec2:Subnet", params["SubnetId"])
    row = make(
        ctx, home, addresses=wanted_addresses(params), more=count(params, "SecondaryPrivateIpAddressCount"), groups=params.get("Groups") or (),
        description=params.get("Description") or "", tags=tags_for(params, "network-interface"), of_ipv6=ipv6.wanted(params, home),
    )  # fmt: skip
    shown = {**ctx.view(row), "Status": "pending"}
    return {"NetworkInterface": shown, "ClientToken": params.get("ClientToken") or ""}


describe_network_interfaces = describing("ec2:NetworkInterface", "NetworkInterfaces", "NetworkInterfaceIds", FILTERS)


def _users_own(ctx: Context, identifier: str) -> Row:
    """An interface that its account may change: not one that a service made for itself."""
    row = ctx.resolve("ec2:NetworkInterface", identifier)
    if row.document["RequesterManaged"]:
        raise text.invalid("OperationNotPermitted", f"The network interface '{row.id}' is managed by a service.")
    return row


def _is_of_a_service(ctx: Context, row: Row) -> bool:
    """Whether another service works with the interface, as VPC Lattice does with those of resource gateways: it counts on the addresses."""
    return any(not edge.source_kind.startswith("ec2:") for edge in ctx.tx.edges_to(row.kind, row.id))


def _without_service(ctx: Context, row: Row) -> Row:
    """The interface, if no service works with it."""
    if _is_of_a_service(ctx, row):
        raise text.invalid("OperationNotPermitted", f"The network interface '{row.id}' is managed by a service.")
    return row


def delete_network_interface(ctx: Context, params: Document) -> Document:
    """DeleteNetworkInterface: not while it is attached or belongs to a service."""
    row = ctx.resolve("ec2:NetworkInterface", params["NetworkInterfaceId"])
    if row.document["RequesterManaged"]:
        raise text.invalid("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
    if row.document.get("Attachment"):
        raise text.conflict("InvalidParameterValue", f"Network interface '{row.id}' is currently in use.")
    ctx.remove(row)
    return {}


# -- attributes ----------------------------------------------------------------------------------------------------------------------------


def set_groups(ctx: Context, row: Row, group_ids: Sequence[str]) -> Row:
    """The interface has exactly these groups from now on."""
    found = check_groups(ctx, row.document["VpcId"], group_ids)
    ctx.forget(row, "Groups")
    for identifier in found:
        ctx.refer(row, "Groups", identifier)
    return ctx.change(row, {"Groups": security_group.groups_shown(ctx, found)})


def modify_network_interface_attribute(ctx: Context, params: Document) -> Document:
    """ModifyNetworkInterfaceAttribute: Description, Groups, SourceDestCheck or the attachment's DeleteOnTermination; one per call."""
    only(params, "NetworkInterfaceId Description Groups SourceDestCheck Attachment")
    row = _users_own(ctx, params["NetworkInterfaceId"])
    given = [member for member in ("Description", "Groups", "SourceDestCheck", "Attachment") if params.get(member) is not None]
    if len(given) != 1:
        raise text.bad_combination("Fields for multiple attribute types specified" if given else "No attributes specified.")
    if given == ["Groups"]:
        set_groups(ctx, row, params["Groups"])
    elif given == ["SourceDestCheck"]:
        ctx.change(row, {"SourceDestCheck": boolean(params["SourceDestCheck"])})
    elif given == ["Description"]:
        ctx.change(row, {"Description": params["Description"].get("Value", "")})
    else:
        attachment = row.document.get("Attachment") or {}
        wanted = params["Attachment"]
        if attachment.get("AttachmentId") != wanted.get("AttachmentId"):
            raise _no_attachment(wanted.get("AttachmentId", ""))
        ctx.change(row, {"Attachment": {**attachment, "DeleteOnTermination": bool(wanted.get("DeleteOnTermination"))}})
    return {}


def describe_network_interface_attribute(ctx: Context, params: Document) -> Document:
    """DescribeNetworkInterfaceAttribute."""
    row = ctx.resolve("ec2:NetworkInterface", params["NetworkInterfaceId"])
    document = row.document
    answers: dict[str, Document] = {
        "description": {"Description": {"Value": document["Description"]}}, "groupSet": {"Groups": document["Groups"]},
        "sourceDestCheck": {"SourceDestCheck": {"Value": document["SourceDestCheck"]}},
        "attachment": {"Attachment": document["Attachment"]} if document.get("Attachment") else {},
    }  # fmt: skip
    if params.get("Attribute") not in answers:
        raise text.bad_value(params.get("Attribute"), "attribute")
    return {"NetworkInterfaceId": row.id, **answers[params["Attribute"]]}


def assign_private_ip_addresses(ctx: Context, params: Document) -> Document:
    """AssignPrivateIpAddresses: further addresses, given ones or the lowest free ones."""
    only(params, "NetworkInterfaceId PrivateIpAddresses SecondaryPrivateIpAddressCount AllowReassignment")
    row = _users_own(ctx, params["NetworkInterfaceId"])
    wanted, more = list(params.get("PrivateIpAddresses") or ()), count(params, "SecondaryPrivateIpAddressCount")
    if bool(wanted) == bool(more):
        raise text.bad_combination("Exactly one of privateIpAddresses and secondaryPrivateIpAddressCount must be specified.")
    added = choose_addresses(ctx, ctx.resolve("ec2:Subnet", row.document["SubnetId"]), wanted, 0 if wanted else more - 1)
    present = [item["PrivateIpAddress"] for item in row.document["PrivateIpAddresses"]]
    ctx.change(row, address_members([*present, *added]))
    return {"NetworkInterfaceId": row.id, "AssignedPrivateIpAddresses": [{"PrivateIpAddress": address} for address in added]}


def unassign_private_ip_addresses(ctx: Context, params: Document) -> Document:
    """UnassignPrivateIpAddresses: not the primary one."""
    only(params, "NetworkInterfaceId PrivateIpAddresses")
    row = _without_service(ctx, _users_own(ctx, params["NetworkInterfaceId"]))
    present = [item["PrivateIpAddress"] for item in row.document["PrivateIpAddresses"]]
    gone = params.get("PrivateIpAddresses") or ()
    for address in gone:
        if address not in present[1:]:
            raise text.invalid("InvalidParameterValue", f"{address} is not a secondary private IP address of {row.id}")
    ctx.change(row, address_members([address for address in present if address not in gone]))
    return {}


def assign_ipv6_addresses(ctx: Context, params: Document) -> Document:
    """AssignIpv6Addresses."""
    only(params, "NetworkInterfaceId Ipv6Addresses Ipv6AddressCount")
    row = _users_own(ctx, params["NetworkInterfaceId"])
    given, more = list(params.get("Ipv6Addresses") or ()), count(params, "Ipv6AddressCount")
    if bool(given) == bool(more):
        raise text.bad_combination("Exactly one of ipv6Addresses and ipv6AddressCount must be specified.")
    added = ipv6.choose_addresses(ctx, ctx.resolve("ec2:Subnet", row.document["SubnetId"]), given, more)
    ctx.change(row, {"Ipv6Addresses": [*row.document["Ipv6Addresses"], *ipv6.listed(added)]})
    return {"NetworkInterfaceId": row.id, "AssignedIpv6Addresses": added}


def unassign_ipv6_addresses(ctx: Context, params: Document) -> Document:
    """UnassignIpv6Addresses: not the last address of an interface that has IPv6 only."""
    only(params, "NetworkInterfaceId Ipv6Addresses")
    row = _without_service(ctx, _users_own(ctx, params["NetworkInterfaceId"]))
    gone = [str(ipv6.parse(address)) for address in params.get("Ipv6Addresses") or ()]
    present = [item["Ipv6Address"] for item in row.document["Ipv6Addresses"]]
    for address in gone:
        if address not in present:
            raise text.invalid("InvalidParameterValue", f"{address} is not an IPv6 address of {row.id}")
    left = [address for address in present if address not in gone]
    if not left and not row.document["PrivateIpAddresses"]:
        raise text.invalid("OperationNotPermitted", f"The network interface '{row.id}' has IPv6 addresses only and must keep one.")
    ctx.change(row, {"Ipv6Addresses": ipv6.listed(left)})
    return {"NetworkInterfaceId": row.id, "UnassignedIpv6Addresses": gone}


# -- attachments ---------------------------------------------------------------------------------------------------------------------------


def _no_attachment(identifier: str) -> Invalid:
    return text.invalid("InvalidAttachmentID.NotFound", f"The network interface attachment '{identifier}' does not exist.")


def attach(ctx: Context, row: Row, instance: Row, device_index: int, *, delete_on_termination: bool) -> Row:
    """Put the interface into the instance. Raises EC2's refusals."""
    if row.document.get("Attachment") or row.document["RequesterManaged"] or _is_of_a_service(ctx, row):
        raise text.conflict("InvalidNetworkInterface.InUse", f"Interface: [{row.id}] in use.")
    if row.document["AvailabilityZone"] != instance.document["Placement"]["AvailabilityZone"] or row.document["VpcId"] != instance.document["VpcId"]:
        raise text.invalid("InvalidParameterCombination", f"You may not attach a network interface to an instance of another zone or VPC: {row.id}")
    if any(other.document["Attachment"]["DeviceIndex"] == device_index for other in ctx.referring(instance, "ec2:NetworkInterface", "InstanceId")):
        raise text.invalid("InvalidParameterValue", f"Instance '{instance.id}' already has an interface attached at device index '{device_index}'.")
    if not row.document["PrivateIpAddresses"]:
        instance_type.check_nitro(instance.document["InstanceType"])
    attachment: dict[str, Any] = {
        "AttachmentId": ctx.new_id("eni-attach-"), "DeviceIndex": device_index, "NetworkCardIndex": 0, "InstanceId": instance.id,
        "InstanceOwnerId": instance.account, "Status": "attached", "AttachTime": ctx.now, "DeleteOnTermination": delete_on_termination,
    }  # fmt: skip
    ctx.refer(row, "InstanceId", instance.id)
    return ctx.change(row, {"Attachment": attachment})


def attach_network_interface(ctx: Context, params: Document) -> Document:
    """AttachNetworkInterface: an attached interface stays when the instance ends."""
    only(params, "NetworkInterfaceId InstanceId DeviceIndex NetworkCardIndex", NetworkCardIndex=0)
    row = ctx.resolve("ec2:NetworkInterface", params["NetworkInterfaceId"])
    instance = ctx.resolve("ec2:Instance", params["InstanceId"])
    attached = attach(ctx, row, instance, params["DeviceIndex"], delete_on_termination=False)
    return {"AttachmentId": attached.document["Attachment"]["AttachmentId"], "NetworkCardIndex": 0}


def detach(ctx: Context, row: Row) -> Row:
    ctx.forget(row, "InstanceId")
    return ctx.change(row, {"Attachment": None})


def detach_network_interface(ctx: Context, params: Document) -> Document:
    """DetachNetworkInterface: not the primary one."""
    only(params, "AttachmentId Force", Force=True)
    for row in ctx.live("ec2:NetworkInterface"):
        attachment = row.document.get("Attachment") or {}
        if attachment.get("AttachmentId") != params["AttachmentId"]:
            continue
        if attachment["DeviceIndex"] == 0:
            raise text.invalid("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")
        detach(ctx, row)
        return {}
    raise _no_attachment(params["AttachmentId"])
