"""Resources by name and in groups: names that change under open connections, all addresses of a gateway, custom domains, what the log says of it."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from bench.region import until
from botocore.exceptions import ClientError

from .lab import Lab, allow, server

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
PORT = 9092
TALK_MANY = """
import collections, socket, sys
found = collections.Counter()
for _ in range(int(sys.argv[3])):
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 1) as connection:
        connection.sendall(b"hello\\n")
        found[" ".join(connection.makefile().readline().split()[:2])] += 1
print(*(f"{key}={count}" for key, count in found.items()), sep="\\n")
"""
HOLD = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
answers = connection.makefile()
for line in sys.stdin:
    connection.sendall(line.encode())
    print(answers.readline().strip(), flush=True)
"""
RESOLVE = """
import socket, sys
try:
    print(*sorted({found[4][0] for found in socket.getaddrinfo(sys.argv[1], None, socket.AF_INET)}))
except socket.gaierror:
    print()
"""


@dataclass
class Site:
    network: str
    client: str
    clients: str
    servers: str
    gateway: str
    zone: str
    vpc_association: str


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """A gateway in two Availability Zones that resolves inside its VPC; three servers; a private zone."""
    lattice, route53 = lab.client("vpc-lattice"), lab.client("route53")
    network = lattice.create_service_network(name="brokers")["id"]
    clients, servers = lab.vpc("10.60.0.0/16"), lab.vpc("10.61.0.0/16")
    for vpc in (clients, servers):
        for value in ("EnableDnsHostnames", "EnableDnsSupport"):
            lab.ec2.modify_vpc_attribute(VpcId=vpc, **{value: {"Value": True}})
    association = lattice.create_service_network_vpc_association(
        serviceNetworkIdentifier=network, vpcIdentifier=clients, privateDnsEnabled=True, dnsOptions={"privateDnsPreference": "VERIFIED_DOMAINS_ONLY"}
    )["id"]
    home, ways = lab.subnet(servers, "10.61.1.0/24"), [lab.subnet(servers, f"10.61.{n}.0/24", letter) for n, letter in ((2, "a"), (3, "b"))]
    gateway = lattice.create_resource_gateway(
        name="brokers", vpcIdentifier=servers, subnetIds=ways, ipv4AddressesPerEni=3, resourceConfigDnsResolution="IN_VPC"
    )["id"]
    group = lab.group(servers, "brokers", allow(cidr="10.61.0.0/16"))
    where = {"VPCRegion": lab.region.name, "VPCId": servers}
    zone = route53.create_hosted_zone(Name="brokers.internal", CallerReference="brokers.internal", VPC=where)["HostedZone"]["Id"]
    script = {number: server(f"b{number}", tcp=(PORT, PORT + 1)) for number in (1, 2, 3)}
    instances = [lab.instance("reader", lab.subnet(clients, "10.60.1.0/24"), "10.60.1.10")]
    instances += [lab.instance(f"broker-{number}", home, f"10.61.1.{10 + number}", [group], text) for number, text in script.items()]
    lab.running(*instances)
    until(lambda: lattice.get_resource_gateway(resourceGatewayIdentifier=gateway)["status"] == "ACTIVE")
    for broker in instances[1:]:
        until(lambda broker=broker: lab.talk(broker, "127.0.0.1", PORT))
    return Site(network, instances[0], clients, servers, gateway, zone, association)


def point(lab: Lab, zone: str, name: str, *addresses: str, type_: str = "A", action: str = "UPSERT") -> None:
    record = {"Name": name, "Type": type_, "TTL": 30, "ResourceRecords": [{"Value": address} for address in addresses]}
    changes = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    lab.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    lab.settled()


def configuration(lab: Lab, site: Site, name: str, **more: Any) -> dict[str, Any]:
    given = {"type": "SINGLE", "portRanges": [str(PORT)], **({} if more.get("type") == "CHILD" else {"resourceGatewayIdentifier": site.gateway}), **more}
    made: dict[str, Any] = lab.client("vpc-lattice").create_resource_configuration(name=name, **given)
    return made


def named(name: str) -> dict[str, Any]:
    return {"dnsResource": {"domainName": name, "ipAddressType": "IPV4"}}


def shown(lab: Lab, identifier: str) -> dict[str, Any]:
    lattice = lab.client("vpc-lattice")
    if identifier.startswith("rcfg-"):
        answer: dict[str, Any] = lattice.get_resource_configuration(resourceConfigurationIdentifier=identifier)
    else:
        answer = lattice.get_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=identifier)
    return answer


