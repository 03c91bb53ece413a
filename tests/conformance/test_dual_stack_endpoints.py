"""VPC endpoints over IPv6: by name, from their own VPC and over a Transit Gateway, for every protocol, behind IPv6 rules, and as policies and logs see them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Network
from typing import Any

import pytest
from bench.region import until

from .lab import Lab, allow, server
from .test_vpc_endpoints import associations, endpoint

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(180)]
HOME, TLS, DOMAIN = "172.23.4.44", "tls.six.example.com", "cache.six.example.com"
LOGS, ROLE = "/lattice/dual-stack", "near-six"
IPV4 = allow("tcp", 1, 65535, cidr="0.0.0.0/0")
CURL = ("curl", "-s", "-k", "-o", "/dev/stdout", "-w", "\n%{http_code} %{local_ip}", "-m", "3")
SECURE = f"""
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={TLS} -addext subjectAltName=DNS:{TLS} -keyout /tmp/key.pem -out /tmp/certificate.pem
openssl s_server -accept 8443 -www -key /tmp/key.pem -cert /tmp/certificate.pem &
"""
ASK = """
import sys, dns.resolver
resolver = dns.resolver.Resolver()
for type in ("A", "AAAA"):
    try:
        print(type, *sorted(str(found) for found in resolver.resolve(sys.argv[1], type, lifetime=5)))
    except dns.resolver.NoAnswer:
        print(type, "NODATA")
    except dns.resolver.NXDOMAIN:
        print(type, "NXDOMAIN")
"""
KEEP_TALKING = """
import socket, sys
found = socket.create_connection((sys.argv[1], 7777), 5)
for line in sys.stdin:
    found.sendall(line.encode())
    print(found.recv(100).decode().strip())
