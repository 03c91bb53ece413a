"""Network ACLs of subnets that the service network's own addresses, and a resource gateway's, are reached from and reach into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Any

import pytest
from bench.region import until

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
SERVICES, SERVICES_IPV6, RESOURCES = "169.254.171.0/24", "fd00:ec2:80::/64", "129.224.0.0/17"
WEB, DATA = 7001, 7777
ANSWERS = (1024, 65535)
EVERYTHING = {"ipv4", "ipv6", "resource"}


@dataclass
class Site:
    """resource: its IPv4 address. acls: by subnet, each with nothing but entries that let everything pass."""

    client: str
    service: str
    resource: str
    group: str
    acls: dict[str, str]


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """A dual-stack VPC of clients; a VPC where the service's target and the resource are in subnet `targets`, the resource gateway in `gateway`."""
    ec2, lattice = lab.ec2, lab.client("vpc-lattice")
    made = ec2.create_vpc(CidrBlock="10.71.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    clients, servers = made["VpcId"], lab.vpc("10.72.0.0/16")
    block = next(IPv6Network(made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]).subnets(new_prefix=64))
    near = ec2.create_subnet(VpcId=clients, CidrBlock="10.71.1.0/24", Ipv6CidrBlock=str(block), AvailabilityZone=lab.zone("a"))["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=near, AssignIpv6AddressOnCreation={"Value": True})
    ec2.modify_vpc_attribute(VpcId=clients, EnableDnsHostnames={"Value": True})
    subnets = {"clients": near, "targets": lab.subnet(servers, "10.72.1.0/24"), "gateway": lab.subnet(servers, "10.72.2.0/24")}
    network = lattice.create_service_network(name="bordered")["id"]
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=clients)
    group = lab.group(servers, "bordered", allow(cidr="0.0.0.0/0"))
    instances = [
        lab.instance("client", near, "10.71.1.5"),
        lab.instance("bordered", subnets["targets"], "10.72.1.5", [group], server("bordered", http=[WEB], tcp=[DATA])),
    ]
    check = {"enabled": True, "healthCheckIntervalSeconds": 5, "healthCheckTimeoutSeconds": 1, "healthyThresholdCount": 2, "unhealthyThresholdCount": 2}
    config = {"port": WEB, "protocol": "HTTP", "vpcIdentifier": servers, "healthCheck": check}
    targets = lattice.create_target_group(name="bordered", type="IP", config=config)["id"]
    until(lambda: lattice.get_target_group(targetGroupIdentifier=targets)["status"] == "ACTIVE")
    lattice.register_targets(targetGroupIdentifier=targets, targets=[{"id": "10.72.1.5"}])
    service = lattice.create_service(name="bordered")
    forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": targets}]}}
    lattice.create_listener(serviceIdentifier=service["id"], name="web", protocol="HTTP", defaultAction=forward)
    lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service["id"])
    gateway = lattice.create_resource_gateway(name="bordered", vpcIdentifier=servers, subnetIds=[subnets["gateway"]], securityGroupIds=[group])["id"]
    until(lambda: lattice.get_resource_gateway(resourceGatewayIdentifier=gateway)["status"] == "ACTIVE")
    configuration = lattice.create_resource_configuration(
        name="bordered", type="SINGLE", protocol="TCP", resourceGatewayIdentifier=gateway, portRanges=[str(DATA)],
        resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.72.1.5"}},
    )["id"]  # fmt: skip
    until(lambda: lattice.get_resource_configuration(resourceConfigurationIdentifier=configuration)["status"] == "ACTIVE")
    made = lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=configuration)["id"]
    get = lattice.get_service_network_resource_association
    shown = until(lambda: (found := get(serviceNetworkResourceAssociationIdentifier=made))["status"] == "ACTIVE" and found)
    lab.running(*instances)
    lab.settled()
    acls = {name: _open_acl(lab, clients if name == "clients" else servers, identifier) for name, identifier in subnets.items()}
    lab.settled()
    address = until(lambda: lab.run(instances[0], "getent", "ahostsv4", shown["dnsEntry"]["domainName"]).stdout).split()[0]
    found = Site(instances[0], service["dnsEntry"]["domainName"], address, targets, acls)
    assert until(lambda: reached(lab, found) == EVERYTHING)
    return found


def _open_acl(lab: Lab, vpc: str, subnet: str) -> str:
    """An ACL for the subnet that lets everything pass by entries that others can come before."""
    ec2 = lab.ec2
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for egress in (True, False):
        ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=200, Protocol="-1", RuleAction="allow", Egress=egress, CidrBlock="0.0.0.0/0")
        ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=201, Protocol="-1", RuleAction="allow", Egress=egress, Ipv6CidrBlock="::/0")
    found = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"][0]
    before = next(item for item in found["Associations"] if item["SubnetId"] == subnet)["NetworkAclAssociationId"]
    ec2.replace_network_acl_association(AssociationId=before, NetworkAclId=acl)
    return str(acl)


