"""Names that instances have for each other ("EC2 instance hostnames and domains").

An instance is called after its private IPv4 address (`ip-name`) or after its id (`resource-name`), which is all that there is in IPv6-only subnets. Whether
the VPC's resolver knows the name after the id, as A or AAAA records, is said for each instance; what its subnet says holds for its launch.
"""

from __future__ import annotations

from latticewall.base.faults import Invalid
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import text
from latticewall.services.ec2.requests import only

IP_NAME, RESOURCE_NAME = "ip-name", "resource-name"
A_RECORD, AAAA_RECORD = "EnableResourceNameDnsARecord", "EnableResourceNameDnsAAAARecord"


def defaults(*, native: bool) -> Document:
    """What a new subnet says. native: it has IPv6 only."""
    return {"HostnameType": RESOURCE_NAME if native else IP_NAME, A_RECORD: False, AAAA_RECORD: False}


def changed(home: Row, present: Document, given: Document) -> Document:
    """Options with some of them given, for the subnet `home` or an instance in it. Raises EC2's refusals."""
    options = {**present, **{member: value for member, value in given.items() if value not in (None, "")}}
    if options["HostnameType"] not in (IP_NAME, RESOURCE_NAME):
        raise text.bad_value(options["HostnameType"], "hostnameType", f"It is not one of {IP_NAME}, {RESOURCE_NAME}.")
    if home.document["Ipv6Native"]:
        if options["HostnameType"] != RESOURCE_NAME:
            raise _needs_ipv4(home, options["HostnameType"], "hostnameType")
        if options[A_RECORD]:
            raise _needs_ipv4(home, "true", "enableResourceNameDnsARecord")
    return options


def _needs_ipv4(home: Row, value: str, option: str) -> Invalid:
    return text.invalid("InvalidParameterValue", f"Invalid value '{value}' for {option}. Subnet {home.id} is an IPv6-only subnet")


def by_address(region: str, address: str) -> str:
    """ip-10-1-2-3.<domain>."""
    return f"ip-{address.replace('.', '-')}.{_domain(region)}"


def of_instance(row: Row) -> str:
    """The instance's PrivateDnsName."""
    if row.document["PrivateDnsNameOptions"]["HostnameType"] == RESOURCE_NAME:
        return f"{row.id}.{_domain(row.region)}"
    return by_address(row.region, row.document["PrivateIpAddress"])


def _domain(region: str) -> str:
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def modify_private_dns_name_options(ctx: Context, params: Document) -> Document:
    """ModifyPrivateDnsNameOptions: of a stopped instance the type of its name too."""
    only(params, f"InstanceId PrivateDnsHostnameType {A_RECORD} {AAAA_RECORD}")
    row = ctx.resolve("ec2:Instance", params["InstanceId"])
    present = row.document["PrivateDnsNameOptions"]
    given = {"HostnameType": params.get("PrivateDnsHostnameType"), **{member: params.get(member) for member in (A_RECORD, AAAA_RECORD)}}
    options = changed(ctx.resolve("ec2:Subnet", row.document["SubnetId"]), present, given)
    if options["HostnameType"] != present["HostnameType"] and row.status != "stopped":
        raise text.conflict("IncorrectInstanceState", f"The instance '{row.id}' is not in the 'stopped' state. (privateDnsHostnameType)")
    row = ctx.change(row, {"PrivateDnsNameOptions": options})
    ctx.change(row, {"PrivateDnsName": of_instance(row)})
    return {"Return": True}
