"""Engines, their versions and instance classes: PostgreSQL, in the versions that this machine has installed.

The port `postgresql` answers them, the newest first ("15.14"); nothing when PostgreSQL is not installed.
"""

from __future__ import annotations

from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import find, text

ENGINE = "postgres"
LICENSE = "postgresql-license"
PACKAGE = "postgresql"
_SIZES = {
    "db.t3": "micro small medium large xlarge 2xlarge", "db.t4g": "micro small medium large xlarge 2xlarge",
    "db.m5": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", "db.m6g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "db.m6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge", "db.m7g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "db.r5": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", "db.r6g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "db.r6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge", "db.r7g": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
}  # fmt: skip
CLASSES = tuple(f"{family}.{size}" for family, sizes in _SIZES.items() for size in sizes.split())
"""Instance classes ("Hardware specifications for DB instance classes"). They describe: a server takes what this machine has."""
STORAGE = ("gp2", "gp3")
MOST_OPTIONS = 1000
"""On a page."""
SMALLEST_GB, LARGEST_GB = 20, 65536


def versions(ctx: Context) -> tuple[str, ...]:
    found: tuple[str, ...] = ctx.ports["postgresql"]()
    return found


def major(version: str) -> str:
    return version.partition(".")[0]


def present(ctx: Context, version: str) -> str:
    """What a server that was made with a version runs as now: the machine's minor releases come with its own updates."""
    return next((one for one in versions(ctx) if major(one) == major(version)), version)


def check_engine(engine: str) -> None:
    if engine.lower() != ENGINE:
        raise text.invalid("Engine", f"Invalid DB engine: {engine} is not supported; postgres is")


def chosen(ctx: Context, asked: str) -> str:
    """The version for a new DB instance: the newest, or the one that was asked for by its number or its major number."""
    found = versions(ctx)
    if not found:
        message = f"PostgreSQL is not installed on this machine, so that no DB instance can run: install the package `{PACKAGE}` (as root, `apt-get install"
        raise text.refused("InsufficientDBInstanceCapacity", f"{message} {PACKAGE}`)")
    if not asked:
        return found[0]
    for version in found:
        if asked in (version, major(version)):
            return version
    raise text.combination(f"Cannot find version {asked} for {ENGINE}; this machine has {', '.join(found)}")


def check_class(name: str) -> str:
    if name not in CLASSES:
        raise text.invalid("DBInstanceClass", f"Invalid DB Instance class: {name}")
    return name


def describe_versions(ctx: Context, params: Document) -> Document:
    """DescribeDBEngineVersions."""
    find.check_page_size(params)
    asked, family = params.get("EngineVersion") or "", params.get("DBParameterGroupFamily") or ""
    here = [one for one in versions(ctx) if (params.get("Engine") or ENGINE).lower() == ENGINE and asked in ("", one, major(one))]
    shown = [one for one in here if family in ("", f"{ENGINE}{major(one)}")][: 1 if params.get("DefaultOnly") else None]
    return {"DBEngineVersions": [_engine_version(one) for one in shown]}


def _engine_version(version: str) -> Document:
    return {
        "Engine": ENGINE, "EngineVersion": version, "MajorEngineVersion": major(version), "DBParameterGroupFamily": f"{ENGINE}{major(version)}",
        "DBEngineDescription": "PostgreSQL", "DBEngineVersionDescription": f"PostgreSQL {version}", "ValidUpgradeTarget": [], "Status": "available",
        "SupportsReadReplica": False, "SupportsLogExportsToCloudwatchLogs": False, "SupportsGlobalDatabases": False, "SupportsParallelQuery": False,
        "SupportsBabelfish": False, "SupportsLimitlessDatabase": False, "SupportsIntegrations": False, "SupportsLocalWriteForwarding": False,
    }  # fmt: skip


def describe_options(ctx: Context, params: Document) -> Document:
    """DescribeOrderableDBInstanceOptions."""
    find.check_page_size(params, MOST_OPTIONS)
    asked = params.get("EngineVersion") or ""
    here = [one for one in versions(ctx) if params["Engine"].lower() == ENGINE and asked in ("", one, major(one))]
    right = params.get("LicenseModel") in (None, "", LICENSE) and not params.get("AvailabilityZoneGroup") and params.get("Vpc") in (None, True)
    zones = [{"Name": zone["ZoneName"]} for zone in ctx.call("ec2:DescribeAvailabilityZones", {})["AvailabilityZones"]]
    classes = [one for one in CLASSES if params.get("DBInstanceClass") in (None, "", one)]
    options = [_option(version, name, storage, zones) for version in here for name in classes for storage in STORAGE]
    return {"OrderableDBInstanceOptions": options if right else []}


def _option(version: str, name: str, storage: str, zones: list[Document]) -> Document:
    absent = (
        "MultiAZCapable", "ReadReplicaCapable", "SupportsStorageEncryption", "SupportsIops", "SupportsEnhancedMonitoring",
        "SupportsIAMDatabaseAuthentication", "SupportsPerformanceInsights", "SupportsStorageAutoscaling", "SupportsKerberosAuthentication",
        "OutpostCapable", "SupportsGlobalDatabases", "SupportsClusters", "SupportsStorageThroughput", "SupportsDedicatedLogVolume",
    )  # fmt: skip
    return {
        "Engine": ENGINE, "EngineVersion": version, "DBInstanceClass": name, "LicenseModel": LICENSE, "AvailabilityZones": zones, "Vpc": True,
        "StorageType": storage, "MinStorageSize": SMALLEST_GB, "MaxStorageSize": LARGEST_GB, "SupportedNetworkTypes": ["IPV4"],
        **dict.fromkeys(absent, False),
    }  # fmt: skip


OPERATIONS = {"DescribeDBEngineVersions": describe_versions, "DescribeOrderableDBInstanceOptions": describe_options}