def active(lab: Lab, *identifiers: str) -> None:
    for identifier in identifiers:
        until(lambda identifier=identifier: shown(lab, identifier)["status"] == "ACTIVE")


def associate(lab: Lab, site: Site, identifier: str, **more: Any) -> dict[str, Any]:
    made = lab.client("vpc-lattice").create_service_network_resource_association(
        serviceNetworkIdentifier=site.network, resourceConfigurationIdentifier=identifier, **more
    )
    return shown(lab, made["id"])


def answers(lab: Lab, site: Site, host: str, port: int = PORT, count: int = 60) -> Counter[tuple[str, str]]:
    """(server's name, address it sees) of so many connections."""
    lines = lab.run(site.client, "python3", "-c", TALK_MANY, host, str(port), str(count)).stdout.split("\n")
    pairs = (line.rpartition("=") for line in lines if line)
    return Counter({(seen.split()[0], seen.split()[1]): int(found) for seen, _, found in pairs})


def resolved(lab: Lab, site: Site, name: str) -> str:
    return lab.run(site.client, "python3", "-c", RESOLVE, name).stdout.strip()


def test_a_name_that_moves_under_open_connections(lab: Lab, site: Site) -> None:
    """It has no address at first; gets one; gets others; loses them. Connections that are open notice nothing."""
    lattice = lab.client("vpc-lattice")
    made = configuration(lab, site, "moving", resourceConfigurationDefinition=named("main.brokers.internal"))["id"]
    association = associate(lab, site, made)
    host = association["dnsEntry"]["domainName"]
    lab.settled()
    assert (shown(lab, made)["status"], shown(lab, association["id"])["status"]) == ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS")
    assert lab.talk(site.client, host, PORT) == ""
    point(lab, site.zone, "main.brokers.internal", "alias.brokers.internal", type_="CNAME")
    point(lab, site.zone, "alias.brokers.internal", "10.61.1.11")
    active(lab, made, association["id"])
    assert {name for name, _ in answers(lab, site, host)} == {"b1"}
    with subprocess.Popen(
        lab.region.inside(site.client, "python3", "-u", "-c", HOLD, host, str(PORT)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as held:  # fmt: skip
        assert held.stdin is not None
        assert held.stdout is not None

        def still() -> str:
            assert held.stdin is not None
            assert held.stdout is not None
            held.stdin.write("ping\n")
            held.stdin.flush()
            return held.stdout.readline().split(" ")[0]

        assert still() == "b1"
        point(lab, site.zone, "alias.brokers.internal", "10.61.1.12", "10.61.1.13")
        spread = answers(lab, site, host)
        assert {name for name, _ in spread} == {"b2", "b3"}
        assert still() == "b1"
        lattice.update_resource_gateway(resourceGatewayIdentifier=site.gateway, resourceConfigDnsResolution="PUBLIC")
        lab.settled()
        assert (shown(lab, made)["status"], shown(lab, association["id"])["status"]) == ("UPDATE_FAILED", "PARTIAL")
        assert "main.brokers.internal does not resolve" in shown(lab, made)["failureReason"]
        assert lab.talk(site.client, host, PORT) == ""
        assert still() == "b1"
        lattice.update_resource_gateway(resourceGatewayIdentifier=site.gateway, resourceConfigDnsResolution="IN_VPC")
        lab.settled()
        active(lab, made, association["id"])
        assert {name for name, _ in answers(lab, site, host)} == {"b2", "b3"}
        lattice.update_resource_configuration(
            resourceConfigurationIdentifier=made, portRanges=[f"{PORT}-{PORT + 1}"],
            resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.61.1.13"}},
        )  # fmt: skip
        lab.settled()
        assert {name for name, _ in answers(lab, site, host, PORT + 1, 5)} == {"b3"}
        assert still() == "b1"
        held.stdin.close()
    lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=association["id"])
    until(lambda: not lattice.list_service_network_resource_associations(resourceConfigurationIdentifier=made)["items"])
    lattice.delete_resource_configuration(resourceConfigurationIdentifier=made)


def test_a_name_never_leads_to_the_router_itself(lab: Lab, site: Site) -> None:
    """Instance metadata and the region's endpoint listen on every VPC's router, where the gateway's connections begin."""
    point(lab, site.zone, "inward.brokers.internal", "169.254.169.254", "127.0.0.1")
    made = configuration(lab, site, "inward", portRanges=["4566"], resourceConfigurationDefinition=named("inward.brokers.internal"))["id"]
    association = associate(lab, site, made)
    lab.settled()
    assert lab.curl(site.client, f"http://{association['dnsEntry']['domainName']}:4566/") == (0, "")
    assert shown(lab, made)["status"] != "ACTIVE"
    lab.client("vpc-lattice").delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=association["id"])


