"""DB instances: a PostgreSQL server in a VPC, reached by psql from inside instances, and by way of VPC Lattice from another VPC."""

from __future__ import annotations

import json
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
    found = Site(vpc, subnets, guard, *clients, described(lab)["Endpoint"]["Address"])
    sql(lab, found.near, found.host, "create table kept (x int); insert into kept values (7)")
    return found


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


# -- by way of VPC Lattice ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Way:
    configuration: str
    arn: str
    association: str
    name: str
    gateway_group: str
    guest: str
    endpoint_guest: str
    endpoint_name: str


@pytest.fixture(scope="module")
def way(lab: Lab, site: Site) -> Way:
    """A service network in one VPC, and a resource endpoint in another: both to the DB instance by its ARN."""
    lattice, arn = lab.client("vpc-lattice"), described(lab)["DBInstanceArn"]
    gateway_group = lab.group(site.vpc, "gateway")
    lab.ec2.authorize_security_group_ingress(GroupId=site.guard, IpPermissions=[allow("tcp", PORT, group=gateway_group)])
    gateway = lattice.create_resource_gateway(name="orders", vpcIdentifier=site.vpc, subnetIds=site.subnets[:1], securityGroupIds=[gateway_group])["id"]
    until(lambda: lattice.get_resource_gateway(resourceGatewayIdentifier=gateway)["status"] == "ACTIVE")
    definition = {"arnResource": {"arn": arn}}
    made = lattice.create_resource_configuration(name="orders", type="ARN", resourceGatewayIdentifier=gateway, resourceConfigurationDefinition=definition)
    assert (made["resourceConfigurationDefinition"], made["portRanges"]) == (definition, [])
    network = lattice.create_service_network(name="orders")["id"]
    far, other = lab.vpc("10.71.0.0/16"), lab.vpc("10.70.0.0/16")
    for vpc in (far, other):
        lab.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gate = lab.group(far, "gate", allow("tcp", PORT, cidr="10.71.0.0/16"))
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=far, securityGroupIds=[gate])  # names of ARNs come unasked
    until(lambda: state(lab, made["id"]) == "ACTIVE")
    association = lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=made["id"])["id"]
    home, place = lab.subnet(far, "10.71.1.0/24"), lab.subnet(other, "10.70.1.0/24")
    door = lab.group(other, "door", allow("tcp", PORT, cidr="10.70.1.10/32"))
    endpoint = lab.ec2.create_vpc_endpoint(
        VpcEndpointType="Resource", VpcId=other, ResourceConfigurationArn=made["arn"], SubnetIds=[place], SecurityGroupIds=[door], PrivateDnsEnabled=True,
    )["VpcEndpoint"]["VpcEndpointId"]  # fmt: skip
    guests = [lab.instance("guest", home, "10.71.1.10"), lab.instance("endpoint guest", place, "10.70.1.10")]
    lab.running(*guests)
    get = lattice.get_service_network_resource_association
    shown = until(lambda: (a := get(serviceNetworkResourceAssociationIdentifier=association))["status"] == "ACTIVE" and a)
    assert (shown["privateDnsEnabled"], shown["privateDnsEntry"]["domainName"]) == (True, site.host)
    describe = lab.ec2.describe_vpc_endpoint_associations
    found = until(lambda: describe(VpcEndpointIds=[endpoint])["VpcEndpointAssociations"])[0]
    lab.settled()
    return Way(made["id"], made["arn"], association, shown["dnsEntry"]["domainName"], gateway_group, *guests, found["DnsEntry"]["DnsName"])


def state(lab: Lab, configuration: str) -> str:
    return str(lab.client("vpc-lattice").get_resource_configuration(resourceConfigurationIdentifier=configuration)["status"])


