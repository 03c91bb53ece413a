"""DB instances and DB subnet groups at the API: what is shown, what is refused, and what holds what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, client

NEEDED = {
    "DBInstanceIdentifier": "Orders", "Engine": "postgres", "DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20, "MasterUsername": "clerk",
    "MasterUserPassword": "not-a-secret", "DBSubnetGroupName": "data",
}  # fmt: skip
ORDERS = {"DBInstanceIdentifier": "orders"}
ARN = f"arn:aws:rds:{NAME}:{ACCOUNT}:"


@pytest.fixture
def rds(region: Region) -> Any:
    """With a DB subnet group `data`."""
    found = client("rds")
    vpc = region.vpc()
    subnets = [region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b"), region.subnet(vpc, "10.0.3.0/24", "c")]
    found.create_db_subnet_group(DBSubnetGroupName="Data", DBSubnetGroupDescription="data", SubnetIds=subnets, Tags=[{"Key": "a", "Value": "b"}])
    return found


def made(region: Region, rds: Any, **more: Any) -> dict[str, Any]:
    rds.create_db_instance(**{**NEEDED, **more})
    region.settle()
    found: dict[str, Any] = rds.describe_db_instances(**ORDERS)["DBInstances"][0]
    return found


def subnets(rds: Any) -> dict[str, str]:
    """Zone letter -> subnet of the group."""
    shown = rds.describe_db_subnet_groups(DBSubnetGroupName="DATA")["DBSubnetGroups"][0]["Subnets"]
    return {item["SubnetAvailabilityZone"]["Name"][-1]: item["SubnetIdentifier"] for item in shown}


def test_an_instance_is_shown_as_it_is(region: Region, rds: Any) -> None:
    fresh = rds.create_db_instance(**NEEDED, Port=6000, Tags=[{"Key": "team", "Value": "x"}])["DBInstance"]
    assert (fresh["DBInstanceStatus"], "Endpoint" in fresh, fresh["EngineVersion"]) == ("creating", False, "15.14")
    assert "not-a-secret" not in str(fresh)
    region.settle()
    shown = rds.describe_db_instances(DBInstanceIdentifier="ORDERS")["DBInstances"][0]
    assert (shown["DBInstanceStatus"], shown["DBInstanceArn"], shown["DBInstanceIdentifier"]) == ("available", ARN + "db:orders", "orders")
    assert shown["Endpoint"]["Port"] == 6000
    assert shown["Endpoint"]["Address"].endswith(f".{NAME}.rds.amazonaws.com")
    assert (shown["MultiAZ"], shown["PubliclyAccessible"], shown["StorageEncrypted"], shown["BackupRetentionPeriod"]) == (False, False, False, 0)
    assert shown["TagList"] == rds.list_tags_for_resource(ResourceName=ARN + "db:orders")["TagList"] == [{"Key": "team", "Value": "x"}]
    assert [group["Status"] for group in shown["VpcSecurityGroups"]] == ["active"]
    interface = region.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["RDSNetworkInterface orders"]}])["NetworkInterfaces"]
    assert [item["SubnetId"] for item in interface] == [subnets(rds)["a"]]


def test_the_region_keeps_no_password(region: Region, rds: Any) -> None:
    made(region, rds)
    with region.store.read() as snapshot:
        (row,) = snapshot.rows("rds:DBInstance")
    assert row.document["_verifier"].startswith("SCRAM-SHA-256$4096:")
    assert "not-a-secret" not in str(row.document)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"Engine": "mysql"}, "InvalidParameterValue", "mysql is not supported"),
        ({"EngineVersion": "16.1"}, "InvalidParameterCombination", "Cannot find version 16.1 for postgres; this machine has 15.14, 13.20"),
        ({"DBInstanceClass": "db.x9.huge"}, "InvalidParameterValue", "db.x9.huge"),
        ({"DBInstanceIdentifier": "9-lives"}, "InvalidParameterValue", "begin with a letter"),
        ({"MasterUsername": "rdsadmin"}, "InvalidParameterValue", "reserved"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue", "8 to 128"),
        ({"MasterUserPassword": "with a space"}, "InvalidParameterValue", "not a valid password"),
        ({"DBName": "a;drop"}, "InvalidParameterValue", "DBName"),
        ({"Port": 22}, "InvalidParameterValue", "1150 to 65535"),
        ({"AllocatedStorage": 1}, "InvalidParameterValue", "storage size"),
        ({"AvailabilityZone": NAME + "f"}, "InvalidVPCNetworkStateFault", "no subnet"),
        ({"DBSubnetGroupName": "none"}, "DBSubnetGroupNotFoundFault", "none"),
        ({"DBParameterGroupName": "mine"}, "DBParameterGroupNotFound", "mine"),
        ({"VpcSecurityGroupIds": ["sg-0"]}, "InvalidParameterValue", "sg-0"),
        ({"MultiAZ": True}, "InvalidParameterCombination", "Multi-AZ"),
        ({"PubliclyAccessible": True}, "InvalidParameterCombination", "no Internet"),
        ({"StorageEncrypted": True}, "InvalidParameterCombination", "not encrypted"),
        ({"BackupRetentionPeriod": 7}, "InvalidParameterCombination", "backups"),
        ({"EnableIAMDatabaseAuthentication": True}, "InvalidParameterCombination", "IAM"),
        ({"MonitoringInterval": 60}, "InvalidParameterCombination", "MonitoringInterval"),
        ({"PreferredMaintenanceWindow": "now"}, "InvalidParameterValue", "ddd:hh24:mi"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_is_not_there_is_refused(region: Region, rds: Any, more: dict[str, Any], code: str, words: str) -> None:
    with region.refused(code, words):
        rds.create_db_instance(**{**NEEDED, **more})


def test_without_postgresql_there_is_no_capacity(region: Region, rds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(region.app._ports, "postgresql", lambda: ())
    with region.refused("InsufficientDBInstanceCapacity", "apt-get install postgresql"):
        rds.create_db_instance(**NEEDED)
    assert rds.describe_db_engine_versions()["DBEngineVersions"] == []


def test_an_instance_holds_its_subnet_groups_and_interface(region: Region, rds: Any) -> None:
    shown = made(region, rds)
    with region.refused("InvalidDBSubnetGroupStateFault", "orders is still using it"):
        rds.delete_db_subnet_group(DBSubnetGroupName="data")
    by_zone = subnets(rds)
    with region.refused("SubnetAlreadyInUse", by_zone["a"]):
        rds.modify_db_subnet_group(DBSubnetGroupName="data", SubnetIds=[by_zone["b"], by_zone["c"]])
    assert len(rds.modify_db_subnet_group(DBSubnetGroupName="data", SubnetIds=[by_zone["a"], by_zone["c"]])["DBSubnetGroup"]["Subnets"]) == 2
    region.ec2.delete_subnet(SubnetId=by_zone["b"])
    interface = region.ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [by_zone["a"]]}])["NetworkInterfaces"][0]
    with region.refused("InvalidNetworkInterface.InUse"):
        region.ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    rds.delete_db_instance(**ORDERS, SkipFinalSnapshot=True)
    assert rds.describe_db_instances(**ORDERS)["DBInstances"][0]["DBInstanceStatus"] == "deleting"
    with region.refused("InvalidDBInstanceState", "already being deleted"):
        rds.delete_db_instance(**ORDERS, SkipFinalSnapshot=True)
    region.settle()
    with region.refused("DBInstanceNotFound", "orders"):
        rds.describe_db_instances(**ORDERS)
    rds.delete_db_subnet_group(DBSubnetGroupName="data")
    region.ec2.delete_subnet(SubnetId=by_zone["a"])
    assert shown["DBSubnetGroup"]["DBSubnetGroupArn"] == ARN + "subgrp:data"


def test_deletion_is_asked_for_twice(region: Region, rds: Any) -> None:
    made(region, rds, DeletionProtection=True)
    with region.refused("InvalidParameterCombination", "protected"):
        rds.delete_db_instance(**ORDERS, SkipFinalSnapshot=True)
    rds.modify_db_instance(**ORDERS, DeletionProtection=False)
    region.settle()
    with region.refused("InvalidParameterCombination", "required unless SkipFinalSnapshot"):
        rds.delete_db_instance(**ORDERS)
    with region.refused("InvalidParameterCombination", "snapshots are not supported"):
        rds.delete_db_instance(**ORDERS, FinalDBSnapshotIdentifier="last")


def test_an_instance_changes_in_place(region: Region, rds: Any) -> None:
    before = made(region, rds)
    group = region.ec2.create_security_group(GroupName="g", Description="g", VpcId=before["DBSubnetGroup"]["VpcId"])["GroupId"]
    changes = {"DBInstanceClass": "db.t3.small", "AllocatedStorage": 30, "DBPortNumber": 6001, "VpcSecurityGroupIds": [group], "StorageType": "gp3"}
    assert rds.modify_db_instance(**ORDERS, **changes, ApplyImmediately=True)["DBInstance"]["DBInstanceStatus"] == "modifying"
    with region.refused("InvalidDBInstanceState", "modifying"):
        rds.reboot_db_instance(**ORDERS)
    region.settle()
    after = rds.describe_db_instances(**ORDERS)["DBInstances"][0]
    assert (after["DBInstanceClass"], after["AllocatedStorage"], after["Endpoint"]["Port"], after["StorageType"]) == ("db.t3.small", 30, 6001, "gp3")
    assert [item["VpcSecurityGroupId"] for item in after["VpcSecurityGroups"]] == [group]
    for refused, words in (
        ({"AllocatedStorage": 20}, "less than the current size"), ({"EngineVersion": "13.20"}, "Cannot upgrade"), ({"MultiAZ": True}, "Multi-AZ"),
        ({"DBSubnetGroupName": "other"}, "cannot move"), ({"NewDBInstanceIdentifier": "x"}, "renamed"),
    ):  # fmt: skip
        with region.refused("InvalidParameterCombination", words):
            rds.modify_db_instance(**ORDERS, **refused)


def test_statuses_follow_the_data_plane(region: Region, rds: Any) -> None:
    def status() -> tuple[str, list[str]]:
        shown = rds.describe_db_instances(**ORDERS)["DBInstances"][0]
        return shown["DBInstanceStatus"], [item["Message"] for item in shown.get("StatusInfos") or ()]

    identifier = rds.create_db_instance(**NEEDED)["DBInstance"]["DbiResourceId"]
    region.settle({identifier: "its server does not start"})
    assert status() == ("failed", ["its server does not start"])
    region.settle()
    assert status() == ("available", [])
    for operation, between, after in (
        (rds.stop_db_instance, "stopping", "stopped"), (rds.start_db_instance, "starting", "available"), (rds.reboot_db_instance, "rebooting", "available"),
    ):  # fmt: skip
        assert operation(**ORDERS)["DBInstance"]["DBInstanceStatus"] == between
        region.settle()
        assert status() == (after, [])
        if after == "stopped":
            with region.refused("InvalidDBInstanceState", "it is stopped"):
                rds.modify_db_instance(**ORDERS, DeletionProtection=True)
    region.settle({identifier: "its server does not start"})
    assert status()[0] == "failed"
    rds.reboot_db_instance(**ORDERS)
    region.settle({identifier: "still not"})
    assert status() == ("failed", ["still not"])
    region.settle()
    assert status() == ("available", [])
    region.settle(unsettled=[identifier])
    assert status() == ("starting", [])
    region.settle()
    assert status() == ("available", [])


def test_lists_are_filtered_and_paged(region: Region, rds: Any) -> None:
    identifiers = {name: rds.create_db_instance(**{**NEEDED, "DBInstanceIdentifier": name})["DBInstance"]["DbiResourceId"] for name in ("b", "a", "c")}
    for filters, expected in (
        ([], ["a", "b", "c"]), ([{"Name": "dbi-resource-id", "Values": [identifiers["b"]]}], ["b"]), ([{"Name": "engine", "Values": ["mysql"]}], []),
        ([{"Name": "db-instance-id", "Values": ["a", ARN + "db:c"]}], ["a", "c"]),
    ):  # fmt: skip
        assert [item["DBInstanceIdentifier"] for item in rds.describe_db_instances(Filters=filters)["DBInstances"]] == expected
    with region.refused("InvalidParameterValue", "Unrecognized filter name"):
        rds.describe_db_instances(Filters=[{"Name": "colour", "Values": ["red"]}])
    with region.refused("InvalidParameterValue", "MaxRecords"):
        rds.describe_db_instances(MaxRecords=1)
    options = rds.describe_orderable_db_instance_options(Engine="postgres", EngineVersion="15", MaxRecords=20)
    rest = rds.describe_orderable_db_instance_options(Engine="postgres", EngineVersion="15", MaxRecords=20, Marker=options["Marker"])
    assert len(options["OrderableDBInstanceOptions"]) == 20
    assert rest["OrderableDBInstanceOptions"][0] not in options["OrderableDBInstanceOptions"]
    versions = rds.describe_db_engine_versions(Engine="postgres", DefaultOnly=True)["DBEngineVersions"]
    assert [item["EngineVersion"] for item in versions] == ["15.14"]


def test_subnet_groups_cover_two_zones_of_one_vpc(region: Region, rds: Any) -> None:
    vpc, other = region.vpc("10.1.0.0/16"), region.vpc("10.2.0.0/16")
    one, near, far = region.subnet(vpc, "10.1.1.0/24"), region.subnet(vpc, "10.1.2.0/24"), region.subnet(other, "10.2.1.0/24", "b")
    six, _ = region.ipv6_only(vpc)
    invalid = [([one, other], "InvalidSubnet") for other in (far, "subnet-0", six)]
    for ids, code in (([one, near], "DBSubnetGroupDoesNotCoverEnoughAZs"), *invalid):
        with region.refused(code):
            rds.create_db_subnet_group(DBSubnetGroupName="x", DBSubnetGroupDescription="x", SubnetIds=ids)
    with region.refused("DBSubnetGroupAlreadyExists"):
        rds.create_db_subnet_group(DBSubnetGroupName="DATA", DBSubnetGroupDescription="x", SubnetIds=[one, near])


def test_tags_by_arn(region: Region, rds: Any) -> None:
    made(region, rds)
    for name in ("db:orders", "subgrp:data"):
        rds.add_tags_to_resource(ResourceName=ARN + name, Tags=[{"Key": "k", "Value": "v"}, {"Key": "l", "Value": ""}])
        rds.remove_tags_from_resource(ResourceName=ARN + name, TagKeys=["l", "a"])
        assert rds.list_tags_for_resource(ResourceName=ARN + name)["TagList"] == [{"Key": "k", "Value": "v"}]
    with region.refused("DBInstanceNotFound"):
        rds.list_tags_for_resource(ResourceName=ARN + "db:none")
    with region.refused("InvalidParameterValue", "not the ARN"):
        rds.list_tags_for_resource(ResourceName=f"arn:aws:s3:::{ACCOUNT}")


def test_permissions_name_the_instance_its_group_and_its_kind(region: Region, rds: Any) -> None:
    def may(*statements: dict[str, Any]) -> Any:
        return region.as_user("rds", json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}))

    create, small = {"Action": "rds:CreateDBInstance"}, {"Condition": {"StringEquals": {"rds:DatabaseClass": "db.t3.micro", "rds:DatabaseEngine": "postgres"}}}
    for statement in ({**create, "Resource": ARN + "db:other"}, {**create, "Resource": ARN + "db:orders"}, {"Action": "rds:Describe*", "Resource": "*"}):
        alice = may(statement)
        with region.refused("AccessDenied", "rds:CreateDBInstance"):
            alice.create_db_instance(**NEEDED)
    alice = may({**create, **small, "Resource": [ARN + "db:orders", ARN + "subgrp:data"]})
    with region.refused("AccessDenied"):
        alice.create_db_instance(**{**NEEDED, "DBInstanceClass": "db.t3.large"})
    with region.refused("AccessDenied", "rds:AddTagsToResource"):
        alice.create_db_instance(**NEEDED, Tags=[{"Key": "team", "Value": "x"}])
    alice.create_db_instance(**NEEDED)
    region.settle()
    rds.add_tags_to_resource(ResourceName=ARN + "db:orders", Tags=[{"Key": "team", "Value": "x"}])
    of_team = {"Action": "rds:StopDBInstance", "Resource": "*"}
    alice = may({**of_team, "Condition": {"StringEquals": {"rds:db-tag/team": "y"}}})
    with region.refused("AccessDenied", "rds:StopDBInstance on resource: " + ARN + "db:orders"):
        alice.stop_db_instance(**ORDERS)
    may({**of_team, "Condition": {"StringEquals": {"rds:db-tag/team": "x"}}}).stop_db_instance(**ORDERS)
