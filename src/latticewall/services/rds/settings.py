"""What a DB instance can be told at creation and at a change, and what is refused because it would promise what is not there."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import engines, text
from latticewall.services.rds.nouns import SECURITY_GROUP

FIRST_PORT, LAST_PORT, DEFAULT_PORT = 1150, 65535, 5432
MOST_GROUPS = 5
AUTHORITY = "rds-ca-rsa2048-g1"
"""RDS's name of its default certificate authority; here it stands for the region's own."""
_NAME = re.compile(r"[a-z](?!.*--)[a-z0-9-]{0,62}(?<!-)")
_USER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_WINDOW = re.compile(r"(?:(?:mon|tue|wed|thu|fri|sat|sun):[0-2]\d:[0-5]\d-?){2}")
RESERVED_USERS = ("rdsadmin", "rds_superuser", "public", "none", "admin")
RESERVED_DATABASES = ("rdsadmin", "template0", "template1")
ONLY: Mapping[str, tuple[Any, ...]] = {
    "BackupRetentionPeriod": (0,), "BackupTarget": ("region",), "CACertificateIdentifier": (AUTHORITY,), "DatabaseInsightsMode": ("standard",),
    "EngineLifecycleSupport": ("open-source-rds-extended-support", "open-source-rds-extended-support-disabled"), "LicenseModel": (engines.LICENSE,),
    "MasterUserAuthenticationType": ("password",), "MonitoringInterval": (0,), "NetworkType": ("IPV4",), "StorageType": engines.STORAGE,
}  # fmt: skip
"""Members that may have these values: AWS's defaults and what makes no difference here."""
WHY = {
    "BackupRetentionPeriod": "automated backups are not supported: 0 is",
    "MultiAZ": "Multi-AZ deployments are not supported",
    "PubliclyAccessible": "a region has no Internet, so that no DB instance can be public",
    "StorageEncrypted": "storage is not encrypted here",
    "ManageMasterUserPassword": "there is no Secrets Manager here: give MasterUserPassword",
    "EnableIAMDatabaseAuthentication": "IAM database authentication is not supported",
    "DBClusterIdentifier": "DB clusters are not supported",
    "NewDBInstanceIdentifier": "a DB instance cannot be renamed",
}


def refuse_others(params: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse members that are not known here, unless they ask for nothing."""
    for member, value in params.items():
        if member in known or value in (None, False, "", [], {}) or value in ONLY.get(member, ()):
            continue
        raise text.unsupported(member, f"{member}={value!r} cannot be had: {WHY.get(member, 'it is not supported')}")


def check_default_groups(params: Mapping[str, Any], version: str) -> None:
    """Parameter and option groups: there are the default ones."""
    major = engines.major(version)
    if params.get("DBParameterGroupName") not in (None, "", f"default.postgres{major}"):
        raise text.refused("DBParameterGroupNotFound", f"DBParameterGroup not found: {params['DBParameterGroupName']}")
    if params.get("OptionGroupName") not in (None, "", f"default:postgres-{major}"):
        raise text.refused("OptionGroupNotFoundFault", f"Specified OptionGroupName: {params['OptionGroupName']} not found.")


def check_identifier(identifier: str) -> str:
    name = identifier.lower()
    if not _NAME.fullmatch(name):
        message = "Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen"
        raise text.invalid("DBInstanceIdentifier", f"The parameter DBInstanceIdentifier is not a valid identifier. {message} or contain two in a row.")
    return name


def check_user(name: str) -> str:
    if not _USER.fullmatch(name):
        raise text.invalid("MasterUsername", f"Invalid master user name: {name} must be 1 to 63 letters, digits and underscores and begin with a letter")
    if name.lower() in RESERVED_USERS or name.lower().startswith("pg_"):
        raise text.invalid("MasterUsername", f"MasterUsername {name} cannot be used as it is a reserved word used by the engine")
    return name


def check_database(name: str) -> str:
    if name and (not _DATABASE.fullmatch(name) or name.lower() in RESERVED_DATABASES):
        raise text.invalid("DBName", f"DBName {name} must be 1 to 63 letters, digits and underscores, begin with a letter, and be no reserved word")
    return name


def check_port(port: int) -> int:
    if not FIRST_PORT <= port <= LAST_PORT:
        raise text.invalid("Port", f"Invalid database port: {port}. Valid ports are {FIRST_PORT} to {LAST_PORT}")
    return port


def check_storage(size: int | None) -> int:
    if size is None:
        raise text.combination("The parameter AllocatedStorage must be provided and must not be blank.")
    if not engines.SMALLEST_GB <= size <= engines.LARGEST_GB:
        message = f"Invalid storage size for engine name postgres and storage type gp2: {size}. {engines.SMALLEST_GB} to {engines.LARGEST_GB} are valid"
        raise text.invalid("AllocatedStorage", message)
    return size


def check_window(window: str) -> str:
    if window and not _WINDOW.fullmatch(window.lower()):
        raise text.invalid("PreferredMaintenanceWindow", f"Invalid maintenance window format: {window}. Should be ddd:hh24:mi-ddd:hh24:mi")
    return window.lower()


def security_groups(ctx: Context, vpc_id: str, identifiers: list[str]) -> list[str]:
    """The groups, all of the VPC; the VPC's default one when none is given."""
    found = list(dict.fromkeys(identifiers))
    if len(found) > MOST_GROUPS:
        raise text.invalid("VpcSecurityGroupIds", f"A DB instance can have at most {MOST_GROUPS} security groups")
    for identifier in found:
        row = ctx.find(SECURITY_GROUP, identifier)
        if row is None:
            raise text.invalid("VpcSecurityGroupIds", f"Invalid security group , groupId= {identifier}, groupName=.")
        if row.document["VpcId"] != vpc_id:
            raise text.combination(f"The DB instance and EC2 security group are in different VPCs: {identifier} is not in VPC {vpc_id}")
    if found:
        return found
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    return [str(ctx.call("ec2:DescribeSecurityGroups", {"Filters": filters})["SecurityGroups"][0]["GroupId"])]


def endpoint(ctx: Context, name: str, port: int) -> Document:
    """Name and port under which it is reached. The middle label belongs to the account in the Region."""
    return {"Address": f"{name}.{account_label(ctx)}.{ctx.caller.region}.rds.amazonaws.com", "Port": port, "HostedZoneId": zone_id(ctx)}


def account_label(ctx: Context) -> str:
    return "c" + _digits(f"{ctx.caller.account}/{ctx.caller.region}", 11).lower()


def zone_id(ctx: Context) -> str:
    return "Z" + _digits(f"rds.{ctx.caller.region}", 13)


def _digits(text_: str, count: int) -> str:
    return base64.b32encode(hashlib.sha256(text_.encode()).digest()).decode()[:count]