"""


@dataclass
class Site:
    """near, far: clients with both families, in the VPC of the endpoints and behind a Transit Gateway; addresses: of them, in IPv6. blocks: of the doors'
    subnets. names: through `both` (dual stack) and `six` (IPv6 alone), by what they lead to."""

    clients: str
    doors: list[str]
    blocks: list[IPv6Network]
    near: str
    far: str
    addresses: dict[str, str]
    group: str
    network: str
    service: str
    tls: str
    configuration: str
    both: str
    six: str
    names: dict[str, dict[str, str]] = field(default_factory=dict)


def dual_vpc(lab: Lab, cidr: str, subnets: dict[str, str]) -> tuple[str, list[str], list[IPv6Network]]:
    """A VPC with IPv6 and subnets of a /64 each: IPv4 block -> zone."""
    made = lab.ec2.create_vpc(CidrBlock=cidr, AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    blocks = list(IPv6Network(made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]).subnets(new_prefix=64))[: len(subnets)]
    found = [
        lab.ec2.create_subnet(VpcId=made["VpcId"], CidrBlock=inner, Ipv6CidrBlock=str(block), AvailabilityZone=lab.zone(letter))["Subnet"]["SubnetId"]
        for (inner, letter), block in zip(subnets.items(), blocks, strict=True)
    ]
    return made["VpcId"], found, blocks


def six(protocol: str, first: int, last: int, cidr: str) -> dict[str, Any]:
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last, "Ipv6Ranges": [{"CidrIpv6": cidr}]}


def make_role(lab: Lab) -> None:
    """What the client has: it may connect to anything, as far as it is concerned."""
    iam, trust = lab.client("iam"), {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    own = {"Effect": "Allow", "Action": "vpc-lattice-svcs:Connect", "Resource": "*"}
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    iam.put_role_policy(RoleName=ROLE, PolicyName="connect", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [own]}))
    iam.create_instance_profile(InstanceProfileName=ROLE)
    iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    lattice, ec2 = lab.client("vpc-lattice"), lab.ec2
    clients, (near, *doors), (_, *blocks) = dual_vpc(lab, "10.66.0.0/16", {"10.66.1.0/24": "a", "10.66.9.0/24": "a", "10.66.10.0/24": "b"})
    others, (far,), (far_block,) = dual_vpc(lab, "10.67.0.0/16", {"10.67.1.0/24": "a"})
    ec2.modify_vpc_attribute(VpcId=clients, EnableDnsHostnames={"Value": True})
    home = lab.vpc("172.23.0.0/16")
    inside = lab.subnet(home, "172.23.4.0/24")
    gateway = lab.transit_gateway()
    lab.attached(*(lab.attach(gateway, vpc, [subnet], Ipv6Support="enable") for vpc, subnet in ((clients, near), (others, far))))
    near_table = lab.route_table(clients, [near, *doors])
    far_table = lab.route_table(others, [far])
    ec2.create_route(RouteTableId=near_table, DestinationIpv6CidrBlock=str(far_block), TransitGatewayId=gateway)
    for block in blocks:
        ec2.create_route(RouteTableId=far_table, DestinationIpv6CidrBlock=str(block), TransitGatewayId=gateway)
    serving, group = lab.group(home, "serving-six"), lab.group(clients, "doors-six")
    ec2.authorize_security_group_ingress(GroupId=serving, IpPermissions=[IPV4])
    script = server("six", [8080], [7777]).replace("#!/usr/bin/env python3\n", "")
    script = f"#!/bin/sh\n{SECURE}\nexec python3 - <<'END'\n{script}\nEND\n"
    make_role(lab)
    instances = [lab.instance("near-six", near, Ipv6AddressCount=1, IamInstanceProfile={"Name": ROLE}), lab.instance("far-six", far, Ipv6AddressCount=1),
                 lab.instance("serving-six", inside, HOME, [serving], script)]  # fmt: skip

    network = lattice.create_service_network(name="six-doors")
    config = {"port": 8080, "protocol": "HTTP", "vpcIdentifier": home}
    targets = lattice.create_target_group(name="six-doors", type="IP", config=config)["id"]
    secure = lattice.create_target_group(name="six-tls", type="IP", config={**config, "port": 8443, "protocol": "TCP"})["id"]
    service, tls = lattice.create_service(name="six-shop"), lattice.create_service(name="six-tls", customDomainName=TLS)["id"]
    rgw = lattice.create_resource_gateway(name="six-doors", vpcIdentifier=home, subnetIds=[inside], ipv4AddressesPerEni=1)["id"]
    definition = {"resourceGatewayIdentifier": rgw, "resourceConfigurationDefinition": {"ipResource": {"ipAddress": HOME}}, "type": "SINGLE"}
    cache = lattice.create_resource_configuration(name="six-cache", portRanges=["7777"], customDomainName=DOMAIN, **definition)
    everything = lattice.create_resource_configuration(name="six-all", **definition)
    lab.settled()
    for identifier, protocol, name, port, group_id in (
        (service["id"], "HTTP", "web", 80, targets), (service["id"], "HTTPS", "secure", 443, targets), (tls, "TLS_PASSTHROUGH", "tls", 8443, secure),
    ):  # fmt: skip
        action = {"forward": {"targetGroups": [{"targetGroupIdentifier": group_id}]}}
        lattice.create_listener(serviceIdentifier=identifier, name=name, protocol=protocol, port=port, defaultAction=action)
    for group_id in (targets, secure):
        lattice.register_targets(targetGroupIdentifier=group_id, targets=[{"id": HOME}])
    for identifier in (service["id"], tls):
        lattice.create_service_network_service_association(serviceNetworkIdentifier=network["id"], serviceIdentifier=identifier)
    for configuration in (cache, everything):
        join = lattice.create_service_network_resource_association
        join(serviceNetworkIdentifier=network["id"], resourceConfigurationIdentifier=configuration["id"], privateDnsEnabled=True)
    lab.client("logs").create_log_group(logGroupName=LOGS)
    arn = f"arn:aws:logs:{lab.region.name}:{service['arn'].split(':')[4]}:log-group:{LOGS}"
    for resource in (cache["id"], service["id"], tls):
        lattice.create_access_log_subscription(resourceIdentifier=resource, destinationArn=arn)
    place: dict[str, Any] = {"VpcId": clients, "SecurityGroupIds": [group]}
    of_network = {"VpcEndpointType": "ServiceNetwork", "ServiceNetworkArn": network["arn"], **place}
    both = endpoint(lab, IpAddressType="dualstack", SubnetIds=doors, **of_network)
    alone = endpoint(
        lab, VpcEndpointType="Resource", ResourceConfigurationArn=cache["arn"], IpAddressType="ipv6", SubnetIds=doors[:1], PrivateDnsEnabled=True,
        DnsOptions={"PrivateDnsPreference": "ALL_DOMAINS"}, **place,
    )  # fmt: skip
    lab.running(*instances)
    lab.settled()
    described = {one["InstanceId"]: one for page in ec2.describe_instances(InstanceIds=instances[:2])["Reservations"] for one in page["Instances"]}
    addresses = {one: described[one]["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"] for one in instances[:2]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[six("tcp", 1, 65535, f"{addresses[instances[0]]}/128")])
    lab.settled()
    found = Site(
        clients, doors, blocks, *instances[:2], addresses, group, network["id"], service["id"], tls, cache["id"], both, alone
    )  # fmt: skip
    through = {one["AssociatedResourceArn"].rpartition("/")[2]: one["DnsEntry"]["DnsName"] for one in lab.ec2.describe_vpc_endpoint_associations(
        VpcEndpointIds=[both])["VpcEndpointAssociations"]}  # fmt: skip
    found.names = {"both": {"service": through[service["id"]], "tls": through[tls], "cache": through[cache["id"]], "all": through[everything["id"]]},
                   "six": {"cache": associations(lab, alone)["resourceconfiguration"]["DnsEntry"]["DnsName"]}}  # fmt: skip
    until(lambda: lab.talk(instances[2], "127.0.0.1", 7777))
    until(lambda: lab.run(instances[2], "curl", "-sk", "-o", "/dev/null", "https://127.0.0.1:8443/").returncode == 0)
    yield found
    assert lab.ec2.delete_vpc_endpoints(VpcEndpointIds=[both, alone])["Unsuccessful"] == []
    lab.settled()


def curl(lab: Lab, instance: str, url: str, *options: str) -> tuple[int, str, str]:
    """Status (0: no answer), the client's own address, and the body."""
    body, _, last = lab.run(instance, *CURL, *options, url).stdout.rpartition("\n")
    status, _, address = last.partition(" ")
    return int(status or 0), address, body


