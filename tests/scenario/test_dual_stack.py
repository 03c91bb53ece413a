"""IPv6 beside IPv4 and alone, with packets: neighbours in a VPC, security groups and network ACLs per family, a Transit Gateway between two VPCs."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Any

import pytest
from bench.region import Region, running, until
from spoofed_frames import PORT, SEND, WATCH, Place, frames

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(180)]

SERVER = """
import socket, socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.client_address[0].encode())
class Server(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address, daemon_threads = socket.AF_INET6, True, True
Server(("::", 7000), Handler).serve_forever()
"""
CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], 7000), timeout=float(sys.argv[2])) as found:
        print(found.recv(100).decode().removeprefix("::ffff:"))
except OSError as error:
    print(type(error).__name__)
"""


@dataclass(frozen=True)
class Host:
    id: str
    ipv4: str
    ipv6: str
    group: str
    subnet: str
    vpc: str


@dataclass(frozen=True)
class Hosts:
    region: Region
    ec2: Any
    left: Host
    neighbour: Host
    right: Host
    alone: Host
    """In an IPv6-only subnet of left's VPC."""
    far: Host
    """In one of right's VPC."""

    def ask(self, source: Host, address: str, seconds: float = 3.0) -> str:
        """The client's address as the server saw it, or the error."""
        return self.region.run(source.id, sys.executable, "-c", CLIENT, address, str(seconds)).stdout.strip()

    def asks(self, source: Host, address: str, wanted: str) -> None:
        until(lambda: self.ask(source, address, 1.0) == wanted or None, seconds=20)


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with running() as region:
        yield built(region)


def built(region: Region) -> Hosts:
    ec2 = region.client("ec2")
    gateway = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    homes = [home(ec2, f"10.{number}.0.0/16", f"10.{number}.1.0/24") for number in (1, 2)]
    region.settle()
    for (vpc, subnet, _, _), (_, _, there_v4, there_v6) in zip(homes, reversed(homes), strict=True):
        ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[subnet], Options={"Ipv6Support": "enable"})
        (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock=there_v4, TransitGatewayId=gateway)
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationIpv6CidrBlock=there_v6, TransitGatewayId=gateway)
    vpc, _, *blocks = homes[0]
    second = list(IPv6Network(blocks[1]).subnets(new_prefix=64))[1]
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.2.0/24")["Subnet"]["SubnetId"]
    ec2.associate_subnet_cidr_block(SubnetId=other, Ipv6CidrBlock=str(second))
    ec2.modify_subnet_attribute(SubnetId=other, AssignIpv6AddressOnCreation={"Value": True})
    left, neighbour, right = launch(ec2, homes[0]), launch(ec2, (vpc, other, *blocks)), launch(ec2, homes[1])
    alone, far = (launch(ec2, ipv6_only(ec2, found), MetadataOptions={"HttpProtocolIpv6": "enabled"}) for found in homes)
    region.settle()
    return Hosts(region, ec2, left, neighbour, right, alone, far)


def ipv6_only(ec2: Any, where: tuple[str, str, str, str]) -> tuple[str, str, str, str]:
    """An IPv6-only subnet in a VPC; instances in it are known by the names after their ids."""
    vpc, _, *blocks = where
    third = list(IPv6Network(blocks[1]).subnets(new_prefix=64))[2]
    subnet = ec2.create_subnet(VpcId=vpc, Ipv6CidrBlock=str(third), Ipv6Native=True, AvailabilityZone=f"{ec2.meta.region_name}a")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, EnableResourceNameDnsAAAARecordOnLaunch={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    return (vpc, subnet, *blocks)


def home(ec2: Any, cidr: str, inner: str) -> tuple[str, str, str, str]:
    vpc = ec2.create_vpc(CidrBlock=cidr, AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    (block,) = vpc["Ipv6CidrBlockAssociationSet"]
    first = next(IPv6Network(block["Ipv6CidrBlock"]).subnets(new_prefix=64))
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=inner, Ipv6CidrBlock=str(first), AvailabilityZone=f"{ec2.meta.region_name}a")["Subnet"]
    ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], AssignIpv6AddressOnCreation={"Value": True})
    return vpc["VpcId"], subnet["SubnetId"], cidr, block["Ipv6CidrBlock"]