def test_a_group_by_its_children_s_names_from_all_addresses_of_the_gateway(lab: Lab, site: Site) -> None:
    """A domain is verified by its record, the group is associated, a child comes later; each has its own address, name and ports."""
    lattice, logs, route53 = lab.client("vpc-lattice"), lab.client("logs"), lab.client("route53")
    verification = lattice.start_domain_verification(domainName="kafka.test")
    group = configuration(lab, site, "kafka", type="GROUP", groupDomain="cluster.kafka.test", domainVerificationIdentifier=verification["id"])
    assert lattice.get_resource_configuration(resourceConfigurationIdentifier=group["id"])["domainVerificationStatus"] == "PENDING"
    child = {"type": "CHILD", "resourceConfigurationGroupIdentifier": group["id"]}
    first = configuration(
        lab, site, "broker-one", **child, customDomainName="b1.cluster.kafka.test", resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.61.1.11"}}
    )
    of_group = associate(lab, site, group["id"], privateDnsEnabled=True)
    arn = f"arn:aws:logs:{lab.region.name}:{group['arn'].split(':')[4]}:log-group:/brokers"
    logs.create_log_group(logGroupName="/brokers")
    lattice.create_access_log_subscription(resourceIdentifier=group["id"], destinationArn=arn)
    second = configuration(
        lab, site, "broker-two", **child, customDomainName="b2.cluster.kafka.test", portRanges=[str(PORT + 1)],
        resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.61.1.12"}},
    )  # fmt: skip
    active(lab, group["id"], first["id"], second["id"], of_group["id"])
    listed = lattice.list_service_network_resource_associations(serviceNetworkIdentifier=site.network, includeChildren=True)["items"]
    hosts = {item["resourceConfigurationId"]: item["dnsEntry"]["domainName"] for item in listed if item.get("dnsEntry")}
    seen = answers(lab, site, hosts[first["id"]], count=120)
    assert {name for name, _ in seen} == {"b1"}
    sources = {address for _, address in seen}
    reserved = lab.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"*{site.gateway}*"]}])["NetworkInterfaces"]
    assert sources == {item["PrivateIpAddress"] for interface in reserved for item in interface["PrivateIpAddresses"]}
    assert {address.rpartition(".")[0] for address in sources} == {"10.61.2", "10.61.3"}
    assert len(sources) == 6
    assert lab.talk(site.client, hosts[second["id"]], PORT, seconds=0.5) == ""
    assert lab.talk(site.client, hosts[second["id"]], PORT + 1).startswith("b2 ")
    assert resolved(lab, site, "b1.cluster.kafka.test") == ""  # nobody has shown that the domain is his
    zone = route53.create_hosted_zone(Name="kafka.test", CallerReference="kafka.test")["HostedZone"]["Id"]
    txt = verification["txtMethodConfig"]
    point(lab, zone, txt["name"], f'"{txt["value"]}"', type_="TXT")
    until(lambda: resolved(lab, site, "b1.cluster.kafka.test").startswith("129.224."))
    assert lab.talk(site.client, "b2.cluster.kafka.test", PORT + 1).startswith("b2 ")
    assert lattice.get_domain_verification(domainVerificationIdentifier=verification["id"])["status"] == "VERIFIED"
    point(lab, zone, txt["name"], f'"{txt["value"]}"', type_="TXT", action="DELETE")
    until(lambda: lattice.get_domain_verification(domainVerificationIdentifier=verification["id"])["status"] == "PENDING")
    lab.settled()
    assert resolved(lab, site, "b1.cluster.kafka.test").startswith("129.224.")  # the association was there before
    update = lattice.update_service_network_vpc_association
    update(serviceNetworkVpcAssociationIdentifier=site.vpc_association, privateDnsEnabled=False)
    lab.settled()
    assert resolved(lab, site, "b1.cluster.kafka.test") == ""
    specified = {"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "privateDnsSpecifiedDomains": ["*.kafka.test"]}
    update(serviceNetworkVpcAssociationIdentifier=site.vpc_association, privateDnsEnabled=True, dnsOptions=specified)
    lab.settled()
    assert resolved(lab, site, "b1.cluster.kafka.test").startswith("129.224.")
    record = _logged(logs, second["arn"])
    assert record["serviceNetworkResourceAssociationId"] in {item["id"] for item in listed if item["resourceConfigurationId"] == second["id"]}
    assert record["gatewayIpPort"].rpartition(":")[0] in sources
    assert (record["resourceIpPort"], record["protocol"], record["vpcEndpointId"]) == (f"10.61.1.12:{PORT + 1}", "tcp", "-")
    assert record["destinationIpPort"] == f"{resolved(lab, site, 'b2.cluster.kafka.test')}:{PORT + 1}"


def _logged(logs: Any, arn: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        events = logs.filter_log_events(logGroupName="/brokers")["events"]
        return next((record for event in events if (record := json.loads(event["message"]))["resourceConfigurationArn"] == arn), None)

    return until(found)


def test_a_policy_on_the_group_is_for_its_children(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    listed = lattice.list_service_network_resource_associations(serviceNetworkIdentifier=site.network, includeChildren=True)["items"]
    ids = {item["resourceConfigurationName"]: item["resourceConfigurationId"] for item in listed}
    statement = {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Connect", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert lab.talk(site.client, "b1.cluster.kafka.test", PORT).startswith("b1 ")
    lattice.put_auth_policy(resourceIdentifier=ids["kafka"], policy=policy)
    lab.settled()
    assert lab.talk(site.client, "b1.cluster.kafka.test", PORT, seconds=0.7) == ""  # the client has no role
    lattice.delete_auth_policy(resourceIdentifier=ids["kafka"])
    lab.settled()
    assert lab.talk(site.client, "b1.cluster.kafka.test", PORT).startswith("b1 ")


@pytest.mark.parametrize("kind", ["Resource", "ServiceNetwork"])
def test_a_group_through_a_vpc_endpoint(lab: Lab, site: Site, kind: str) -> None:
    """One endpoint leads to all children, each by a name of its own, on its own ports."""
    lattice = lab.client("vpc-lattice")
    (group,) = [item for item in lattice.list_resource_configurations()["items"] if item["name"] == "kafka"]
    network = lattice.get_service_network(serviceNetworkIdentifier=site.network)["arn"]
    leads_to = {"ResourceConfigurationArn": group["arn"]} if kind == "Resource" else {"ServiceNetworkArn": network}
    lab.ec2.authorize_security_group_ingress(GroupId=_default_group(lab, site.clients), IpPermissions=[allow(cidr="10.60.0.0/16")])
    made = lab.ec2.create_vpc_endpoint(
        VpcEndpointType=kind, VpcId=site.clients, SubnetIds=[lab.subnet(site.clients, f"10.60.{2 + len(kind)}.0/24")], **leads_to
    )["VpcEndpoint"]["VpcEndpointId"]
    until(lambda: lab.ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"][0]["State"] == "available")
    found = lab.ec2.describe_vpc_endpoint_associations(VpcEndpointIds=[made])["VpcEndpointAssociations"]
    names = {item["AssociatedResourceArn"].rpartition("/")[2]: item["DnsEntry"]["DnsName"] for item in found if "ResourceConfigurationGroupArn" in item}
    children = {item["name"]: item["id"] for item in lattice.list_resource_configurations(resourceConfigurationGroupIdentifier=group["id"])["items"]}
    lab.settled()
    assert lab.talk(site.client, names[children["broker-one"]], PORT).startswith("b1 10.61.")
    assert lab.talk(site.client, names[children["broker-two"]], PORT + 1).startswith("b2 10.61.")
    assert lab.talk(site.client, names[children["broker-two"]], PORT, seconds=0.5) == ""
    lab.ec2.revoke_security_group_ingress(GroupId=_default_group(lab, site.clients), IpPermissions=[allow(cidr="10.60.0.0/16")])
    lab.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    until(lambda: not [item for item in lab.ec2.describe_vpc_endpoints()["VpcEndpoints"] if item["VpcEndpointId"] == made and item["State"] != "deleted"])


def _default_group(lab: Lab, vpc: str) -> str:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    return str(lab.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"])


def test_deletions_are_refused_while_something_hangs_on_it(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    listed = lattice.list_service_network_resource_associations(serviceNetworkIdentifier=site.network, includeChildren=True)["items"]
    by_name = {item["resourceConfigurationName"]: item for item in listed}
    group, child = by_name["kafka"], by_name["broker-one"]
    with pytest.raises(ClientError, match="ConflictException"):
        lattice.delete_resource_configuration(resourceConfigurationIdentifier=group["resourceConfigurationId"])
    with pytest.raises(ClientError, match="ConflictException"):
        lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=child["id"])
    lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=group["id"])
    until(lambda: not lattice.list_service_network_resource_associations(serviceNetworkIdentifier=site.network, includeChildren=True)["items"])
    assert lab.talk(site.client, child["dnsEntry"]["domainName"], PORT, seconds=0.5) == ""
    assert resolved(lab, site, "b1.cluster.kafka.test") == ""