def policy(action: str, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def resolved(lab: Lab, site: Site, name: str) -> dict[str, list[str]]:
    lines = lab.run(site.near, sys.executable, "-c", ASK, name).stdout.splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_a_service_over_both_families(lab: Lab, site: Site) -> None:
    """The group has a rule for IPv6 only."""
    for scheme in ("http", "https"):
        status, address, body = curl(lab, site.near, f"{scheme}://{site.names['both']['service']}/", "-6")
        assert (status, address) == (200, site.addresses[site.near])
        headers = {name.lower(): value for name, value in json.loads(body)["headers"].items()}
        assert (headers["x-forwarded-for"], headers["x-amzn-source-vpc"]) == (site.addresses[site.near], site.clients)
    assert curl(lab, site.near, f"http://{site.names['both']['service']}/", "-4", "-m", "1")[0] == 0


SPOOFED = (
    "x-amzn-lattice-identity", "x-amzn-lattice-identity-tags", "x-amzn-lattice-network", "x-amzn-lattice-target", "x-amzn-lattice-version",
    "x-amzn-lattice-anything", "x-amzn-source-vpc", "x-amzn-source-vpc-arn", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port",
)  # fmt: skip
"""What targets are told by the service network. Spelt with underscores these are the same to whatever turns names into variables."""
BELIEVED = ("x-envoy-external-address", "x-envoy-internal", "x-envoy-original-path", "x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms")
"""What the proxy itself would take for its own."""


def spellings(name: str) -> set[str]:
    """As it is, upper case, and with underscores: everywhere, at first and at last. No request may have more than a hundred headers."""
    return {name, name.upper(), name.replace("-", "_"), name.replace("-", "_", 1), "_".join(name.rsplit("-", 1))}


@pytest.mark.parametrize("auth_type", ["NONE", "AWS_IAM"])
def test_what_only_the_service_network_says_no_client_says(lab: Lab, site: Site, auth_type: str) -> None:
    """Through endpoints of both families, in every protocol and spelling: asserted at the target."""
    lattice = lab.client("vpc-lattice")
    lattice.put_auth_policy(resourceIdentifier=site.service, policy=policy("vpc-lattice-svcs:Invoke"))
    lattice.update_service(serviceIdentifier=site.service, authType=auth_type)
    lab.ec2.authorize_security_group_ingress(GroupId=site.group, IpPermissions=[IPV4])
    lab.settled()
    (near,) = [page["Instances"][0]["PrivateIpAddress"] for page in lab.ec2.describe_instances(InstanceIds=[site.near])["Reservations"]]
    spoofed = [*BELIEVED, *(spelled for name in SPOOFED for spelled in sorted(spellings(name)))]
    headers = [word for name in spoofed for word in ("-H", f"{name}: spoofed")]
    for family, address in (("-4", near), ("-6", site.addresses[site.near])):
        for scheme, version in (("http", "--http1.1"), ("http", "--http2-prior-knowledge"), ("https", "--http1.1"), ("https", "--http2")):
            status, _, body = curl(lab, site.near, f"{scheme}://{site.names['both']['service']}/", family, version, *headers)
            assert status == 200, (family, scheme, version, body)
            sent = [(name.lower(), value) for name, value in json.loads(body)["sent"]]
            assert [name for name, value in sent if "spoofed" in value] == [], (family, scheme, version)
            told = {"x-forwarded-for": address, "x-forwarded-proto": scheme, "x-forwarded-port": {"http": "80", "https": "443"}[scheme]}
            told["x-amzn-source-vpc"] = site.clients
            assert [pair for pair in sent if pair[0] in told] == [(name, told[name]) for name, _ in sent if name in told]
            assert sorted(name for name, _ in sent if name in told) == sorted(told)
            ours = sorted(name for name, _ in sent if name.startswith("x-amzn-lattice"))
            assert ours == ["x-amzn-lattice-network", "x-amzn-lattice-target"]
    lab.ec2.revoke_security_group_ingress(GroupId=site.group, IpPermissions=[IPV4])
    lattice.update_service(serviceIdentifier=site.service, authType="NONE")
    lab.settled()


def test_resources(lab: Lab, site: Site) -> None:
    for names in site.names.values():
        assert lab.talk(site.near, names["cache"], 7777).startswith("six ")
    assert lab.talk(site.near, site.names["both"]["all"], 7777).startswith("six ")
    assert lab.talk(site.near, DOMAIN, 7777).startswith("six ")
    assert lab.talk(site.near, site.names["both"]["cache"], 7778, seconds=0.5) == ""


def test_the_auth_policy_of_a_resource_holds_over_ipv6(lab: Lab, site: Site) -> None:
    """By the address from which the instance's role connects."""
    lattice, near = lab.client("vpc-lattice"), site.addresses[site.near]
    for source, answered in (("2001:db8::/64", False), (f"{near}/128", True), ("0.0.0.0/0", False)):
        allowed = policy("vpc-lattice-svcs:Connect", IpAddress={"aws:SourceIp": source})
        lattice.put_auth_policy(resourceIdentifier=site.configuration, policy=allowed)
        lab.settled()
        for names in site.names.values():
            assert bool(lab.talk(site.near, names["cache"], 7777, seconds=2 if answered else 0.5)) is answered, (source, names)
    lattice.delete_auth_policy(resourceIdentifier=site.configuration)
    lab.settled()


def test_tls_passthrough(lab: Lab, site: Site) -> None:
    """By server name; the client's address may be asked for by a policy."""
    there = ("--connect-to", f"{TLS}:8443:{site.names['both']['tls']}:8443")
    assert curl(lab, site.near, f"https://{TLS}:8443/", "-6", *there)[0] == 200
    lattice = lab.client("vpc-lattice")
    lattice.update_service(serviceIdentifier=site.tls, authType="AWS_IAM")
    for source, status in ((f"{site.addresses[site.near]}/128", 200), ("2001:db8::/64", 0), ("0.0.0.0/0", 0)):
        allowed = policy("vpc-lattice-svcs:Connect", IpAddress={"aws:SourceIp": source}, StringEquals={"vpc-lattice-svcs:SourceVpc": site.clients})
        lattice.put_auth_policy(resourceIdentifier=site.tls, policy=allowed)
        lab.settled()
        assert curl(lab, site.near, f"https://{TLS}:8443/", "-6", *there)[0] == status
    lattice.update_service(serviceIdentifier=site.tls, authType="NONE")
    lab.settled()


def test_policies_see_the_client_and_the_endpoint_s_vpc(lab: Lab, site: Site) -> None:
    lattice, url = lab.client("vpc-lattice"), f"http://{site.names['both']['service']}/"
    lattice.update_service(serviceIdentifier=site.service, authType="AWS_IAM")
    near = site.addresses[site.near]
    for condition, status in (
        ({"IpAddress": {"aws:SourceIp": f"{near}/128"}}, 200), ({"IpAddress": {"aws:SourceIp": IPv6Network(f"{near}/64", strict=False).exploded}}, 200),
        ({"IpAddress": {"aws:SourceIp": "10.66.0.0/16"}}, 403), ({"NotIpAddress": {"aws:SourceIp": f"{near}/128"}}, 403),
        ({"StringEquals": {"vpc-lattice-svcs:SourceVpc": site.clients}}, 200), ({"StringEquals": {"vpc-lattice-svcs:SourceVpc": "vpc-0"}}, 403),
        ({"StringEquals": {"aws:SourceVpce": site.both}}, 403), ({"Null": {"aws:SourceVpce": "true", "aws:VpceAccount": "true"}}, 200),
    ):  # fmt: skip
        lattice.put_auth_policy(resourceIdentifier=site.service, policy=policy("vpc-lattice-svcs:Invoke", **condition))
        lab.settled()
        assert curl(lab, site.near, url, "-6")[0] == status, condition
    lattice.update_service(serviceIdentifier=site.service, authType="NONE")
    lab.settled()


def test_over_a_transit_gateway_behind_ipv6_rules(lab: Lab, site: Site) -> None:
    url, cache = f"http://{site.names['both']['service']}/", site.names["six"]["cache"]
    assert (curl(lab, site.far, url, "-6", "-m", "1")[0], lab.talk(site.far, cache, 7777, seconds=0.5)) == (0, "")
    far = six("tcp", 1, 65535, f"{site.addresses[site.far]}/128")
    lab.ec2.authorize_security_group_ingress(GroupId=site.group, IpPermissions=[far])
    lab.settled()
    status, address, body = curl(lab, site.far, url, "-6")
    assert (status, address) == (200, site.addresses[site.far])
    headers = {name.lower(): value for name, value in json.loads(body)["headers"].items()}
    assert (headers["x-forwarded-for"], headers["x-amzn-source-vpc"]) == (site.addresses[site.far], site.clients)
    assert lab.talk(site.far, cache, 7777).startswith("six ")
    lab.ec2.revoke_security_group_ingress(GroupId=site.group, IpPermissions=[far])
    lab.settled()
    assert curl(lab, site.far, url, "-6", "-m", "1")[0] == 0


def test_names_have_the_records_that_are_asked_for(lab: Lab, site: Site) -> None:
    """A and AAAA by DnsRecordIpType; a name with records of the other family has no data, one that nobody has does not exist."""
    service, cache = site.names["both"]["service"], site.names["both"]["cache"]
    fixed = {"A": ["10.66.10.16", "10.66.9.16"], "AAAA": [str(block[(1 << 48) + 1]) for block in site.blocks]}
    assert resolved(lab, site, service) == fixed
    assert [len(found) for found in resolved(lab, site, cache).values()] == [2, 2]
    assert resolved(lab, site, site.names["six"]["cache"]) == {"A": ["NODATA"], "AAAA": [str(site.blocks[0][5])]}
    assert resolved(lab, site, DOMAIN) == {"A": ["NODATA"], "AAAA": [str(site.blocks[0][5])]}
    assert resolved(lab, site, f"vpce-0{service.partition('.')[2]}") == {"A": ["NXDOMAIN"], "AAAA": ["NXDOMAIN"]}
    nodata = ["NODATA"]
    for type_, wanted in (("ipv4", {**fixed, "AAAA": nodata}), ("ipv6", {**fixed, "A": nodata}), ("service-defined", fixed), ("dualstack", fixed)):
        lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.both, DnsOptions={"DnsRecordIpType": type_})
        lab.settled()
        assert resolved(lab, site, service) == wanted, type_