def test_a_db_instance_is_reached_through_a_service_network_and_through_an_endpoint(lab: Lab, site: Site, way: Way) -> None:
    """By the names that VPC Lattice gives it, and by its own; it sees the resource gateway's addresses. The endpoint's VPC has the addresses of its own VPC."""
    for guest, names in ((way.guest, (way.name, site.host)), (way.endpoint_guest, (way.endpoint_name, site.host))):
        for name in names:
            assert sql(lab, guest, name, "select host(inet_client_addr()) from kept where x = 7").startswith("10.70.1."), name
    encrypted = f"sslmode=verify-full sslrootcert={AUTHORITIES}"
    assert sql(lab, way.guest, site.host, "select 3", options=encrypted) == "3"
    assert lab.run(way.guest, "getent", "hosts", site.host).stdout.split()[0].startswith("129.224.")
    assert lab.run(site.near, "getent", "hosts", site.host).stdout.split()[0].startswith("10.70.2.")


def test_connections_are_logged(lab: Lab, site: Site, way: Way) -> None:
    logs, lattice = lab.client("logs"), lab.client("vpc-lattice")
    logs.create_log_group(logGroupName="/databases")
    group = f"arn:aws:logs:{lab.region.name}:{way.arn.split(':')[4]}:log-group:/databases:*"
    lattice.create_access_log_subscription(resourceIdentifier=way.arn, destinationArn=group)
    lab.settled()
    sql(lab, way.guest, way.name, "select 1")
    (event, *_) = until(lambda: logs.filter_log_events(logGroupName="/databases")["events"])
    record = json.loads(event["message"])
    assert (record["resourceConfigurationArn"], record["serviceNetworkResourceAssociationId"]) == (way.arn, way.association)
    address = lab.run(site.near, "getent", "hosts", site.host).stdout.split()[0]
    assert (record["resourceIpPort"], record["destinationIpPort"].rpartition(":")[2], record["protocol"]) == (f"{address}:{PORT}", str(PORT), "tcp")
    assert record["gatewayIpPort"].startswith("10.70.1.")


def test_the_groups_of_gateway_and_database_both_count(lab: Lab, site: Site, way: Way) -> None:
    opened = [allow("tcp", PORT, group=way.gateway_group)]
    lab.ec2.revoke_security_group_ingress(GroupId=site.guard, IpPermissions=opened)
    lab.settled()
    assert "select" not in sql(lab, way.guest, way.name, "select 'select'")
    lab.ec2.authorize_security_group_ingress(GroupId=site.guard, IpPermissions=opened)
    lab.ec2.revoke_security_group_egress(GroupId=way.gateway_group, IpPermissions=[allow(cidr="0.0.0.0/0")])
    lab.settled()
    assert "select" not in sql(lab, way.endpoint_guest, way.endpoint_name, "select 'select'")
    lab.ec2.authorize_security_group_egress(GroupId=way.gateway_group, IpPermissions=[allow(cidr="0.0.0.0/0")])
    lab.settled()
    assert sql(lab, way.guest, way.name, "select 4") == "4"


def test_an_auth_policy_on_it_decides_about_connections(lab: Lab, way: Way) -> None:
    lattice, about = lab.client("vpc-lattice"), {"resourceIdentifier": way.configuration}
    lattice.put_auth_policy(**about, policy='{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}')
    lab.settled()
    assert "select" not in sql(lab, way.guest, way.name, "select 'select'")
    lattice.delete_auth_policy(**about)
    lab.settled()
    assert sql(lab, way.guest, way.name, "select 5") == "5"


def test_the_configuration_follows_the_db_instance(lab: Lab, site: Site, way: Way) -> None:
    rds = lab.client("rds")
    rds.stop_db_instance(DBInstanceIdentifier="orders")
    available(lab, "stopped")
    until(lambda: state(lab, way.configuration) == "UPDATE_FAILED")
    reason = lab.client("vpc-lattice").get_resource_configuration(resourceConfigurationIdentifier=way.configuration)["failureReason"]
    assert "does not run" in reason
    assert "select" not in sql(lab, way.guest, way.name, "select 'select'")
    rds.start_db_instance(DBInstanceIdentifier="orders")
    available(lab)
    until(lambda: state(lab, way.configuration) == "ACTIVE")
    assert sql(lab, way.guest, way.name, "select 6") == "6"
