"""A DB instance in a region of an ordinary user, who has one user only: it runs, outlives the region's end, and goes with its data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.region import Region, until

from latticewall.dataplane.databases.programs import releases

pytestmark = [
    pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(300), pytest.mark.skipif(not releases(), reason="postgresql: not installed"),
]  # fmt: skip
NOBODY = 65534
ORDERS = {"DBInstanceIdentifier": "orders"}


class OrdinaryRegion(Region):
    """Started as nobody, when root runs the tests."""

    def command(self, *words: str) -> list[str]:
        plain = super().command(*words)
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *plain] if os.geteuid() == 0 else plain


@pytest.fixture
def region() -> Iterator[OrdinaryRegion]:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv: not installed")
    folder = Path(tempfile.mkdtemp(prefix="lw-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    found = OrdinaryRegion(folder / "state")
    try:
        found.up()
        yield found
    finally:
        found.down("--purge")
        shutil.rmtree(folder, ignore_errors=True)


def test_a_database_outlives_its_region_s_end_and_goes_with_its_data(region: OrdinaryRegion) -> None:
    ec2, rds = region.client("ec2"), region.client("rds")
    vpc = ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.3.{at}.0/24", AvailabilityZone=region.name + zone)["Subnet"]["SubnetId"] for at, zone in enumerate("ab")
    ]  # fmt: skip
    rds.create_db_subnet_group(DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=subnets)
    created = rds.create_db_instance(
        **ORDERS, Engine="postgres", DBInstanceClass="db.t3.micro", AllocatedStorage=20, MasterUsername="clerk", MasterUserPassword="not-a-secret",
        DBSubnetGroupName="data",
    )["DBInstance"]  # fmt: skip
    identifier = created["DbiResourceId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    client = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[0])["Instances"][0]["InstanceId"]
    available(region)
    host = rds.describe_db_instances(**ORDERS)["DBInstances"][0]["Endpoint"]["Address"]

    def sql(statement: str) -> str:
        where = f"host={host} user=clerk dbname=postgres connect_timeout=2"
        return region.run(client, "env", "PGPASSWORD=not-a-secret", "psql", where, "-Atc", statement).stdout.strip()

    until(lambda: sql("create table kept as select 7 as x"))
    assert sql("select x from kept") == "7"
    assert owners(region, identifier) == {NOBODY if os.geteuid() == 0 else os.geteuid()}
    region.down()
    region.up()
    region.settle()
    available(region)
    until(lambda: sql("select x from kept") == "7")
    folder = region.state / "databases" / identifier
    assert folder.exists()
    region.client("rds").delete_db_instance(**ORDERS, SkipFinalSnapshot=True)
    until(lambda: not folder.exists(), seconds=30)
    assert identifier not in region.processes()


def available(region: Region) -> None:
    until(lambda: region.client("rds").describe_db_instances(**ORDERS)["DBInstances"][0]["DBInstanceStatus"] == "available", seconds=60)


def owners(region: Region, name: str) -> set[int]:
    """Users, as the host has them, of the processes of a database's server."""
    pid = region.pid(name)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {Path(f"/proc/{child}").stat().st_uid for child in children}