def test_private_names_of_service_defined_records_are_ipv4(lab: Lab, site: Site) -> None:
    preference = {"PrivateDnsPreference": "ALL_DOMAINS"}
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.six, PrivateDnsEnabled=False)
    for type_, families in (("service-defined", {"A"}), ("dualstack", {"A", "AAAA"}), ("ipv6", {"AAAA"})):
        lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.both, PrivateDnsEnabled=True, DnsOptions={"DnsRecordIpType": type_, **preference})
        lab.settled()
        assert {family for family, found in resolved(lab, site, DOMAIN).items() if found != ["NODATA"]} == families, type_
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.both, PrivateDnsEnabled=False, DnsOptions={"DnsRecordIpType": "dualstack"})
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.six, PrivateDnsEnabled=True)
    lab.settled()


def test_logs_have_addresses_of_ipv6(lab: Lab, site: Site) -> None:
    near = f"[{site.addresses[site.near]}]:"

    def found() -> list[dict[str, Any]] | None:
        records = [json.loads(event["message"]) for event in lab.client("logs").filter_log_events(logGroupName=LOGS)["events"]]
        own = [one for one in records if str(one["sourceIpPort"]).startswith(near)]
        kinds = {one.get("listenerType") or one["vpcEndpointId"] for one in own}
        return own if kinds >= {"HTTP", "HTTPS", "TLS_PASSTHROUGH", site.both, site.six} else None

    curl(lab, site.near, f"http://{site.names['both']['service']}/", "-6")
    records = until(found)
    through = [one for one in records if one.get("vpcEndpointId") == site.six]
    assert {one["destinationIpPort"] for one in through} == {f"[{site.blocks[0][5]}]:7777"}
    assert {one["sourceVpcArn"].rpartition("/")[2] for one in records} == {site.clients}