@contextmanager
def closed(lab: Lab, acl: str, *, egress: bool, cidr: str, ports: tuple[int, int]) -> Iterator[None]:
    """The ACL lets everything pass but this."""
    block: dict[str, Any] = {"Ipv6CidrBlock" if ":" in cidr else "CidrBlock": cidr, "PortRange": {"From": ports[0], "To": ports[1]}}
    lab.ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Protocol="6", RuleAction="deny", Egress=egress, **block)
    lab.settled()
    yield
    lab.ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=egress)
    lab.settled()


def reached(lab: Lab, site: Site) -> set[str]:
    """What the client gets an answer from; the resource over IPv4."""
    families = {"ipv4": "-4", "ipv6": "-6"}
    found = {name for name, option in families.items() if lab.curl(site.client, f"http://{site.service}/", option, seconds=0.7)[0] == 200}
    return found | ({"resource"} if lab.talk(site.client, site.resource, DATA, seconds=0.7) else set())


def explained(lab: Lab, site: Site) -> dict[str, bool]:
    """What `explain` says of the same: of the service by name, over either family, and of the resource. Where it says no, it names the ACL's entry."""
    found = {}
    for name, url in (("service", f"http://{site.service}/"), ("resource", f"tcp://{site.resource}:{DATA}")):
        answer = lab.region.session.ask("explain", {"url": url, "source": site.client})
        assert answer["verdict"] in ("allowed", "denied"), answer
        found[name] = answer["verdict"] == "allowed"
        failing = [gate for gate in answer["gates"] if gate["outcome"] == "fail"]
        assert all(gate["name"].endswith("network-acl") and gate["decided_by"].endswith(" #100") for gate in failing), failing
        if name == "service":
            found["over IPv6"] = ":" in answer["request"]["address"]
    return found


@pytest.mark.parametrize(
    ("subnet", "egress", "cidr", "ports", "left"),
    [
        pytest.param("clients", True, SERVICES, (80, 80), {"ipv6", "resource"}, id="from clients to services"),
        pytest.param("clients", False, SERVICES, ANSWERS, {"ipv6", "resource"}, id="from services back to clients"),
        pytest.param("clients", True, SERVICES_IPV6, (80, 80), {"ipv4", "resource"}, id="from clients to services over IPv6"),
        pytest.param("clients", False, SERVICES_IPV6, ANSWERS, {"ipv4", "resource"}, id="from services back to clients over IPv6"),
        pytest.param("clients", True, RESOURCES, (DATA, DATA), {"ipv4", "ipv6"}, id="from clients to resources"),
        pytest.param("targets", False, SERVICES, (WEB, WEB), {"resource"}, id="from the service network to targets"),
        pytest.param("targets", True, SERVICES, ANSWERS, {"resource"}, id="from targets back to the service network"),
        pytest.param("targets", False, "10.72.2.0/24", (DATA, DATA), {"ipv4", "ipv6"}, id="from the gateway to the resource"),
        pytest.param("targets", True, "10.72.2.0/24", ANSWERS, {"ipv4", "ipv6"}, id="from the resource back to the gateway"),
        pytest.param("gateway", True, "10.72.1.0/24", (DATA, DATA), {"ipv4", "ipv6"}, id="out of the gateway's subnet"),
        pytest.param("gateway", False, "10.72.1.0/24", ANSWERS, {"ipv4", "ipv6"}, id="back into the gateway's subnet"),
    ],
)
def test_what_an_acl_closes(lab: Lab, site: Site, subnet: str, egress: bool, cidr: str, ports: tuple[int, int], left: set[str]) -> None:
    with closed(lab, site.acls[subnet], egress=egress, cidr=cidr, ports=ports):
        assert reached(lab, site) == left
        families = left & {"ipv4", "ipv6"}
        told = explained(lab, site)
        assert (told["service"], told["resource"]) == (bool(families), "resource" in left)
        assert not families or told["over IPv6"] == ("ipv6" in left)


def test_health_checks_meet_the_targets_acl(lab: Lab, site: Site) -> None:
    assert reached(lab, site) == EVERYTHING, "what was closed is open again"

    def status() -> str:
        return str(lab.client("vpc-lattice").list_targets(targetGroupIdentifier=site.group)["items"][0]["status"])

    until(lambda: status() == "HEALTHY")
    with closed(lab, site.acls["targets"], egress=True, cidr=SERVICES, ports=ANSWERS):
        until(lambda: status() == "UNHEALTHY")
