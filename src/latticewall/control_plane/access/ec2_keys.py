"""EC2's condition keys ("Actions, resources, and condition keys for Amazon EC2"): each belongs to types of resources, existing or about to be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.control_plane.access.named import Named
from latticewall.resources.context import Context

Keys = dict[str, "str | tuple[str, ...]"]
IDS = {
    "instance": "ec2:InstanceID",
    "internetgateway": "ec2:InternetGatewayID",
    "networkacl": "ec2:NetworkAclID",
    "networkinterface": "ec2:NetworkInterfaceID",
    "routetable": "ec2:RouteTableID",
    "securitygroup": "ec2:SecurityGroupID",
    "subnet": "ec2:SubnetID",
    "transitgateway": "ec2:transitGatewayId",
    "transitgatewayattachment": "ec2:transitGatewayAttachmentId",
    "transitgatewayroutetable": "ec2:transitGatewayRouteTableId",
    "vpc": "ec2:VpcID",
}
"""Keys that hold the id of an existing resource, by type."""
IN_VPC = ("networkacl", "networkinterface", "routetable", "securitygroup", "subnet")
IN_SUBNET = ("instance", "networkinterface", "subnet")
ZONES = {"AvailabilityZone": IN_SUBNET, "AvailabilityZoneId": ("instance", "subnet")}
"""Members that say which zone, and the types that have them as keys."""
METADATA = {
    "ec2:InstanceMetadataTags": "InstanceMetadataTags",
    "ec2:MetadataHttpEndpoint": "HttpEndpoint",
    "ec2:MetadataHttpPutResponseHopLimit": "HttpPutResponseHopLimit",
    "ec2:MetadataHttpTokens": "HttpTokens",
}
NOT_ATTRIBUTES = frozenset({"DryRun", "Attribute", "ClientToken"})


def ec2_keys(ctx: Context, operation: Operation, params: Mapping[str, Any], resource: Named) -> Keys:
    """The keys for one resource of a call: ec2:Region always, the others where its type has them."""
    found: Keys = {"ec2:Region": ctx.caller.region}
    found |= {f"ec2:ResourceTag/{key}": value for key, value in resource.tags.items()}
    document = resource.row.document if resource.row else {}
    if resource.row and resource.type in IDS:
        found[IDS[resource.type]] = resource.row.id
    found |= _place(ctx, params, resource, document)
    if resource.type == "instance":
        found |= _instance(ctx, operation, params, document)
    if resource.type == "image":
        found |= {"ec2:ImageID": resource.arn.rsplit("/", 1)[-1], "ec2:ImageType": "machine", "ec2:Owner": "amazon", "ec2:Public": "true"}
    if resource.type == "vpc":
        found["ec2:Tenancy"] = str(document.get("InstanceTenancy") or params.get("InstanceTenancy") or "default")
    if resource.type == "vpcendpoint":
        found |= _endpoint(params, document)
    if operation.name.startswith("Modify") and operation.name.endswith("Attribute"):
        found |= _attributes(params)
    return found


def _endpoint(params: Mapping[str, Any], document: Mapping[str, Any]) -> Keys:
    found: Keys = {}
    if service := params.get("ServiceName") or document.get("ServiceName"):
        found["ec2:VpceServiceName"] = str(service)
    options = {**(document.get("DnsOptions") or {}), **(params.get("DnsOptions") or {})}
    if preference := options.get("PrivateDnsPreference"):
        found["ec2:VpcePrivateDnsPreference"] = str(preference)
    if domains := options.get("PrivateDnsSpecifiedDomains"):
        found["ec2:VpcePrivateDnsSpecifiedDomains"] = tuple(map(str, domains))
    return found


def _place(ctx: Context, params: Mapping[str, Any], resource: Named, document: Mapping[str, Any]) -> Keys:
    """VPC, subnet and Availability Zone that a resource is in, or will be."""
    if resource.type not in (*IN_VPC, *IN_SUBNET):
        return {}
    found: Keys = {}
    subnet_id = document.get("SubnetId") or (params.get("SubnetId") if resource.row is None else None) or _first_interface(params, resource)
    subnet = resource.row if resource.type == "subnet" else ctx.find("ec2:Subnet", str(subnet_id or ""))
    vpc_id = document.get("VpcId") or (params.get("VpcId") if resource.row is None else None) or (subnet.document.get("VpcId") if subnet else None)
    vpc = ctx.find("ec2:Vpc", str(vpc_id or ""))
    if vpc and resource.type in IN_VPC:
        found["ec2:Vpc"] = vpc.arn
    if subnet and resource.type == "networkinterface":
        found["ec2:Subnet"] = subnet.arn
    for member, types in ZONES.items():
        zone = (subnet.document.get(member) if subnet else None) or params.get(member)
        if zone and resource.type in types:
            found[f"ec2:{member}"] = str(zone)
    public = [one["AssociatePublicIpAddress"] for one in params.get("NetworkInterfaces") or () if one.get("AssociatePublicIpAddress") is not None]
    if public and resource.type == "networkinterface":
        found["ec2:AssociatePublicIpAddress"] = _truth(any(public))
    return found


def _truth(value: object) -> str:
    return "true" if value else "false"


def _first_interface(params: Mapping[str, Any], resource: Named) -> str:
    """The subnet that RunInstances names in its first network interface."""
    interfaces = params.get("NetworkInterfaces") or () if resource.row is None else ()
    return next((str(one["SubnetId"]) for one in interfaces if one.get("SubnetId")), "")


def _instance(ctx: Context, operation: Operation, params: Mapping[str, Any], document: Mapping[str, Any]) -> Keys:
    found: Keys = {"ec2:RootDeviceType": "instance-store", "ec2:Tenancy": "default"}
    found["ec2:EbsOptimized"] = _truth(document.get("EbsOptimized") or params.get("EbsOptimized") is True)
    found["ec2:InstanceMarketType"] = str((params.get("InstanceMarketOptions") or {}).get("MarketType") or "on-demand")
    type_ = document.get("InstanceType") or params.get("InstanceType")
    if type_:
        found["ec2:InstanceType"] = str(type_)
    given = params.get("IamInstanceProfile") or {}
    profile = ctx.find("iam:InstanceProfile", str(given.get("Arn") or given.get("Name") or ""))
    held = (document.get("IamInstanceProfile") or {}).get("Arn") or (profile.arn if profile and not document else "")
    if held:
        found["ec2:InstanceProfile"] = str(held)
    if profile and operation.name != "RunInstances":
        found["ec2:NewInstanceProfile"] = profile.arn
    metadata = document.get("MetadataOptions") or params.get("MetadataOptions") or {}
    return found | {key: str(metadata[member]) for key, member in METADATA.items() if metadata.get(member) not in (None, "")}


def _attributes(params: Mapping[str, Any]) -> Keys:
    """ec2:Attribute: what a Modify...Attribute call changes, with the values of plain ones."""
    changed = {name: value for name, value in params.items() if name not in NOT_ATTRIBUTES and not name.endswith("Id")}
    if not changed:
        return {}
    values = {name: value.get("Value") if isinstance(value, Mapping) else value for name, value in changed.items()}
    plain = {f"ec2:Attribute/{name}": str(value).lower() if isinstance(value, bool) else str(value)
             for name, value in values.items() if isinstance(value, (str, int, bool))}  # fmt: skip
    return {"ec2:Attribute": tuple(changed), **plain}
