"""Network ACLs of subnets that the service network's own addresses, and a resource gateway's, are reached from and reach into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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


@dataclass(frozen=True)
class Shut:
    """What the ACL of a subnet does not let pass. way: "in" or "out" of the subnet."""

    subnet: str
    way: str
    cidr: str
    ports: tuple[int, int]


@contextmanager
def closed(lab: Lab, site: Site, *shut: Shut) -> Iterator[None]:
    """The ACLs let everything pass but these."""
    for one in shut:
        block: dict[str, Any] = {"Ipv6CidrBlock" if ":" in one.cidr else "CidrBlock": one.cidr, "PortRange": {"From": one.ports[0], "To": one.ports[1]}}
        acl = site.acls[one.subnet]
        lab.ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Protocol="6", RuleAction="deny", Egress=one.way == "out", **block)
    lab.settled()
    yield
    for one in shut:
        lab.ec2.delete_network_acl_entry(NetworkAclId=site.acls[one.subnet], RuleNumber=100, Egress=one.way == "out")
    lab.settled()


def reached(lab: Lab, site: Site) -> set[str]:
    """What the client gets an answer from, asking at the same time; the resource over IPv4."""
    asking: dict[str, Callable[[], bool]] = {
        "ipv4": lambda: lab.curl(site.client, f"http://{site.service}/", "-4", seconds=1.0)[0] == 200,
        "ipv6": lambda: lab.curl(site.client, f"http://{site.service}/", "-6", seconds=1.0)[0] == 200,
        "resource": lambda: lab.talk(site.client, site.resource, DATA, seconds=1.0) != "",
    }
    with ThreadPoolExecutor(len(asking)) as threads:
        answers = threads.map(lambda ask: ask(), asking.values())
    return {name for name, answer in zip(asking, answers, strict=True) if answer}


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


IPV4, IPV6, RESOURCE, BOTH = {"ipv4"}, {"ipv6"}, {"resource"}, {"ipv4", "ipv6"}
BORDERS = {
    "from clients to services": (Shut("clients", "out", SERVICES, (80, 80)), IPV4),
    "from services back to clients": (Shut("clients", "in", SERVICES, ANSWERS), IPV4),
    "from clients to services over IPv6": (Shut("clients", "out", SERVICES_IPV6, (80, 80)), IPV6),
    "from services back to clients over IPv6": (Shut("clients", "in", SERVICES_IPV6, ANSWERS), IPV6),
    "from clients to resources": (Shut("clients", "out", RESOURCES, (DATA, DATA)), RESOURCE),
    "from the service network to targets": (Shut("targets", "in", SERVICES, (WEB, WEB)), BOTH),
    "from targets back to the service network": (Shut("targets", "out", SERVICES, ANSWERS), BOTH),
    "from the gateway to the resource": (Shut("targets", "in", "10.72.2.0/24", (DATA, DATA)), RESOURCE),
    "from the resource back to the gateway": (Shut("targets", "out", "10.72.2.0/24", ANSWERS), RESOURCE),
    "out of the gateway's subnet": (Shut("gateway", "out", "10.72.1.0/24", (DATA, DATA)), RESOURCE),
    "back into the gateway's subnet": (Shut("gateway", "in", "10.72.1.0/24", ANSWERS), RESOURCE),
}
"""What is shut, and what is lost by that alone."""


@pytest.mark.parametrize(
    "borders",
    [
        ("from clients to services", "from the gateway to the resource"),
        ("from services back to clients", "from the resource back to the gateway"),
        ("from clients to services over IPv6", "out of the gateway's subnet"),
        ("from services back to clients over IPv6", "back into the gateway's subnet"),
        ("from the service network to targets", "from clients to resources"),
        ("from targets back to the service network",),
    ],
    ids=" and ".join,
)
def test_what_an_acl_closes(lab: Lab, site: Site, borders: tuple[str, ...]) -> None:
    """Two at a time where what the one closes and what the other closes have nothing in common."""
    shut, lost = zip(*map(BORDERS.__getitem__, borders), strict=True)
    assert sum(map(len, lost)) == len(set().union(*lost))
    with closed(lab, site, *shut):
        left = EVERYTHING - set().union(*lost)
        assert reached(lab, site) == left
        families = left & BOTH
        told = explained(lab, site)
        assert (told["service"], told["resource"]) == (bool(families), "resource" in left)
        assert not families or told["over IPv6"] == ("ipv6" in left)


def test_health_checks_meet_the_targets_acl(lab: Lab, site: Site) -> None:
    assert reached(lab, site) == EVERYTHING, "what was closed is open again"

    def status() -> str:
        return str(lab.client("vpc-lattice").list_targets(targetGroupIdentifier=site.group)["items"][0]["status"])

    until(lambda: status() == "HEALTHY")
    with closed(lab, site, Shut("targets", "out", SERVICES, ANSWERS)):
        until(lambda: status() == "UNHEALTHY")
