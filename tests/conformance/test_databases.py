"""DB instances: a PostgreSQL server in a VPC, reached by psql from inside instances, and by way of VPC Lattice from another VPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from latticewall.dataplane.databases.programs import releases

from .lab import Lab, allow

pytestmark = [
    pytest.mark.netns, pytest.mark.scenario, pytest.mark.skipif(not releases(), reason="postgresql: not installed"),
]  # fmt: skip
PORT = 5433
PASSWORD = "not-a-secret-1"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass
class Site:
    vpc: str
    subnets: list[str]
    guard: str
    near: str
    stranger: str
    host: str


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    rds = lab.client("rds")
    vpc = lab.vpc("10.70.0.0/16")
    subnets = [lab.subnet(vpc, f"10.70.{at}.0/24", letter) for at, letter in ((1, "a"), (2, "b"))]
    near = lab.group(vpc, "near")
    guard = lab.group(vpc, "database", allow("tcp", PORT, group=near))
    rds.create_db_subnet_group(DBSubnetGroupName="orders", DBSubnetGroupDescription="of the orders", SubnetIds=subnets)
    made = rds.create_db_instance(
        DBInstanceIdentifier="orders", Engine="postgres", DBInstanceClass="db.t3.micro", AllocatedStorage=20, MasterUsername="clerk", DBName="shop",
        MasterUserPassword=PASSWORD, DBSubnetGroupName="orders", VpcSecurityGroupIds=[guard], Port=PORT, AvailabilityZone=lab.zone("b"),
    )["DBInstance"]  # fmt: skip
    assert made["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in made
    clients = [lab.instance("near", subnets[0], "10.70.1.10", [near]), lab.instance("stranger", subnets[0], "10.70.1.11")]
    lab.running(*clients)
    available(lab)
    return Site(vpc, subnets, guard, *clients, described(lab)["Endpoint"]["Address"])


def described(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = lab.client("rds").describe_db_instances(DBInstanceIdentifier="orders")["DBInstances"][0]
    return found


def available(lab: Lab, status: str = "available") -> None:
    until(lambda: described(lab)["DBInstanceStatus"] == status, seconds=60)


def sql(lab: Lab, instance: str, host: str, statement: str, *, password: str = PASSWORD, options: str = "", port: int = PORT) -> str:
    """What a statement answers; the client's complaint when it does not."""
    where = f"host={host} port={port} user=clerk dbname=shop connect_timeout=2 {options}"
    done = lab.run(instance, "env", f"PGPASSWORD={password}", "psql", where, "-Atc", statement)
    return done.stdout.strip() if done.returncode == 0 else done.stderr


def test_a_server_answers_in_its_vpc_whom_its_security_group_lets_in(lab: Lab, site: Site) -> None:
    assert site.host.startswith("orders.")
    assert site.host.endswith(f".{lab.region.name}.rds.amazonaws.com")
    statement = "select inet_server_addr() <<= '10.70.2.0/24', current_setting('server_version') = '{}', ssl from pg_stat_ssl where pid = pg_backend_pid()"
    version = described(lab)["EngineVersion"]
    assert sql(lab, site.near, site.host, "show server_version").split()[0] == version == str(releases()[0])
    assert sql(lab, site.near, site.host, statement.format(version)).split("|")[::2] == ["t", "t"]
    assert "timeout expired" in sql(lab, site.stranger, site.host, "select 1")


def test_who_may_log_in(lab: Lab, site: Site) -> None:
    assert "password authentication failed" in sql(lab, site.near, site.host, "select 1", password="not-the-secret")
    assert sql(lab, site.near, site.host, "select 2", options=f"sslmode=verify-full sslrootcert={AUTHORITIES}") == "2"
    assert "no encryption" in sql(lab, site.near, site.host, "select 1", options="sslmode=disable")
    assert "pg_hba.conf rejects" in sql(lab, site.near, site.host, "select 1", options="user=rdsadmin")
    assert "permission denied" in sql(lab, site.near, site.host, "set role rdsadmin")
    for name, owner in (("shop", "clerk"), ("postgres", "clerk"), ("template1", "rdsadmin")):
        assert sql(lab, site.near, site.host, f"select pg_get_userbyid(datdba) from pg_database where datname = '{name}'") == owner


def test_a_server_that_is_made_to_run_programs_is_shut_in(lab: Lab, site: Site) -> None:
    """Up to PostgreSQL 15 the master user may give himself the right to."""
    if releases()[0].major > 15:
        pytest.skip("the master user cannot give himself that right")
    statement = "create temp table seen (line text); copy seen from program '{}'; select line from seen"
    sql(lab, site.near, site.host, "grant pg_execute_server_program to clerk")
    assert sql(lab, site.near, site.host, statement.format("echo $(id -u) $(ls /)")).splitlines()[-1].split()[0] != "0"
    seen = sql(lab, site.near, site.host, statement.format("ls / /etc")).splitlines()
    assert "passwd" in seen
    assert not {"root", "home", "work", "shadow"} & set(seen)
    held = sql(lab, site.near, site.host, statement.format('tr "\\t" " " < /proc/self/status')).splitlines()
    assert {"CapBnd: 0000000000000000", "NoNewPrivs: 1"} <= set(held)


def test_another_password_and_other_groups_count_at_once(lab: Lab, site: Site) -> None:
    rds = lab.client("rds")
    started = sql(lab, site.near, site.host, "select pg_postmaster_start_time()")
    open_to_all = lab.group(site.vpc, "open", allow("tcp", PORT, cidr="10.70.0.0/16"))
    rds.modify_db_instance(DBInstanceIdentifier="orders", MasterUserPassword="another-secret", VpcSecurityGroupIds=[open_to_all])
    available(lab)
    assert sql(lab, site.stranger, site.host, "select pg_postmaster_start_time()", password="another-secret") == started
    assert "password authentication failed" in sql(lab, site.near, site.host, "select 1")
    rds.modify_db_instance(DBInstanceIdentifier="orders", MasterUserPassword=PASSWORD, VpcSecurityGroupIds=[site.guard])
    available(lab)
    assert "timeout expired" in sql(lab, site.stranger, site.host, "select 1")


def test_stop_start_and_reboot_keep_data_and_address(lab: Lab, site: Site) -> None:
    rds, first = lab.client("rds"), sql(lab, site.near, site.host, "select pg_postmaster_start_time()")
    sql(lab, site.near, site.host, "create table kept (x int); insert into kept values (7)")
    assert rds.stop_db_instance(DBInstanceIdentifier="orders")["DBInstance"]["DBInstanceStatus"] == "stopping"
    available(lab, "stopped")
    assert "timeout expired" in sql(lab, site.near, site.host, "select 1")
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        rds.reboot_db_instance(DBInstanceIdentifier="orders")
    rds.start_db_instance(DBInstanceIdentifier="orders")
    available(lab)
    second = sql(lab, site.near, site.host, "select pg_postmaster_start_time() from kept where x = 7")
    rds.reboot_db_instance(DBInstanceIdentifier="orders")
    available(lab)
    third = sql(lab, site.near, site.host, "select pg_postmaster_start_time() from kept where x = 7")
    assert first < second < third


def test_a_server_that_dies_is_started_again_with_what_was_committed(lab: Lab, site: Site) -> None:
    before = lab.region.processes()
    name = described(lab)["DbiResourceId"]
    sql(lab, site.near, site.host, "create table lasting as select 8 as x")
    lab.region.kill(name)
    until(lambda: sql(lab, site.near, site.host, "select x from lasting") == "8", seconds=30)
    assert lab.region.processes()[name]["pid"] != before[name]["pid"]
    available(lab)