def launch(ec2: Any, where: tuple[str, str, str, str], **more: Any) -> Host:
    vpc, subnet, _, _ = where
    group = ec2.create_security_group(GroupName=f"g{len(ec2.describe_security_groups()['SecurityGroups'])}", Description="g", VpcId=vpc)["GroupId"]
    everywhere = {"IpProtocol": "tcp", "FromPort": 7000, "ToPort": 7000, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everywhere])
    image = ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    start = f"#!/bin/sh\nexec {sys.executable} -c '{SERVER}'\n"
    (made,) = ec2.run_instances(
        ImageId=image["ImageId"], InstanceType=size, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group], UserData=start, **more
    )["Instances"]
    return Host(made["InstanceId"], made.get("PrivateIpAddress", ""), made["Ipv6Address"], group, subnet, vpc)


def test_neighbours_and_another_vpc_are_reached_over_both_families(hosts: Hosts) -> None:
    for there in (hosts.neighbour, hosts.right):
        hosts.asks(hosts.left, there.ipv4, hosts.left.ipv4)
        hosts.asks(hosts.left, there.ipv6, hosts.left.ipv6)


def test_an_ipv6_only_subnet_is_reached_from_its_vpc_and_over_the_transit_gateway(hosts: Hosts) -> None:
    for there in (hosts.left, hosts.right, hosts.far):
        hosts.asks(hosts.alone, there.ipv6, hosts.alone.ipv6)
        hosts.asks(there, hosts.alone.ipv6, there.ipv6)
    assert hosts.region.run(hosts.alone.id, "ip", "-4", "route").stdout == ""
    assert hosts.ask(hosts.alone, hosts.left.ipv4, 1.0) == "OSError"


def test_names_and_metadata_of_an_instance_with_ipv6_only(hosts: Hosts) -> None:
    region = hosts.region
    name = f"{hosts.alone.id}.{region.name}.compute.internal"
    look = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], 1)[0][4][0], socket.gethostbyaddr(sys.argv[2])[0])"
    for client in (hosts.left, hosts.alone):
        done = region.run(client.id, sys.executable, "-c", look, name, hosts.alone.ipv6)
        assert done.stdout.split() == [hosts.alone.ipv6, name], done.stderr
    token = ("curl", "-s", "-g", "-X", "PUT", "-H", "x-aws-ec2-metadata-token-ttl-seconds: 60", "-w", "%{http_code}", "http://[fd00:ec2::254]/latest/api/token")
    assert region.run(hosts.alone.id, *token).stdout.endswith("200")
    hosts.ec2.modify_instance_metadata_options(InstanceId=hosts.alone.id, HttpProtocolIpv6="disabled")
    region.settle()
    for instance in (hosts.alone, hosts.left):  # where it was never enabled
        assert not region.run(instance.id, *token).stdout.endswith("200")


def test_security_groups_and_acls_of_an_ipv6_only_subnet(hosts: Hosts) -> None:
    hosts.asks(hosts.left, hosts.alone.ipv6, hosts.left.ipv6)
    everybody = {"IpProtocol": "tcp", "FromPort": 7000, "ToPort": 7000, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    hosts.ec2.revoke_security_group_ingress(GroupId=hosts.alone.group, IpPermissions=[everybody])
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.alone.ipv6, 1.0) == "TimeoutError"
    hosts.ec2.authorize_security_group_ingress(GroupId=hosts.alone.group, IpPermissions=[everybody])
    acl = hosts.ec2.create_network_acl(VpcId=hosts.alone.vpc)["NetworkAcl"]["NetworkAclId"]
    (present,) = hosts.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [hosts.alone.subnet]}])["NetworkAcls"]
    (association,) = [one for one in present["Associations"] if one["SubnetId"] == hosts.alone.subnet]
    moved = hosts.ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.alone.ipv6, 1.0) == "TimeoutError"
    hosts.ec2.replace_network_acl_association(AssociationId=moved["NewAssociationId"], NetworkAclId=present["NetworkAclId"])
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.alone.ipv6) == hosts.left.ipv6


def test_an_address_that_nobody_has_is_not_there(hosts: Hosts) -> None:
    assert hosts.ask(hosts.left, f"{hosts.left.ipv6.rpartition(':')[0]}:ffff", 1.0) in ("TimeoutError", "OSError")


