"""Tunnel VPC endpoints with packets: network segments of a VPC with the very same addresses, over GENEVE from user space."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path
from typing import IO, Any

import pytest
from bench.region import until

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
CLIENT = (Path(__file__).parents[2] / "examples/tunnel/client.py").read_text()
INSIDE, INSIDE_IPV6 = "192.168.77.1", "2001:db8:77::1"
NAMESERVER, RESOLVER = "169.254.168.253", "169.254.169.253"
HOME, BEYOND, GATEWAY = "10.81.1.50", "10.81.1.70", "10.81.2.0/23"
ECHO, BULK, CLOSED = 7777, 7900, 6000
LINES = 30
SEGMENT = {"cidrResource": {"cidrRanges": ["10.81.1.48/28"]}}

BULK_SERVER = """
import hashlib, socket, socketserver
class Bulk(socketserver.BaseRequestHandler):
    def handle(self):
        size = int(self.request.recv(16))
        self.request.sendall(b"x" * size)
        digest, left = hashlib.sha256(), size
        while left:
            data = self.request.recv(65536)
            digest.update(data)
            left -= len(data)
        self.request.sendall(digest.hexdigest().encode())
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.address_family = socket.AF_INET6
threading.Thread(target=socketserver.ThreadingTCPServer(("::", %d), Bulk).serve_forever).start()
"""
BOTH_WAYS = """
import hashlib, socket, sys
size = 1_000_000
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
connection.sendall(b"%16d" % size)
left = size
while left:
    data = connection.recv(65536)
    assert data.strip(b"x") == b""
    left -= len(data)