def test_changing_the_type_keeps_what_lasts(lab: Lab, site: Site) -> None:
    """A connection over IPv6 outlives the coming and going of IPv4."""
    name = site.names["six"]["cache"]
    with subprocess.Popen(
        lab.region.inside(site.near, "python3", "-uc", KEEP_TALKING, name), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as talk:  # fmt: skip
        assert talk.stdin is not None
        assert talk.stdout is not None
        for type_, families in (("dualstack", {"A", "AAAA"}), ("ipv6", {"AAAA"})):
            lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.six, IpAddressType=type_, DnsOptions={"DnsRecordIpType": type_})
            lab.settled()
            print(type_, file=talk.stdin, flush=True)
            assert talk.stdout.readline().startswith("six ")
            assert {family for family, found in resolved(lab, site, name).items() if found != ["NODATA"]} == families
        talk.stdin.close()
    assert lab.ec2.describe_vpc_endpoints(VpcEndpointIds=[site.six])["VpcEndpoints"][0]["State"] == "available"
    for type_ in ("ipv6", "dualstack"):
        lab.ec2.modify_vpc_endpoint(VpcEndpointId=site.both, IpAddressType=type_)
        lab.settled()
        assert curl(lab, site.near, f"http://{site.names['both']['service']}/")[0] == 200