def test_security_groups_are_per_family(hosts: Hosts) -> None:
    hosts.asks(hosts.left, hosts.right.ipv6, hosts.left.ipv6)
    permission = {"IpProtocol": "tcp", "FromPort": 7000, "ToPort": 7000, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    hosts.ec2.revoke_security_group_ingress(GroupId=hosts.right.group, IpPermissions=[permission])
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.right.ipv6, 1.0) == "TimeoutError"
    assert hosts.ask(hosts.left, hosts.right.ipv4) == hosts.left.ipv4
    only_left = {**permission, "Ipv6Ranges": [{"CidrIpv6": f"{hosts.left.ipv6}/128"}]}
    hosts.ec2.authorize_security_group_ingress(GroupId=hosts.right.group, IpPermissions=[only_left])
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.right.ipv6) == hosts.left.ipv6
    assert hosts.ask(hosts.neighbour, hosts.right.ipv6, 1.0) == "TimeoutError"


def test_a_group_stands_for_the_addresses_of_both_families(hosts: Hosts) -> None:
    both = {"IpProtocol": "tcp", "FromPort": 7000, "ToPort": 7000, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    by_group = {"IpProtocol": "tcp", "FromPort": 7000, "ToPort": 7000, "UserIdGroupPairs": [{"GroupId": hosts.left.group}]}
    hosts.ec2.revoke_security_group_ingress(GroupId=hosts.neighbour.group, IpPermissions=[both])
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.neighbour.ipv6, 1.0) == "TimeoutError"
    hosts.ec2.authorize_security_group_ingress(GroupId=hosts.neighbour.group, IpPermissions=[by_group])
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.neighbour.ipv6) == hosts.left.ipv6
    assert hosts.ask(hosts.left, hosts.neighbour.ipv4) == hosts.left.ipv4
    hosts.ec2.authorize_security_group_ingress(GroupId=hosts.neighbour.group, IpPermissions=[both])


def test_a_forged_source_address_does_not_leave(hosts: Hosts) -> None:
    forged = f"{hosts.left.ipv6.rpartition(':')[0]}:abcd"
    assert hosts.region.run(hosts.left.id, "ip", "address", "add", f"{forged}/128", "dev", "eth0", "nodad").returncode == 0
    program = CLIENT.replace("timeout=float(sys.argv[2])", f'timeout=1, source_address=("{forged}", 0)').replace("type(error).__name__", "error")
    # unreachable where the router must be asked for its link address first: that leaves no more than the rest
    assert hosts.region.run(hosts.left.id, sys.executable, "-c", program, hosts.right.ipv6, "1").stdout.strip() in {"timed out", "[Errno 113] No route to host"}


LINK_LOCAL_CLIENT = """
import ipaddress, socket, sys
(own,) = [str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))) for line in open("/proc/net/if_inet6") if line.startswith("fe80")]
for place in sys.argv[1:]:
    address, port = place.split("|")
    client = socket.socket(socket.AF_INET6)
    client.settimeout(1)
    client.bind((own, 0, 0, socket.if_nametoindex("eth0")))
    try:
        client.connect((address, int(port)))
        print(place)
    except TimeoutError:
        print("closed")
"""


def test_nobody_hides_behind_a_link_local_address(hosts: Hosts) -> None:
    """Such an address finds neighbours and does nothing else: what asks who it is, as metadata and the service network do, is not reached from it."""
    places = ("fd00:ec2::254|80", "fd00:ec2::254|4566", "fd00:ec2::253|53", f"{hosts.left.ipv6}|7000")
    done = hosts.region.run(hosts.alone.id, sys.executable, "-c", LINK_LOCAL_CLIENT, *places)
    assert done.stdout.split() == ["closed"] * 4, done.stderr