data = bytes(range(250)) * (size // 250)
connection.sendall(data)
print(connection.recv(100).decode() == hashlib.sha256(data).hexdigest())
"""
HELD = """
import socket, sys, time
connection = socket.socket()
connection.settimeout(8)
connection.bind(("0.0.0.0", int(sys.argv[3])))
connection.connect((sys.argv[1], int(sys.argv[2])))
stream = connection.makefile("rw")
for number in range(int(sys.argv[5])):
    stream.write(f"{sys.argv[4]}{number}\\n")
    stream.flush()
    print(stream.readline().strip(), flush=True)
    time.sleep(0.1)
"""
ASK = """
import dns.message, dns.query, sys
ask = dns.query.tcp if sys.argv[1] == "tcp" else dns.query.udp
found = ask(dns.message.make_query(sys.argv[3], "A"), sys.argv[2], timeout=2)
print(*(item.address for answer in found.answer for item in answer))
"""
DATAGRAM = """
import socket, sys
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(1)
asking.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
print(asking.recv(100))
"""
GARBAGE = """
import random, socket, sys
chance = random.Random(7)
outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
header, inside = bytes.fromhex("0000080000000000"), bytes.fromhex("4500002c00010000400600000a5101010a510132") + bytes(24)
for number in range(1000):
    whole = bytearray(header + inside)
    for _ in range(chance.randrange(6)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    outside.sendto([bytes(whole)[: chance.randrange(len(whole))], whole, chance.randbytes(chance.randrange(200))][number % 3], (sys.argv[1], 6081))
print("sent")
"""


@dataclass
class Site:
    """one, two: clients in tunnels, with one and the same address inside; two has IPv6 only, and its tunnel goes by the other zone. doors: the endpoint's
    subnets, and its IPv4 and IPv6 addresses there. home: the server's IPv6 address. groups: of the server, and of the gateway."""

    provider: str
    one: str
    two: str
    endpoint: str
    doors: dict[str, list[str]]
    home: str
    gateway: str
    configuration: str
    server_group: str
    gateway_group: str


def tunnel(at: str, block: str) -> str:
    """A boot script: a tunnel into the segment's VPC; some addresses that are outside go there too. block: the segment's IPv6 range."""
    networks = f"10.81.1.48/28 10.81.1.70 {NAMESERVER} {RESOLVER} 10.81.2.4 {block}"
    return f"#!/bin/sh\nexec python3 - --endpoint {at} --address {INSIDE} --address {INSIDE_IPV6} {networks} <<'EOF'\n{CLIENT}\nEOF\n"


def dual(lab: Lab) -> tuple[str, Iterator[str]]:
    """A VPC with both families, and IPv6 blocks for its subnets."""
    made = lab.ec2.create_vpc(CidrBlock="10.81.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    return made["VpcId"], map(str, IPv6Network(made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]).subnets(new_prefix=64))


def subnet(lab: Lab, vpc: str, cidr: str, block: str, letter: str = "a") -> str:
    return str(lab.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, Ipv6CidrBlock=block, AvailabilityZone=lab.zone(letter))["Subnet"]["SubnetId"])


def shown(lab: Lab, endpoint: str) -> dict[str, Any]:
    return dict(lab.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0])


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    lattice = lab.client("vpc-lattice")
    (consumer, near_blocks), (provider, far_blocks) = dual(lab), dual(lab)
    lab.ec2.modify_vpc_attribute(VpcId=provider, EnableDnsHostnames={"Value": True})
    near, block = subnet(lab, consumer, "10.81.1.0/24", next(near_blocks)), next(far_blocks)
    home, way_blocks = subnet(lab, provider, "10.81.1.0/24", block), [next(far_blocks), next(far_blocks)]
    ways = [subnet(lab, provider, f"10.81.{number}.0/24", way_block, zone) for number, zone, way_block in zip((2, 3), "ab", way_blocks, strict=True)]
    made = [subnet(lab, consumer, f"10.81.{number}.0/24", next(near_blocks), zone) for number, zone in ((9, "a"), (10, "b"))]
    six = {"IpProtocol": "udp", "FromPort": 6081, "ToPort": 6081, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]}
    geneve = lab.group(consumer, "geneve", allow("udp", 6081, cidr="10.81.0.0/16"), six)
    bulk = {"IpProtocol": "tcp", "FromPort": BULK, "ToPort": BULK, "Ipv6Ranges": [{"CidrIpv6": one} for one in way_blocks]}
    serving = lab.group(provider, "serving", *(allow(protocol, 1, 65535, cidr=GATEWAY) for protocol in ("tcp", "udp")), bulk)
    leaving = lab.group(provider, "leaving")
    script = server("serving", tcp=[ECHO, CLOSED]) + BULK_SERVER % BULK
    instances = [lab.instance("serving", home, HOME, [serving], script, Ipv6AddressCount=1), lab.instance("beyond", home, BEYOND, [serving], script)]
    gateway = lattice.create_resource_gateway(
        name="segment", vpcIdentifier=provider, subnetIds=ways, securityGroupIds=[leaving], resourceConfigDnsResolution="IN_VPC", ipv4AddressesPerEni=2,
        ipAddressType="DUALSTACK",
    )["id"]  # fmt: skip
    configuration = lattice.create_resource_configuration(
        name="segment", type="CIDR", protocol="TCP_UDP", portRanges=["53", "7000-8000"], resourceGatewayIdentifier=gateway,
        resourceConfigurationDefinition={"cidrResource": {"cidrRanges": [*SEGMENT["cidrResource"]["cidrRanges"], block]}},
    )  # fmt: skip
    endpoint = lab.ec2.create_vpc_endpoint(
        VpcEndpointType="Tunnel", VpcId=consumer, ResourceConfigurationArn=configuration["arn"], SubnetIds=made, SecurityGroupIds=[geneve],
        IpAddressType="dualstack",
    )["VpcEndpoint"]["VpcEndpointId"]
    zone = lab.client("route53").create_hosted_zone(
        Name="corp.internal", CallerReference="tunnels", VPC={"VPCRegion": lab.region.name, "VPCId": provider}
    )["HostedZone"]["Id"]
    record = {"Name": "db.corp.internal", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": HOME}]}
    lab.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
    until(lambda: shown(lab, endpoint)["State"] == "available")
    found = shown(lab, endpoint)
    doors: dict[str, list[str]] = {name: [] for name in made}
    for prefix in (*found["Ipv4Prefixes"], *found["Ipv6Prefixes"]):
        doors[prefix["SubnetId"]].append(prefix["IpPrefixes"][0].partition("/")[0])
    alone = lab.ec2.create_subnet(VpcId=consumer, Ipv6CidrBlock=next(near_blocks), Ipv6Native=True, AvailabilityZone=lab.zone("a"))["Subnet"]["SubnetId"]
    at = {"one": (near, doors[made[0]][0]), "two": (alone, doors[made[1]][1])}
    more = {"InstanceType": "t3.micro", "Ipv6AddressCount": 1}
    one, two = (lab.instance(name, where, "", [geneve], tunnel(address, block), **more) for name, (where, address) in at.items())
    lab.running(one, two, *instances)
    (described,) = lab.ec2.describe_instances(InstanceIds=instances[:1])["Reservations"][0]["Instances"]
    six_home = described["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
    until(lambda: all(lab.talk(instance, HOME, ECHO) for instance in (one, two)))
    return Site(provider, one, two, endpoint, doors, six_home, gateway, configuration["id"], serving, leaving)


def test_the_server_sees_addresses_of_the_gateway(lab: Lab, site: Site) -> None:
    seen: dict[str, set[str]] = {site.one: set(), site.two: set()}

    def all_seen() -> bool:
        for client, addresses in seen.items():
            addresses.add(lab.talk(client, HOME, ECHO).split()[1])
        return {len(addresses) for addresses in seen.values()} == {2}

    until(all_seen)
    assert list(seen.values()) == [{"10.81.2.4", "10.81.2.254"}, {"10.81.3.4", "10.81.3.254"}]  # of the client's tunnel's zone


def test_clients_that_look_alike_are_not_mixed_up(lab: Lab, site: Site) -> None:
    """The same inner address, the same port, to the same server, at the same time; and while the engine is killed."""
    with held(lab, site.one, 40001, "one", LINES) as one, held(lab, site.two, 40001, "two", LINES) as two:
        began = [stream.readline() for stream in (one, two)]
        lab.region.kill(f"tunnel-{site.endpoint}")
        heard = [(first + stream.read()).split() for first, stream in zip(began, (one, two), strict=True)]
    for name, words in zip(("one", "two"), heard, strict=True):
        assert words[2::3] == [f"{name}{number}" for number in range(LINES)]


@contextmanager
def held(lab: Lab, instance: str, port: int, name: str, lines: int) -> Iterator[IO[str]]:
    """A connection from that port on which so many lines are said, ten in a second; what is answered."""
    program = lab.region.inside(instance, "python3", "-c", HELD, HOME, str(ECHO), str(port), name, str(lines))
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout
        finally:
            process.kill()


def test_another_endpoint_in_its_place_takes_over_no_connection(lab: Lab, site: Site) -> None:
    """At the same addresses, and with the same inner ones: what was begun through the first must not be heard of again."""
    before = shown(lab, site.endpoint)
    given = {name: before[name] for name in ("VpcEndpointType", "VpcId", "ResourceConfigurationArn", "IpAddressType")}
    where = [{"SubnetId": door, "Ipv4": four, "Ipv6": six} for door, (four, six) in site.doors.items()]
    groups = [group["GroupId"] for group in before["Groups"]]
    with held(lab, site.one, 40002, "before", 1000) as connection:
        assert connection.readline().split()[2] == "before0"
        lab.ec2.delete_vpc_endpoints(VpcEndpointIds=[site.endpoint])
        until(lambda: site.endpoint not in [one["VpcEndpointId"] for one in lab.ec2.describe_vpc_endpoints()["VpcEndpoints"]])
        site.endpoint = lab.ec2.create_vpc_endpoint(**given, SubnetConfigurations=where, SecurityGroupIds=groups)["VpcEndpoint"]["VpcEndpointId"]
        until(lambda: lab.talk(site.one, HOME, ECHO))
        assert len(connection.read().split()) < 900  # it gave up for want of an answer


@pytest.mark.parametrize(("address", "port"), [(BEYOND, ECHO), (HOME, CLOSED), ("10.81.2.4", ECHO), (NAMESERVER, ECHO)])
def test_only_the_segment_is_reached(lab: Lab, site: Site, address: str, port: int) -> None:
    assert lab.talk(site.one, HOME, ECHO) != ""
    assert lab.talk(site.one, address, port) == ""


def test_packets_of_any_size_pass(lab: Lab, site: Site) -> None:
    """Both ends offer segments for 9001 bytes, of which fewer fit into the tunnel."""
    for client in (site.one, site.two):
        for address in (HOME, site.home):
            assert lab.run(client, "python3", "-c", BOTH_WAYS, address, str(BULK)).stdout == "True\n"


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_names_are_resolved_as_in_the_providers_vpc(lab: Lab, site: Site, over: str) -> None:
    names = ("db.corp.internal", f"ip-10-81-1-50.{lab.region.name}.compute.internal")
    assert [lab.run(site.one, sys.executable, "-c", ASK, over, NAMESERVER, name).stdout.strip() for name in names] == [HOME, HOME]


def test_of_udp_there_is_dns_only(lab: Lab, site: Site) -> None:
    assert "timed out" in lab.run(site.one, "python3", "-c", DATAGRAM, HOME, str(ECHO)).stderr


def test_the_endpoint_has_names_in_the_consumers_vpc(lab: Lab, site: Site) -> None:
    names = [entry["DnsName"] for entry in shown(lab, site.endpoint)["DnsEntries"]]
    lines = [[line for asked in ("ahostsv4", "ahostsv6") for line in lab.run(site.one, "getent", asked, name).stdout.splitlines()] for name in names]
    found = [{line.split()[0] for line in of_name} for of_name in lines]
    each = list(map(set, site.doors.values()))
    assert found == [each[0] | each[1], *each]
    assert [name.partition(".")[0] for name in names[1:]] == [f"{site.endpoint}-{lab.zone(letter)}" for letter in "ab"]


def test_garbage_ends_nothing(lab: Lab, site: Site) -> None:
    engine = lab.region.pid(f"tunnel-{site.endpoint}")
    for (four, _) in site.doors.values():
        assert lab.run(site.one, "python3", "-c", GARBAGE, four).stdout == "sent\n"
    assert lab.talk(site.one, HOME, ECHO) != ""
    assert lab.region.pid(f"tunnel-{site.endpoint}") == engine


def test_both_sides_security_groups_decide(lab: Lab, site: Site) -> None:
    everything, echo = allow(cidr="0.0.0.0/0"), allow("tcp", 1, 65535, cidr=GATEWAY)
    for group, permission, revoke, authorize in (
        (site.gateway_group, everything, lab.ec2.revoke_security_group_egress, lab.ec2.authorize_security_group_egress),
        (site.server_group, echo, lab.ec2.revoke_security_group_ingress, lab.ec2.authorize_security_group_ingress),
    ):
        revoke(GroupId=group, IpPermissions=[permission])
        until(lambda: lab.talk(site.one, HOME, ECHO) == "")
        authorize(GroupId=group, IpPermissions=[permission])
        until(lambda: lab.talk(site.one, HOME, ECHO) != "")


def test_a_change_of_the_segment_counts_for_what_begins_after_it(lab: Lab, site: Site) -> None:
    update = lab.client("vpc-lattice").update_resource_configuration
    everything = {"cidrResource": {"cidrRanges": ["0.0.0.0/0"]}}
    update(resourceConfigurationIdentifier=site.configuration, resourceConfigurationDefinition=everything)
    until(lambda: lab.talk(site.one, BEYOND, ECHO) != "")
    assert lab.run(site.one, sys.executable, "-c", ASK, "udp", RESOLVER, "db.corp.internal").stdout.strip() == ""  # the VPC's, by its own address
    update(resourceConfigurationIdentifier=site.configuration, resourceConfigurationDefinition=SEGMENT)
    until(lambda: lab.talk(site.one, BEYOND, ECHO) == "")


def test_network_acls_decide_in_the_providers_vpc(lab: Lab, site: Site) -> None:
    (acl,) = lab.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [site.provider]}])["NetworkAcls"]
    entry = {"NetworkAclId": acl["NetworkAclId"], "Egress": False, "RuleNumber": 10}
    lab.ec2.create_network_acl_entry(**entry, Protocol="6", RuleAction="deny", CidrBlock=GATEWAY, PortRange={"From": ECHO, "To": ECHO})
    until(lambda: lab.talk(site.one, HOME, ECHO) == "")
    assert lab.run(site.one, "python3", "-c", BOTH_WAYS, HOME, str(BULK)).stdout == "True\n"
    lab.ec2.delete_network_acl_entry(**entry)
    until(lambda: lab.talk(site.one, HOME, ECHO) != "")
