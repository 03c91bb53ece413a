"""VPC endpoints ("AWS::EC2::VPCEndpoint")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Fault
from latticewall.resources.context import Context
from latticewall.services.cloudformation.resource_types.ec2 import of_ec2
from latticewall.services.cloudformation.resource_types.row import Made, Properties, Work

LISTS = {name: (f"Add{name}", f"Remove{name}") for name in ("SubnetIds", "SecurityGroupIds", "RouteTableIds")}
"""Property -> what adds to it and what takes away."""
DEFAULTS = {"PrivateDnsEnabled": False, "IpAddressType": "ipv4"}


def _change(work: Work, made: Made, properties: Properties) -> None:
    wanted: dict[str, Any] = {}
    for name, (adds, removes) in LISTS.items():
        old, new = (_held(work, made, name, given) for given in (made.properties, properties))
        wanted |= {adds: [one for one in new if one not in old], removes: [one for one in old if one not in new]}
    for name in ("PrivateDnsEnabled", "IpAddressType", "DnsOptions", "PolicyDocument"):
        if (value := properties.get(name, DEFAULTS.get(name))) != made.properties.get(name, DEFAULTS.get(name)):
            wanted[name] = value
    given = {name: value for name, value in work.input("ec2:ModifyVpcEndpoint", wanted).items() if value not in (None, [])}
    if given:
        work.call("ec2:ModifyVpcEndpoint", {"VpcEndpointId": made.row_id, **given})


def _held(work: Work, made: Made, name: str, properties: Mapping[str, Any]) -> list[str]:
    """A list of the template; without security groups the VPC's default one."""
    if properties.get(name) or name != "SecurityGroupIds":
        return list(properties.get(name) or ())
    vpc = work.ctx.resolve("ec2:VpcEndpoint", made.row_id).document["VpcId"]
    return [row.id for row in work.ctx.live("ec2:SecurityGroup", name="default") if row.document["VpcId"] == vpc]


def _delete(work: Work, made: Made) -> None:
    for refused in work.call("ec2:DeleteVpcEndpoints", {"VpcEndpointIds": [made.row_id]})["Unsuccessful"]:
        raise Fault(refused["Error"]["Message"], code=refused["Error"]["Code"], id=made.row_id)


def _dns_entries(ctx: Context, made: Made) -> list[str]:
    shown = ctx.view(ctx.resolve("ec2:VpcEndpoint", made.row_id))
    return [f"{entry['HostedZoneId']}:{entry['DnsName']}" for entry in shown["DnsEntries"]]


TYPES = (
    of_ec2(
        "VPCEndpoint",
        "VpcId=! VpcEndpointType= ServiceName= ServiceNetworkArn= ResourceConfigurationArn= ServiceRegion= SubnetIds SecurityGroupIds PrivateDnsEnabled "
        "IpAddressType DnsOptions PolicyDocument RouteTableIds",
        noun="VpcEndpoint", tag_type="vpc-endpoint", changing=_change, removing=_delete, delete="",
        attributes={"Id": "@id", "CreationTimestamp": "CreationTimestamp", "NetworkInterfaceIds": "NetworkInterfaceIds", "DnsEntries": _dns_entries},
    ),
)  # fmt: skip
