"""Resource configurations of type ARN: a DB instance behind a resource gateway, from the API to the plan."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.control_plane.world import compile_snapshot
from latticewall.plan.node import NodePlan

ARN = f"arn:aws:rds:{NAME}:{ACCOUNT}:db:orders"
DEFINITION = {"arnResource": {"arn": ARN}}
ORDERS = {"DBInstanceIdentifier": "orders"}


class Site:
    """A DB instance in a VPC with a gateway; a service network in another VPC."""

    def __init__(self, region: Region) -> None:
        self.region, self.rds, self.lattice = region, client("rds"), region.lattice
        self.vpc, self.far = region.vpc(), region.vpc("10.1.0.0/16")
        self.subnets = [region.subnet(self.vpc), region.subnet(self.vpc, "10.0.2.0/24", "b")]
        self.rds.create_db_subnet_group(DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=self.subnets)
        self.gateway = self.made_gateway("gate", self.vpc, self.subnets[0])
        self.create()

    def create(self) -> None:
        self.rds.create_db_instance(
            **ORDERS, Engine="postgres", DBInstanceClass="db.t3.micro", AllocatedStorage=20, MasterUsername="clerk",
            MasterUserPassword="not-a-secret", DBSubnetGroupName="data",
        )  # fmt: skip
        self.region.settle()

    def made_gateway(self, name: str, vpc: str, subnet: str, **more: Any) -> str:
        made = self.lattice.create_resource_gateway(name=name, vpcIdentifier=vpc, subnetIds=[subnet], **more)
        self.region.settle()
        return str(made["id"])

    def configuration(self, **more: Any) -> dict[str, Any]:
        given = {"name": "orders", "type": "ARN", "resourceGatewayIdentifier": self.gateway, "resourceConfigurationDefinition": DEFINITION, **more}
        made: dict[str, Any] = self.lattice.create_resource_configuration(**given)
        return made

    def plan(self) -> NodePlan:
        with self.region.store.read() as snapshot:
            return compile_snapshot(snapshot, "2026-01-02T03:04:05Z")


@pytest.fixture
def site(region: Region) -> Site:
    return Site(region)


def test_an_arn_configuration_is_the_db_instance(region: Region, site: Site) -> None:
    made = site.configuration()
    region.settle()
    shown = site.lattice.get_resource_configuration(resourceConfigurationIdentifier=made["id"])
    assert (shown["status"], shown["type"], shown["resourceConfigurationDefinition"], shown["portRanges"]) == ("ACTIVE", "ARN", DEFINITION, [])
    assert [(item["type"], item["id"]) for item in site.lattice.list_resource_configurations()["items"]] == [("ARN", made["id"])]
    about = {"resourceConfigurationIdentifier": made["id"]}
    assert site.lattice.update_resource_configuration(**about, allowAssociationToShareableServiceNetwork=True)["allowAssociationToShareableServiceNetwork"]
    region.settle()
    site.lattice.update_resource_configuration(**about, resourceConfigurationDefinition=DEFINITION)
    region.settle()
    for change, words in (
        ({"resourceConfigurationDefinition": {"arnResource": {"arn": ARN + "2"}}}, "cannot be changed"),
        ({"resourceConfigurationDefinition": {"ipResource": {"ipAddress": "10.0.1.9"}}}, "cannot be changed"), ({"portRanges": ["5432"]}, "not for"),
    ):  # fmt: skip
        with region.refused("ValidationException", words):
            site.lattice.update_resource_configuration(**about, **change)
    with region.refused("ValidationException", "for which IN_VPC is not supported"):
        site.lattice.update_resource_gateway(resourceGatewayIdentifier=site.gateway, resourceConfigDnsResolution="IN_VPC")


def test_what_it_cannot_be_is_refused(region: Region, site: Site) -> None:
    in_vpc = site.made_gateway("in-vpc", site.vpc, site.subnets[0], resourceConfigDnsResolution="IN_VPC")
    elsewhere = site.made_gateway("elsewhere", site.far, region.subnet(site.far, "10.1.1.0/24"))
    for more, code, words in (
        ({"resourceGatewayIdentifier": in_vpc}, "ValidationException", "IN_VPC"),
        ({"resourceGatewayIdentifier": elsewhere}, "ValidationException", f"is in VPC {site.vpc}"),
        ({"resourceConfigurationDefinition": {"arnResource": {"arn": ARN + "2"}}}, "ResourceNotFoundException", ARN + "2"),
        ({"resourceConfigurationDefinition": {"arnResource": {"arn": ARN.replace(ACCOUNT, "444455556666")}}}, "ResourceNotFoundException", "444455556666"),
        ({"resourceConfigurationDefinition": {"ipResource": {"ipAddress": "10.0.1.9"}}}, "ValidationException", "needs an arnResource"),
        ({"customDomainName": "db.example.com"}, "ValidationException", "customDomainName is not for"),
        ({"protocol": "TCP_UDP"}, "ValidationException", "CIDR"),
    ):  # fmt: skip
        with region.refused(code, words):
            site.configuration(**more)
    site.rds.create_db_instance(
        DBInstanceIdentifier="young", Engine="postgres", DBInstanceClass="db.t3.micro", AllocatedStorage=20, MasterUsername="clerk",
        MasterUserPassword="not-a-secret", DBSubnetGroupName="data",
    )  # fmt: skip
    with region.refused("ValidationException", "no endpoint yet: it is creating"):
        site.configuration(resourceConfigurationDefinition={"arnResource": {"arn": ARN.replace("orders", "young")}})


def test_the_plan_follows_the_db_instance(region: Region, site: Site) -> None:
    """Its port, whether it runs, whether it is there at all, and one of the same name in its place."""
    made = site.configuration()
    network = site.lattice.create_service_network(name="data")["id"]
    site.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=site.far)
    region.settle()
    site.lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=made["id"])
    region.settle()

    def reached() -> tuple[set[int], set[str], set[str]]:
        """Ports listened to, where they lead, what is wrong with the configuration."""
        plan = site.plan()
        (listener,) = plan.proxy.tcp_listeners
        return {first for first, _ in listener.ports}, set(listener.targets), {item.message for item in plan.problems if item.id == made["id"]}

    with region.store.read() as snapshot:
        address = snapshot.rows("rds:DBInstance")[0].document["_address"]
    assert reached() == ({5432}, {address}, set())
    site.rds.modify_db_instance(**ORDERS, DBPortNumber=6000)
    region.settle()
    assert reached() == ({6000}, {address}, set())
    site.rds.stop_db_instance(**ORDERS)
    region.settle()
    assert reached() == ({6000}, set(), {f"DB instance {ARN} does not run"})
    site.rds.delete_db_instance(**ORDERS, SkipFinalSnapshot=True)
    region.settle()
    assert reached()[1:] == (set(), {f"DB instance {ARN} does not run"})
    site.create()
    assert reached()[1:] == ({address}, set())


def test_its_own_name_leads_to_it_everywhere(region: Region, site: Site) -> None:
    """In its VPC and in those that have no way to it the address; where a service network with private DNS brings it, the network's."""
    region.ec2.modify_vpc_attribute(VpcId=site.far, EnableDnsHostnames={"Value": True})
    region.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsHostnames={"Value": True})
    third, made = region.vpc("10.2.0.0/16"), site.configuration()
    network = site.lattice.create_service_network(name="data")["id"]
    for vpc in (site.far, site.vpc):
        site.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc, privateDnsEnabled=True)
    region.settle()
    site.lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=made["id"])
    region.settle()
    name = site.rds.describe_db_instances(**ORDERS)["DBInstances"][0]["Endpoint"]["Address"] + "."
    found = {}
    for resolver in site.plan().names.resolvers:
        zones = sorted((zone for zone in resolver.zones if name.endswith(zone.origin)), key=lambda zone: -len(zone.origin))
        found[resolver.vpc_id] = [value for record in zones[0].records if (record.name, record.type) == (name, "A") for value in record.values]
    with region.store.read() as snapshot:
        (database,), (association,) = snapshot.rows("rds:DBInstance"), snapshot.rows("vpc-lattice:ServiceNetworkResourceAssociation")
    own = [database.document["_address"]]
    assert found == {site.vpc: own, third: own, site.far: [association.document["_address"]]}
