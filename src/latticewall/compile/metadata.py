"""The instance metadata of every running instance.

AWS: "Instance metadata categories", "Instance identity documents for Amazon EC2 instances", "Retrieve security credentials from instance metadata",
"View tags for your EC2 instances using instance metadata". Credentials and signatures are added by the applier: they are no part of a plan.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable

from latticewall.base.ids import namespace
from latticewall.compile.index import Attached, Index
from latticewall.compile.internal_names import internal_name
from latticewall.plan.names import MetadataInstance
from latticewall.world.types import Instance

_PREFIX = "meta-data/"
_UNFIT_TAG_KEYS = (".", "..", "_index")
"""Tag keys that cannot be names in a tree; AWS refuses them where tags are in the metadata."""


def compile_metadata(index: Index) -> tuple[MetadataInstance, ...]:
    """One per running instance that has a network interface."""
    by_instance: dict[str, list[Attached]] = {}
    for attached in (item for items in index.attached_of.values() for item in items):
        by_instance.setdefault(attached.instance.id, []).append(attached)
    found = [_instance(index, sorted(items, key=lambda item: item.interface.device_index)) for items in by_instance.values()]
    return tuple(sorted(found, key=lambda item: item.instance_id))


def _instance(index: Index, attached: list[Attached]) -> MetadataInstance:
    instance = attached[0].instance
    options = instance.metadata_options
    documents = _documents(index, instance, attached)
    if options.get("InstanceMetadataTags") == "enabled":
        documents |= {f"{_PREFIX}tags/instance/{key}": value for key, value in instance.tags.items() if _fits_path(key)}
    return MetadataInstance(
        instance_id=instance.id,
        namespace=namespace("vpc", instance.vpc_id),
        addresses=_sources(attached, has_ipv6=options.get("HttpProtocolIpv6") == "enabled"),
        documents=tuple(sorted(documents.items())),
        role_name=instance.role_name,
        role_arn=instance.role_arn,
        http_tokens=options.get("HttpTokens", "required"),
        http_endpoint=options.get("HttpEndpoint", "enabled"),
        hop_limit=int(options.get("HttpPutResponseHopLimit", 2)),
    )


def _sources(attached: list[Attached], *, has_ipv6: bool) -> tuple[str, ...]:
    """The addresses by which the instance is known to the service; without its IPv6 endpoint there is nobody at those of IPv6."""
    of_ipv6 = [str(address) for item in attached for address in item.interface.ipv6_addresses] if has_ipv6 else []
    return tuple([str(address) for item in attached for address in item.interface.addresses] + of_ipv6)


def _documents(index: Index, instance: Instance, attached: list[Attached]) -> dict[str, str]:
    """Text by path below /latest/."""
    region = index.world.region
    hostname, of_ipv6 = instance.private_dns_name, attached[0].interface.ipv6_addresses
    values = {
        "ami-id": instance.image_id,
        "ami-launch-index": str(instance.launch_index),
        "ami-manifest-path": "(unknown)",
        "events/maintenance/history": "[]",
        "events/maintenance/scheduled": "[]",
        "hibernation/configured": "false",
        "hostname": hostname,
        "instance-action": "none",
        "instance-id": instance.id,
        "instance-life-cycle": "on-demand",
        "instance-type": instance.instance_type,
        "ipv6": str(of_ipv6[0]) if of_ipv6 else "",
        "local-hostname": hostname,
        "local-ipv4": str(instance.private_ip or ""),
        "mac": attached[0].interface.mac,
        "placement/availability-zone": instance.availability_zone,
        "placement/availability-zone-id": instance.availability_zone_id,
        "placement/region": region,
        "profile": "default-hvm",
        "reservation-id": instance.reservation_id,
        "security-groups": _group_names(index, instance.security_group_ids),
        "services/domain": "amazonaws.com",
        "services/partition": instance.arn.split(":")[1],
        "system": "xen",
    }
    for item in attached:
        values |= {f"network/interfaces/macs/{item.interface.mac}/{name}": text for name, text in _interface(index, item).items()}
    if instance.role_name:
        values["iam/info"] = _profile(instance)
    documents = {_PREFIX + path: text for path, text in values.items() if text}
    documents["dynamic/fws/instance-monitoring"] = instance.monitoring
    documents["dynamic/instance-identity/document"] = _identity(instance, region)
    user_data = _user_data(instance)
    return documents | ({"user-data": user_data} if user_data else {})


def _interface(index: Index, item: Attached) -> dict[str, str]:
    interface, vpc = item.interface, index.vpcs[item.interface.vpc_id]
    return {
        "device-number": str(interface.device_index),
        "interface-id": interface.id,
        "ipv6s": _lines(interface.ipv6_addresses),
        "local-hostname": internal_name(index.world.region, interface.addresses[0]) if interface.addresses else item.instance.private_dns_name,
        "local-ipv4s": _lines(interface.addresses),
        "mac": interface.mac,
        "owner-id": item.instance.account,
        "security-group-ids": "\n".join(interface.security_group_ids),
        "security-groups": _group_names(index, interface.security_group_ids),
        "subnet-id": interface.subnet_id,
        "subnet-ipv4-cidr-block": str(item.subnet.cidr or ""),
        "subnet-ipv6-cidr-blocks": str(item.subnet.ipv6_cidr or ""),
        "vpc-id": interface.vpc_id,
        "vpc-ipv4-cidr-block": str(vpc.cidrs[0]),
        "vpc-ipv4-cidr-blocks": _lines(vpc.cidrs),
        "vpc-ipv6-cidr-blocks": _lines(vpc.ipv6_cidrs),
    }


def _lines(found: Iterable[object]) -> str:
    return "\n".join(map(str, found))


def _group_names(index: Index, ids: tuple[str, ...]) -> str:
    return "\n".join(index.security_groups[id_].name for id_ in ids if id_ in index.security_groups)


def _fits_path(tag_key: str) -> bool:
    return "/" not in tag_key and tag_key not in _UNFIT_TAG_KEYS


def _profile(instance: Instance) -> str:
    members = {"InstanceProfileArn": instance.instance_profile_arn, "InstanceProfileId": instance.instance_profile_id}
    return json.dumps({"Code": "Success", "LastUpdated": _seconds(instance.launch_time), **members}, indent=2)


def _identity(instance: Instance, region: str) -> str:
    """With AWS's spacing: what is verified is the text, to the byte."""
    return json.dumps(
        {
            "accountId": instance.account, "architecture": instance.architecture or None, "availabilityZone": instance.availability_zone,
            "billingProducts": None, "devpayProductCodes": None, "imageId": instance.image_id, "instanceId": instance.id,
            "instanceType": instance.instance_type, "kernelId": None, "marketplaceProductCodes": None, "pendingTime": _seconds(instance.launch_time),
            "privateIp": str(instance.private_ip) if instance.private_ip else None, "ramdiskId": None, "region": region, "version": "2017-09-30",
        },
        indent=2, separators=(",", " : "),
    )  # fmt: skip


def _user_data(instance: Instance) -> str:
    """What was given to RunInstances, decoded; bytes that are no UTF-8 come out again as they were (surrogates)."""
    try:
        return base64.b64decode(instance.user_data, validate=False).decode("utf-8", "surrogateescape")
    except binascii.Error:
        return ""


def _seconds(timestamp: str) -> str:
    """ISO time without the fraction of a second, as metadata writes it."""
    return timestamp.partition(".")[0].removesuffix("Z") + "Z" if timestamp else ""
