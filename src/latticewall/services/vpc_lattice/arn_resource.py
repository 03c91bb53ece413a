"""Resources that are named by ARN: DB instances of Amazon RDS ("Resource configurations for VPC resources", resource definition).

The resource configuration follows the DB instance: its address, its port, and whether it runs. RDS is asked for it in the caller's name.
"""

from __future__ import annotations

from typing import Any

from latticewall.base.faults import Fault, NotFound
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import text
from latticewall.services.vpc_lattice.nouns import DB_INSTANCE

MEMBER = "resourceConfigurationDefinition.arnResource.arn"
IN_VPC = "IN_VPC"


def arn_definition(ctx: Context, arn: str, gateway: Row) -> Document:
    """The definition, and what the configuration shows and keeps of the DB instance: its name, and its port for as long as it is not there."""
    if gateway.document.get("resourceConfigDnsResolution") == IN_VPC:
        raise text.invalid("resourceGatewayIdentifier", f"Resource gateway {gateway.id} resolves names in its VPC ({IN_VPC}): it cannot be used for type ARN")
    if gateway.document["ipAddressType"] == "IPV6":
        raise text.invalid("resourceGatewayIdentifier", f"Resource gateway {gateway.id} has IPv6 addresses only, and DB instances have none")
    shown = _db_instance(ctx, arn)
    if shown["DBSubnetGroup"]["VpcId"] != gateway.document["vpcId"]:
        raise text.invalid(MEMBER, f"DB instance {arn} is in VPC {shown['DBSubnetGroup']['VpcId']}, not in that of {gateway.id}, {gateway.document['vpcId']}")
    if shown["PubliclyAccessible"]:
        raise text.invalid(MEMBER, f"DB instance {arn} is publicly accessible")
    if "Endpoint" not in shown:
        raise text.invalid(MEMBER, f"DB instance {arn} has no endpoint yet: it is {shown['DBInstanceStatus']}")
    definition = {"arnResource": {"arn": arn}}
    own = {"_domain": shown["Endpoint"]["Address"], "_port": shown["Endpoint"]["Port"]}
    return {"resourceConfigurationDefinition": definition, "portRanges": [], **own}  # an empty list: without one Terraform's provider fails at updates


def _db_instance(ctx: Context, arn: str) -> dict[str, Any]:
    parts = arn.split(":")
    if parts[2] != "rds" or len(parts) != 7 or parts[5] not in ("db", "cluster"):
        raise text.invalid(MEMBER, f"{arn} is not the ARN of an Amazon RDS DB instance")
    if parts[5] == "cluster":
        raise text.unsupported(MEMBER, "DB clusters are not supported: name a DB instance")
    try:
        found: list[dict[str, Any]] = ctx.call("rds:DescribeDBInstances", {"DBInstanceIdentifier": arn})["DBInstances"]
    except Fault as fault:  # RDS's codes mean nothing to Lattice's clients
        raise NotFound(f"DB instance {arn} does not exist", kind=DB_INSTANCE, id=arn) from fault
    return found[0]
