"""RunInstances: reading a launch, then making the instances and their interfaces ("Launch your instance")."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import hostnames, image, instance_profile, instance_type, ipv6, network_interface, text
from latticewall.services.ec2.requests import count, only, tags_for

SUPPORTED = (
    "ImageId InstanceType MinCount MaxCount KeyName SecurityGroupIds SubnetId PrivateIpAddress UserData NetworkInterfaces IamInstanceProfile "
    "MetadataOptions Placement DisableApiTermination DisableApiStop InstanceInitiatedShutdownBehavior Monitoring CreditSpecification "
    "PrivateDnsNameOptions MaintenanceOptions BlockDeviceMappings EbsOptimized CapacityReservationSpecification Ipv6Addresses Ipv6AddressCount"
)
HARMLESS = {"HibernationOptions": {"Configured": False}, "EnclaveOptions": {"Enabled": False}}
METADATA = {
    "HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled", "HttpProtocolIpv6": "disabled", "InstanceMetadataTags": "disabled",
}  # fmt: skip
"""The options of a launch that gives none, as for Amazon Linux 2023 images."""
USER_DATA_LIMIT = 16384


@dataclass
class Interface:
    """One interface of a launch: an existing one (row), or what to make."""

    device_index: int
    home: Row
    row: Row | None = None
    addresses: list[str] = field(default_factory=list)
    more: int = 0
    groups: Sequence[str] = ()
    description: str = ""
    delete_on_termination: bool = True
    of_ipv6: tuple[Sequence[str], int] = ((), 0)


def user_data(value: Any) -> str:
    """User data as base64 text. Raises InvalidUserData.Malformed."""
    if isinstance(value, bytes):
        value = base64.b64encode(value).decode()
    try:
        plain = base64.b64decode("".join((value or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise text.invalid("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data") from None
    if len(plain) > USER_DATA_LIMIT:
        raise text.invalid("InvalidParameterValue", "User data is limited to 16384 bytes")
    return base64.b64encode(plain).decode()


def metadata_options(given: Document, present: Document | None = None) -> Document:
    """MetadataOptions as stored: what is given over what was there (or AWS's defaults)."""
    chosen = {**(present or METADATA), **{key: value for key, value in given.items() if key in METADATA and value not in (None, "")}}
    if not 1 <= chosen["HttpPutResponseHopLimit"] <= 64:
        raise text.bad_value(chosen["HttpPutResponseHopLimit"], "httpPutResponseHopLimit", "It must be between 1 and 64.")
    return {"State": "applied", **{key: value for key, value in chosen.items() if key != "State"}}


def read_interfaces(ctx: Context, params: Document) -> list[Interface]:
    """The interfaces that a launch asks for, the primary first. Raises EC2's refusals."""
    listed = params.get("NetworkInterfaces") or ()
    if not listed:
        if not params.get("SubnetId"):
            raise text.invalid("MissingInput", "No subnets found for the default VPC '-1'. Please specify a subnet.")
        home = ctx.resolve("ec2:Subnet", params["SubnetId"])
        addresses = [params["PrivateIpAddress"]] if params.get("PrivateIpAddress") else []
        return [Interface(0, home, addresses=addresses, groups=params.get("SecurityGroupIds") or (), of_ipv6=ipv6.wanted(params, home))]
    if any(params.get(member) for member in ("SubnetId", "SecurityGroupIds", "PrivateIpAddress", "Ipv6Addresses", "Ipv6AddressCount")):
        message = "Network interfaces and an instance-level subnet ID, security groups or private IP address may not be specified on the same request"
        raise text.bad_combination(message)
    found = sorted((_read_interface(ctx, item) for item in listed), key=lambda item: item.device_index)
    indexes = [item.device_index for item in found]
    if len(set(indexes)) != len(indexes):
        raise text.invalid("InvalidParameterValue", "Each network interface requires a unique device index.")
    if indexes[0] != 0:
        raise text.invalid("InvalidParameterValue", "When specifying network interfaces, you must include a device at index 0.")
    if len({(item.home.document["VpcId"], item.home.document["AvailabilityZone"]) for item in found}) > 1:
        raise text.bad_combination("All network interfaces of an instance must be in one VPC and Availability Zone.")
    return found


def _read_interface(ctx: Context, item: Document) -> Interface:
    known = (
        "NetworkInterfaceId DeviceIndex SubnetId Description PrivateIpAddress PrivateIpAddresses SecondaryPrivateIpAddressCount Groups DeleteOnTermination "
        "Ipv6Addresses Ipv6AddressCount"
    )
    only(item, known, InterfaceType="interface", NetworkCardIndex=0, PrimaryIpv6=False)
    index = item.get("DeviceIndex")
    if index is None:
        raise text.invalid("InvalidParameterValue", "Each network interface requires a device index.")
    if item.get("NetworkInterfaceId"):
        if item.get("SubnetId") or item.get("Groups") or item.get("PrivateIpAddress"):
            message = "A network interface may not specify both a network interface ID and a subnet, groups or private IP address"
            raise text.bad_combination(message)
        row = ctx.resolve("ec2:NetworkInterface", item["NetworkInterfaceId"])
        home = ctx.resolve("ec2:Subnet", row.document["SubnetId"])
        return Interface(index, home, row=row, delete_on_termination=bool(item.get("DeleteOnTermination")))
    if not item.get("SubnetId"):
        raise text.invalid("MissingInput", "No subnets found for the default VPC '-1'. Please specify a subnet.")
    home = ctx.resolve("ec2:Subnet", item["SubnetId"])
    return Interface(
        index, home, of_ipv6=ipv6.wanted(item, home), addresses=network_interface.wanted_addresses(item), groups=item.get("Groups") or (),
        more=count(item, "SecondaryPrivateIpAddressCount"), description=item.get("Description") or "",
        delete_on_termination=item.get("DeleteOnTermination") is not False,
    )  # fmt: skip


def _count(params: Document, interfaces: list[Interface]) -> int:
    low, high = params["MinCount"], params["MaxCount"]
    if low < 1 or high < low:
        raise text.bad_value(high, "maxCount", "It must be at least minCount, which must be at least 1.")
    fixed = any(item.row or item.addresses or item.of_ipv6[0] for item in interfaces)
    if high > 1 and fixed:
        raise text.bad_combination("A private IP address or network interface may be given only when a single instance is launched.")
    return int(high)


def _check_placement(placement: Document, home: Row) -> None:
    only(placement, "AvailabilityZone AvailabilityZoneId", Tenancy="default")
    for member in ("AvailabilityZone", "AvailabilityZoneId"):
        if placement.get(member) and placement[member] != home.document[member]:
            message = f"The availability zone '{placement[member]}' is not that of the subnet '{home.id}' ({home.document[member]})"
            raise text.invalid("InvalidParameterValue", message)


def run_instances(ctx: Context, params: Document) -> Document:
    """RunInstances: MaxCount instances in one reservation, all or none."""
    only(params, SUPPORTED, **HARMLESS)
    if params.get("BlockDeviceMappings"):
        _check_block_devices(params["BlockDeviceMappings"])
    if params.get("KeyName"):
        raise text.not_found("InvalidKeyPair.NotFound", f"The key pair '{params['KeyName']}' does not exist")
    if not params.get("ImageId"):
        raise text.missing_parameter("ImageId")
    host = image.find_at_launch(ctx, params["ImageId"])
    kind = params.get("InstanceType") or instance_type.DEFAULT
    instance_type.check(kind)
    interfaces = read_interfaces(ctx, params)
    _check_placement(params.get("Placement") or {}, interfaces[0].home)
    profile = instance_profile.resolve(ctx, params.get("IamInstanceProfile") or {})
    reservation = ctx.new_id("r-")
    template = {**_template(ctx, params, host, kind, interfaces[0].home), "_ReservationId": reservation}
    rows = [_launch(ctx, params, {**template, "AmiLaunchIndex": index}, interfaces) for index in range(_count(params, interfaces))]
    if profile:
        rows = [instance_profile.note(ctx, row, profile) for row in rows]
    return {"ReservationId": reservation, "OwnerId": ctx.caller.account, "Groups": [], "Instances": [ctx.view(row) for row in rows]}


def _check_block_devices(mappings: Sequence[Document]) -> None:
    """Instances live on the machine's file system: volumes cannot be given. Settings of the root device alone change nothing that could be seen."""
    for mapping in mappings:
        if mapping.get("DeviceName") not in ("/dev/xvda", "/dev/sda1"):
            raise text.invalid("UnsupportedOperation", f"Block devices are not supported yet: {mapping.get('DeviceName')}")


def _template(ctx: Context, params: Document, host: Document, kind: str, home: Row) -> Document:
    """The members that all instances of the launch share."""
    reservation = params.get("CapacityReservationSpecification") or {}
    only(reservation, "CapacityReservationPreference")
    return {
        "ImageId": host["ImageId"], "InstanceType": kind, "Architecture": host["Architecture"], "LaunchTime": ctx.now, "VpcId": home.document["VpcId"],
        "SubnetId": home.id, "ClientToken": params.get("ClientToken") or "", "Hypervisor": "xen", "VirtualizationType": "hvm",
        "RootDeviceType": "instance-store",
        "Placement": {"AvailabilityZone": home.document["AvailabilityZone"], "AvailabilityZoneId": home.document["AvailabilityZoneId"], "GroupName": "",
                      "Tenancy": "default"},
        "Monitoring": {"State": "enabled" if (params.get("Monitoring") or {}).get("Enabled") else "disabled"},
        "MetadataOptions": metadata_options(params.get("MetadataOptions") or {}), "EbsOptimized": bool(params.get("EbsOptimized")), "EnaSupport": True,
        "PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances", "UsageOperationUpdateTime": ctx.now, "BlockDeviceMappings": [], "ProductCodes": [],
        "PublicDnsName": "", "StateTransitionReason": "", "SourceDestCheck": True,
        "CpuOptions": {"CoreCount": instance_type.SIZES[kind][1], "ThreadsPerCore": 1},
        "HibernationOptions": {"Configured": False}, "EnclaveOptions": {"Enabled": False},
        "MaintenanceOptions": {"AutoRecovery": (params.get("MaintenanceOptions") or {}).get("AutoRecovery") or "default"},
        "PrivateDnsNameOptions": hostnames.changed(home, home.document["PrivateDnsNameOptionsOnLaunch"], params.get("PrivateDnsNameOptions") or {}),
        "CurrentInstanceBootMode": "legacy-bios",
        "CapacityReservationSpecification": {"CapacityReservationPreference": reservation.get("CapacityReservationPreference") or "open"},
        "_UserData": user_data(params.get("UserData")), "_Boot": 1, "_DisableApiTermination": bool(params.get("DisableApiTermination")),
        "_DisableApiStop": bool(params.get("DisableApiStop")), "_CpuCredits": (params.get("CreditSpecification") or {}).get("CpuCredits", ""),
        "_InstanceInitiatedShutdownBehavior": params.get("InstanceInitiatedShutdownBehavior") or "stop",
    }  # fmt: skip


def _launch(ctx: Context, params: Document, document: Document, interfaces: list[Interface]) -> Row:
    """One instance with its interfaces."""
    interface_tags = tags_for(params, "network-interface", "instance", "volume")
    instance = ctx.create("ec2:Instance", document, tags=tags_for(params, "instance", "network-interface", "volume"))
    for item in interfaces:
        row = item.row or network_interface.make(
            ctx, item.home, addresses=item.addresses, more=item.more, groups=item.groups, description=item.description, tags=interface_tags,
            of_ipv6=item.of_ipv6,
        )  # fmt: skip
        row = network_interface.attach(ctx, row, instance, item.device_index, delete_on_termination=item.delete_on_termination)
        if item.device_index == 0:
            instance = ctx.change(instance, {"PrivateIpAddress": row.document.get("PrivateIpAddress")})
            instance = ctx.change(instance, {"PrivateDnsName": hostnames.of_instance(instance)})
    return instance