@pytest.mark.parametrize(("source", "target"), [("left", "neighbour"), ("left", "right"), ("alone", "neighbour")])
def test_what_raw_sockets_send_arrives_under_its_own_address_or_not_at_all(hosts: Hosts, source: str, target: str) -> None:
    """An instance without an IPv4 address has none of its own to send from."""
    attacker, there = getattr(hosts, source), getattr(hosts, target)
    permission = {"IpProtocol": "udp", "FromPort": PORT, "ToPort": PORT, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    hosts.ec2.authorize_security_group_ingress(GroupId=there.group, IpPermissions=[permission])
    hosts.region.settle()
    victim = hosts.alone if attacker is hosts.left else hosts.left
    router = Place("10.1.1.1", f"{attacker.ipv6.rpartition('::')[0]}::1")
    own = Place(attacker.ipv4 or "10.1.1.78", attacker.ipv6)
    sent = list(frames(own, Place(victim.ipv4 or "10.1.1.77", victim.ipv6), Place(there.ipv4, there.ipv6), router))
    hosts.ask(attacker, there.ipv6)  # so that it knows its router
    known = hosts.region.run(attacker.id, "ip", "-6", "neigh").stdout + hosts.region.run(attacker.id, "ip", "neigh").stdout
    mac = re.search(r"lladdr ([0-9a-f:]{17}) router|^10[.]1[.]1[.]1 .*lladdr ([0-9a-f:]{17})", known, re.MULTILINE)
    assert mac, known
    words = hosts.region.inside(there.id, sys.executable, "-c", WATCH)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "ready\n"
        lines = "".join(f"{kind:04x} {packet.hex()}\n" for _, kind, packet in sent)
        subprocess.run(hosts.region.inside(attacker.id, sys.executable, "-c", SEND, mac[1] or mac[2]), input=lines, text=True, check=True, timeout=20)
        last = "own" if attacker.ipv4 else "own, IPv6"
        seen = list(itertools.takewhile(lambda name: name != last, map(str.strip, watching.stdout)))
        watching.kill()
    hosts.ec2.revoke_security_group_ingress(GroupId=there.group, IpPermissions=[permission])
    assert seen == (["own, IPv6"] if attacker.ipv4 else [])


def test_an_acl_closes_one_family(hosts: Hosts) -> None:
    acl = next(found for found in hosts.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [hosts.left.vpc]}])["NetworkAcls"])
    assert {entry["RuleNumber"] for entry in acl["Entries"] if "Ipv6CidrBlock" in entry} == {101, 32768}
    hosts.asks(hosts.left, hosts.neighbour.ipv4, hosts.left.ipv4)
    denied = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 50, "Protocol": "-1", "Egress": False}
    hosts.ec2.create_network_acl_entry(**denied, RuleAction="deny", Ipv6CidrBlock=f"{hosts.left.ipv6}/128")
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.neighbour.ipv6, 1.0) == "TimeoutError"
    assert hosts.ask(hosts.left, hosts.neighbour.ipv4) == hosts.left.ipv4
    hosts.ec2.delete_network_acl_entry(NetworkAclId=acl["NetworkAclId"], RuleNumber=50, Egress=False)


def test_an_address_can_be_taken_away_and_given_back(hosts: Hosts) -> None:
    (interface,) = hosts.ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [hosts.right.id]}])["NetworkInterfaces"]
    hosts.ec2.unassign_ipv6_addresses(NetworkInterfaceId=interface["NetworkInterfaceId"], Ipv6Addresses=[hosts.right.ipv6])
    hosts.region.settle()
    assert hosts.ask(hosts.left, hosts.right.ipv6, 1.0) in ("TimeoutError", "OSError")
    hosts.ec2.assign_ipv6_addresses(NetworkInterfaceId=interface["NetworkInterfaceId"], Ipv6Addresses=[hosts.right.ipv6])
    hosts.region.settle()
    hosts.asks(hosts.left, hosts.right.ipv6, hosts.left.ipv6)


# -- the service network -----------------------------------------------------------------------------------------------------------------------

WEB = """
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = self.client_address[0] + " " + str(self.headers.get("x-forwarded-for"))
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *words):
        pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "web", 7001
Server(("::", 7001), Handler).serve_forever()
"""
CURL = ("curl", "-s", "-o", "/dev/stdout", "-w", " %{http_code}", "--max-time", "3")


@dataclass(frozen=True)
class Network:
    """A service network that `left` and `alone` are in; services whose targets are IPv6 addresses of `right` and of `far`; resources there."""

    arn: str
    name: str
    far_name: str
    far_group: str
    resources: tuple[str, ...]
    """Names: to an IPv4 and an IPv6 address by way of a dual-stack gateway, and to IPv6 addresses by way of one with nothing else in the same subnet, and of
    one in an IPv6-only subnet."""


@pytest.fixture(scope="module")
def network(hosts: Hosts) -> Network:
    lattice = hosts.region.client("vpc-lattice")
    run = f"nohup {sys.executable} -c '{WEB}' >/dev/null 2>&1 &"
    for host in (hosts.right, hosts.far):
        assert hosts.region.run(host.id, "sh", "-c", run).returncode == 0
    lists = hosts.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{hosts.region.name}.ipv6.vpc-lattice"]}])
    peers = [{"PrefixListId": lists["PrefixLists"][0]["PrefixListId"]}]
    for host in (hosts.right, hosts.far):
        from_lattice = {"IpProtocol": "tcp", "FromPort": 7001, "ToPort": 7001, "PrefixListIds": peers}
        hosts.ec2.authorize_security_group_ingress(GroupId=host.group, IpPermissions=[from_lattice])
    own = {"IpProtocol": "tcp", "FromPort": 7000, "ToPort": 7000, "UserIdGroupPairs": [{"GroupId": hosts.right.group}]}
    hosts.ec2.authorize_security_group_ingress(GroupId=hosts.right.group, IpPermissions=[own])
    created = lattice.create_service_network(name="both")
    network = created["id"]
    config = {"port": 7001, "protocol": "HTTP", "ipAddressType": "IPV6", "vpcIdentifier": hosts.right.vpc, "healthCheck": {"enabled": False}}
    group = lattice.create_target_group(name="six", type="IP", config=config)["id"]
    service = lattice.create_service(name="six")
    hosts.region.settle()
    answer = lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": hosts.right.ipv6}, {"id": hosts.right.ipv4}, {"id": "2001:db8:0:1::9"}])
    assert [found["id"] for found in answer["successful"]] == [hosts.right.ipv6]
    checked = {**config, "healthCheck": {"enabled": True, "healthCheckIntervalSeconds": 5}}
    far_group, far_service = lattice.create_target_group(name="far", type="IP", config=checked)["id"], lattice.create_service(name="far")
    hosts.region.settle()
    assert lattice.register_targets(targetGroupIdentifier=far_group, targets=[{"id": hosts.far.ipv6}])["successful"]
    for one, targets in ((service, group), (far_service, far_group)):
        action = {"forward": {"targetGroups": [{"targetGroupIdentifier": targets}]}}
        lattice.create_listener(serviceIdentifier=one["id"], name="http", protocol="HTTP", port=80, defaultAction=action)
        lattice.create_service_network_service_association(serviceIdentifier=one["id"], serviceNetworkIdentifier=network)
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=hosts.left.vpc)
    where = {"vpcIdentifier": hosts.right.vpc, "subnetIds": [hosts.right.subnet], "securityGroupIds": [hosts.right.group]}
    both = lattice.create_resource_gateway(name="both", ipAddressType="DUALSTACK", ipv4AddressesPerEni=1, **where)["id"]
    six = lattice.create_resource_gateway(name="six", ipAddressType="IPV6", **where)["id"]
    there = {**where, "subnetIds": [hosts.far.subnet], "securityGroupIds": [hosts.far.group]}
    far = lattice.create_resource_gateway(name="far", ipAddressType="IPV6", **there)["id"]
    hosts.region.settle()
    found = []
    for gateway, address in ((both, hosts.right.ipv4), (both, hosts.right.ipv6), (six, hosts.right.ipv6), (far, hosts.far.ipv6)):
        configuration = lattice.create_resource_configuration(
            name=f"one{len(found)}", type="SINGLE", resourceGatewayIdentifier=gateway, portRanges=["7000"],
            resourceConfigurationDefinition={"ipResource": {"ipAddress": address}},
        )["id"]  # fmt: skip
        hosts.region.settle()
        made = lattice.create_service_network_resource_association(resourceConfigurationIdentifier=configuration, serviceNetworkIdentifier=network)["id"]
        hosts.region.settle()
        found.append(lattice.get_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=made)["dnsEntry"]["domainName"])
    return Network(created["arn"], service["dnsEntry"]["domainName"], far_service["dnsEntry"]["domainName"], far_group, tuple(found))


def test_a_service_has_addresses_of_both_families_and_calls_its_targets_over_ipv6(hosts: Hosts, network: Network) -> None:
    look = "import socket, sys; print(*sorted({found[4][0] for found in socket.getaddrinfo(sys.argv[1], 80)}))"
    found = hosts.region.run(hosts.left.id, sys.executable, "-c", look, network.name).stdout.split()
    assert found == ["169.254.171.32", "fd00:ec2:80::a9fe:ab20"]
    for option, client in (("-6", hosts.left.ipv6), ("-4", hosts.left.ipv4)):
        wanted = f"fd00:ec2:80::a9fe:ab02 {client} 200"
        until(lambda option=option, wanted=wanted: hosts.region.run(hosts.left.id, *CURL, option, f"http://{network.name}/").stdout == wanted or None)


def test_a_vpc_that_is_not_in_the_network_does_not_reach_it(hosts: Hosts, network: Network) -> None:
    done = hosts.region.run(hosts.right.id, *CURL, "-g", "http://[fd00:ec2:80::a9fe:ab20]/", "-H", f"host: {network.name}")
    assert done.stdout == " 000"


@pytest.mark.parametrize(("which", "family"), [(0, "10.2.1."), (1, "2001:db8:"), (2, "2001:db8:"), (3, "2001:db8:")])
def test_resources_are_reached_over_both_families_and_reach_one(hosts: Hosts, network: Network, which: int, family: str) -> None:
    look = "import socket, sys; print(*sorted(found[4][0] for found in socket.getaddrinfo(sys.argv[1], 7000, type=socket.SOCK_STREAM)))"
    both = hosts.region.run(hosts.left.id, sys.executable, "-c", look, network.resources[which]).stdout.split()
    assert len(both) == 2
    assert both[1].startswith("fd00:ec2:80::")
    for address in both:
        until(lambda address=address: hosts.ask(hosts.left, address, 1.0).startswith(family) or None)
        assert hosts.ask(hosts.left, address) != hosts.left.ipv6


def test_a_client_with_ipv6_only_reaches_services_and_resources(hosts: Hosts, network: Network) -> None:
    for name in (network.name, network.far_name):
        wanted = f"fd00:ec2:80::a9fe:ab02 {hosts.alone.ipv6} 200"
        until(lambda name=name, wanted=wanted: hosts.region.run(hosts.alone.id, *CURL, f"http://{name}/").stdout == wanted or None)
    lattice = hosts.region.client("vpc-lattice")
    until(lambda: lattice.list_targets(targetGroupIdentifier=network.far_group)["items"][0]["status"] == "HEALTHY")
    seen = until(lambda: (found := hosts.ask(hosts.alone, network.resources[3], 1.0)).startswith("2001:db8:") and found)
    (interface,) = hosts.ec2.describe_network_interfaces(
        Filters=[{"Name": "subnet-id", "Values": [hosts.far.subnet]}, {"Name": "ipv6-addresses.ipv6-address", "Values": [seen]}]
    )["NetworkInterfaces"]
    assert interface["Description"].startswith("VPC Lattice resource gateway")
    assert (interface["PrivateIpAddresses"], interface["Ipv6Native"]) == ([], True)


def test_an_endpoint_in_an_ipv6_only_subnet(hosts: Hosts, network: Network) -> None:
    """From the VPC that is not in the service network; `far` knows the way to `alone`."""
    made = hosts.ec2.create_vpc_endpoint(
        VpcEndpointType="ServiceNetwork", VpcId=hosts.far.vpc, SubnetIds=[hosts.far.subnet], ServiceNetworkArn=network.arn, IpAddressType="ipv6",
        SecurityGroupIds=[everything(hosts)],
    )["VpcEndpoint"]["VpcEndpointId"]  # fmt: skip
    hosts.region.settle()
    (shown,) = hosts.ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"]
    assert (shown["State"], "Ipv4Prefixes" in shown, len(shown["Ipv6Prefixes"])) == ("available", False, 1)
    found = hosts.ec2.describe_vpc_endpoint_associations(VpcEndpointIds=[made])["VpcEndpointAssociations"]
    names = [one["DnsEntry"]["DnsName"] for one in found if "ServiceNetworkName" in one and one["DnsEntry"]["DnsName"].endswith(".on.aws")]
    services = [name for name in names if "vpc-lattice-svcs" in name]
    assert len(services) == 2
    for name in services:
        wanted = f"fd00:ec2:80::a9fe:ab02 {hosts.far.ipv6} 200"
        until(lambda name=name, wanted=wanted: hosts.region.run(hosts.far.id, *CURL, f"http://{name}/").stdout == wanted or None)


def everything(hosts: Hosts) -> str:
    """A security group of right's VPC that is open for IPv6."""
    group = str(hosts.ec2.create_security_group(GroupName="open", Description="open", VpcId=hosts.far.vpc)["GroupId"])
    hosts.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])
    return group
