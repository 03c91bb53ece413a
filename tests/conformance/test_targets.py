"""Targets of VPC Lattice: who gets requests, who is healthy, who drains; instances, several ports, and a load balancer."""

from __future__ import annotations

import json
import math
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bench.region import until

from .lab import Lab, allow
from .test_load_balancers import certificate_for

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
_SERVER = """#!/usr/bin/env python3
import asyncio, sys
NAME, PORTS, WAITING = {name!r}, {ports!r}, []
class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.port = transport, transport.get_extra_info("sockname")[1]
        self.client, self.buffer = transport.get_extra_info("peername")[0], b""
    def data_received(self, data):
        self.buffer += data
        while b"\\r\\n\\r\\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\\r\\n\\r\\n")
            path = head.split(b" ", 2)[1].decode()
            if path == "/slow":
                WAITING.append(path)
                asyncio.get_running_loop().call_later(4, self.answer, 200)
            else:
                self.answer(int(path[2:]) if path.startswith("/=") else 200)
    def answer(self, status):
        body = f"{{NAME}} {{self.port}} {{self.client}} {{len(WAITING)}}".encode()
        self.transport.write(b"HTTP/1.1 %d x\\r\\ncontent-length: %d\\r\\n\\r\\n%s" % (status, len(body), body))
async def main():
    loop = asyncio.get_running_loop()
    for port in PORTS:
        await loop.create_server(Answer, "0.0.0.0", port)
    await asyncio.Event().wait()
asyncio.run(main())
"""
_COUNT = """
import collections, json, select, socket, sys
host, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = socket.create_connection((host, 80), 10)
stream, found = connection.makefile("rb"), collections.Counter()
while sum(found.values()) < count if count else not select.select([sys.stdin], [], [], 0)[0]:
    connection.sendall(f"GET {path} HTTP/1.1\\r\\nhost: {host}\\r\\n\\r\\n".encode())
    status, length = stream.readline().split()[1].decode(), 0
    while (line := stream.readline()) != b"\\r\\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    words = stream.read(length).decode().split()
    found[f"{status} {words[0]} {words[1]}" if status == "200" else status] += 1
print(json.dumps(found))
"""


@dataclass
class Site:
    vpc: str
    subnets: list[str]
    network: str
    service: str
    listener: str
    name: str
    client: str
    servers: dict[str, str]
    inward: str


def _server(name: str) -> str:
    return _SERVER.format(name=name, ports=[7001, 7002])


def _forward(*groups: tuple[str, int]) -> dict[str, Any]:
    return {"forward": {"targetGroups": [{"targetGroupIdentifier": group, "weight": weight} for group, weight in groups]}}


def _group(lab: Lab, vpc: str, name: str, kind: str = "INSTANCE", traffic: int = 7001, protocol: str = "HTTP", **check: Any) -> str:
    health = {} if kind == "ALB" else {"healthCheck": {"healthCheckIntervalSeconds": 5, "healthCheckTimeoutSeconds": 1, **check}}
    config = {"port": traffic, "protocol": protocol, "vpcIdentifier": vpc, **health}
    lattice = lab.client("vpc-lattice")
    made = str(lattice.create_target_group(name=name, type=kind, config=config)["id"])
    until(lambda: lattice.get_target_group(targetGroupIdentifier=made)["status"] == "ACTIVE")
    return made


def _register(lab: Lab, group: str, *targets: dict[str, Any]) -> None:
    assert lab.client("vpc-lattice").register_targets(targetGroupIdentifier=group, targets=list(targets))["unsuccessful"] == []


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    lattice = lab.client("vpc-lattice")
    vpc, near = lab.vpc("10.70.0.0/16"), lab.vpc("10.71.0.0/16")
    subnets = [lab.subnet(vpc, f"10.70.{at}.0/24", letter) for at, letter in ((1, "a"), (2, "b"))]
    lists = lab.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{lab.region.name}.vpc-lattice"]}])
    inward = lab.group(vpc, "inward", allow("tcp", 7001, 7002, prefix_list=lists["PrefixLists"][0]["PrefixListId"]))
    servers = {name: lab.instance(f"target-{name}", subnets[0], f"10.70.1.{20 + at}", [inward], _server(name)) for at, name in enumerate("abc")}
    client = lab.instance("targets-client", lab.subnet(near, "10.71.1.0/24"), "10.71.1.10")
    network = lattice.create_service_network(name="targets")["id"]
    service = lattice.create_service(name="targets")["id"]
    lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=near)
    lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)
    action = {"fixedResponse": {"statusCode": 404}}
    listener = lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTP", port=80, defaultAction=action)["id"]
    name = lattice.get_service(serviceIdentifier=service)["dnsEntry"]["domainName"]
    lab.running(client, *servers.values())
    lab.settled()
    for made in servers.values():
        until(lambda made=made: lab.curl(made, "http://127.0.0.1:7001/")[0] == 200)
    return Site(vpc, subnets, network, service, listener, name, client, servers, inward)


def count(lab: Lab, site: Site, path: str, requests: int) -> Counter[str]:
    done = lab.run(site.client, "python3", "-c", _COUNT, site.name, path, str(requests), seconds=90)
    assert done.returncode == 0, done.stderr
    return Counter(json.loads(done.stdout))


def statuses(lab: Lab, group: str) -> dict[str, tuple[str, str]]:
    items = lab.client("vpc-lattice").list_targets(targetGroupIdentifier=group)["items"]
    return {f"{item['id']}:{item['port']}": (item["status"], item.get("reasonCode", "")) for item in items}


def rule(lab: Lab, site: Site, name: str, priority: int, *groups: tuple[str, int]) -> str:
    match = {"httpMatch": {"pathMatch": {"match": {"prefix": f"/{name}"}}}}
    where = {"serviceIdentifier": site.service, "listenerIdentifier": site.listener}
    made = lab.client("vpc-lattice").create_rule(**where, name=name, priority=priority, match=match, action=_forward(*groups))
    lab.settled()
    return str(made["id"])


@pytest.fixture(autouse=True)
def _no_rules_stay(lab: Lab, site: Site) -> Iterator[None]:
    """A service has at most ten target groups."""
    yield
    lattice = lab.region.client("vpc-lattice", retries=8)
    where = {"serviceIdentifier": site.service, "listenerIdentifier": site.listener}
    for made in lattice.list_rules(**where)["items"]:
        if not made["isDefault"]:
            lattice.delete_rule(**where, ruleIdentifier=made["id"])


def test_a_new_target_is_healthy_after_one_check_and_requests_go_round(lab: Lab, site: Site) -> None:
    group = _group(lab, site.vpc, "round", healthyThresholdCount=10)
    _register(lab, group, *({"id": made} for made in site.servers.values()))
    assert {status for status, _ in statuses(lab, group).values()} == {"UNUSED"}
    rule(lab, site, "round", 10, (group, 100))
    until(lambda: {status for status, _ in statuses(lab, group).values()} == {"HEALTHY"}, seconds=8)  # ten checks would take 45 s
    counts = count(lab, site, "/round", 300)
    assert set(counts) == {"200 a 7001", "200 b 7001", "200 c 7001"}
    assert max(counts.values()) - min(counts.values()) <= 10  # each of Envoy's threads goes round for itself


def test_ports_per_target_and_one_target_on_two_ports(lab: Lab, site: Site) -> None:
    group = _group(lab, site.vpc, "ports", "IP", enabled=False)
    _register(lab, group, {"id": "10.70.1.20"}, {"id": "10.70.1.20", "port": 7002}, {"id": "10.70.1.21", "port": 7002})
    rule(lab, site, "ports", 11, (group, 100))
    assert set(count(lab, site, "/ports", 60)) == {"200 a 7001", "200 a 7002", "200 b 7002"}
    assert statuses(lab, group) == {f"10.70.1.{host}": ("UNAVAILABLE", "HealthCheckDisabled") for host in ("20:7001", "20:7002", "21:7002")}


def test_health_checks_by_path_matcher_and_port_and_fail_open(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    group = _group(lab, site.vpc, "checked", path="/=404", matcher={"httpCode": "200-299,404"}, port=7002, unhealthyThresholdCount=2)
    a, b = f"{site.servers['a']}:7001", f"{site.servers['b']}:7001"
    _register(lab, group, {"id": site.servers["a"]}, {"id": site.servers["b"]})
    rule(lab, site, "checked", 12, (group, 100))
    until(lambda: statuses(lab, group) == {a: ("HEALTHY", ""), b: ("HEALTHY", "")}, seconds=8)
    lattice.update_target_group(targetGroupIdentifier=group, healthCheck={"matcher": {"httpCode": "200"}})
    until(lambda: statuses(lab, group) == {a: ("UNHEALTHY", "HealthCheckFailed"), b: ("UNHEALTHY", "HealthCheckFailed")}, seconds=15)
    assert set(count(lab, site, "/checked", 20)) == {"200 a 7001", "200 b 7001"}
    lattice.update_target_group(targetGroupIdentifier=group, healthCheck={"path": "", "port": 0, "matcher": {"httpCode": ""}, "healthyThresholdCount": 2})
    until(lambda: set(statuses(lab, group).values()) == {("HEALTHY", "")}, seconds=20)
    lattice.update_target_group(targetGroupIdentifier=group, healthCheck={"enabled": False})
    assert set(statuses(lab, group).values()) == {("UNAVAILABLE", "HealthCheckDisabled")}


def test_a_draining_target_ends_what_it_has_begun_and_gets_nothing_new(lab: Lab, site: Site) -> None:
    lattice = lab.client("vpc-lattice")
    group = _group(lab, site.vpc, "leaving")
    _register(lab, group, {"id": site.servers["a"]})
    rule(lab, site, "slow", 13, (group, 100))
    until(lambda: set(statuses(lab, group).values()) == {("HEALTHY", "")}, seconds=8)
    command = ["curl", "-s", "-m", "9", "-w", " %{http_code}", f"http://{site.name}/slow"]
    slow = subprocess.Popen(lab.region.inside(site.client, *command), stdout=subprocess.PIPE, text=True)
    until(lambda: lab.curl(site.servers["a"], "http://127.0.0.1:7001/")[1].split()[3] == "1")
    _register(lab, group, {"id": site.servers["b"]})
    until(lambda: statuses(lab, group)[f"{site.servers['b']}:7001"][0] == "HEALTHY", seconds=3)
    lattice.deregister_targets(targetGroupIdentifier=group, targets=[{"id": site.servers["a"]}])
    assert statuses(lab, group)[f"{site.servers['a']}:7001"][0] == "DRAINING"
    lab.settled()
    assert set(count(lab, site, "/slow-not", 20)) == {"200 b 7001"}
    assert slow.communicate(timeout=15)[0].startswith("a 7001")
    lab.region.kill("control-plane")
    until(lambda: "control-plane" in lab.region.processes())
    patient = lab.region.client("vpc-lattice", retries=8)
    items = patient.list_targets(targetGroupIdentifier=group)["items"]
    assert {item["id"]: item["status"] for item in items}[site.servers["a"]] == "DRAINING"


def test_what_stops_is_unhealthy_and_what_ends_is_gone(lab: Lab, site: Site) -> None:
    group = _group(lab, site.vpc, "ending")
    made = lab.instance("ending", site.subnets[1], "10.70.2.30", [site.inward], _server("d"))
    lab.running(made)
    until(lambda: lab.curl(made, "http://127.0.0.1:7001/")[0] == 200)
    _register(lab, group, {"id": made}, {"id": site.servers["c"]})
    rule(lab, site, "ending", 14, (group, 100))
    key = f"{made}:7001"
    until(lambda: statuses(lab, group)[key][0] == "HEALTHY", seconds=12)
    lab.ec2.stop_instances(InstanceIds=[made])
    until(lambda: statuses(lab, group)[key] == ("UNHEALTHY", "HealthCheckFailed"), seconds=25)
    assert set(count(lab, site, "/ending", 10)) == {"200 c 7001"}
    lab.ec2.terminate_instances(InstanceIds=[made])
    assert list(statuses(lab, group)) == [f"{site.servers['c']}:7001"]


def test_ten_thousand_requests_are_split_by_weight(lab: Lab, site: Site) -> None:
    groups = [_group(lab, site.vpc, f"weight-{name}", enabled=False) for name in "abc"]
    for group, made in zip(groups, site.servers.values(), strict=True):
        _register(lab, group, {"id": made})
    rule(lab, site, "split", 15, (groups[0], 70), (groups[1], 30), (groups[2], 0))
    counts = count(lab, site, "/split", 10_000)
    assert set(counts) == {"200 a 7001", "200 b 7001"}
    assert abs(counts["200 b 7001"] - 3000) <= 4 * math.sqrt(10_000 * 0.7 * 0.3), counts  # four standard deviations


def test_rules_change_places_without_a_moment_between(lab: Lab, site: Site) -> None:
    """While two rules for the same requests swap priorities, every request meets one of them, never the default action."""
    lattice = lab.client("vpc-lattice")
    groups = [_group(lab, site.vpc, f"swap-{name}", enabled=False) for name in "ab"]
    for group, made in zip(groups, site.servers.values(), strict=False):
        _register(lab, group, {"id": made})
    rules = [rule(lab, site, "swap", 20, (groups[0], 1))]
    match = {"httpMatch": {"pathMatch": {"match": {"prefix": "/swap"}}}}
    where = {"serviceIdentifier": site.service, "listenerIdentifier": site.listener}
    rules.append(lattice.create_rule(**where, name="swap-b", priority=21, match=match, action=_forward((groups[1], 1)))["id"])
    lab.settled()
    command = lab.region.inside(site.client, "python3", "-c", _COUNT, site.name, "/swap", "0")
    load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # until its input ends
    for turn in range(8):
        pairs = zip(rules, (21, 20) if turn % 2 == 0 else (20, 21), strict=True)
        answer = lattice.batch_update_rule(**where, rules=[{"ruleIdentifier": name, "priority": priority} for name, priority in pairs])
        assert answer["unsuccessful"] == []
        lab.settled()
        assert set(count(lab, site, "/swap", 5)) == {f"200 {'ba'[turn % 2]} 7001"}
    counts = json.loads(load.communicate(timeout=60)[0])
    assert set(counts) == {"200 a 7001", "200 b 7001"}, counts


def test_a_load_balancer_as_target(lab: Lab, site: Site) -> None:
    """Lattice -> load balancer -> instances; the load balancer's security group sees Lattice's address, the instances' the load balancer's."""
    elb = lab.client("elbv2")
    gate = lab.group(site.vpc, "balancer")
    inside = lab.group(site.vpc, "behind", allow("tcp", 7001, group=gate))
    behind = lab.instance("behind", site.subnets[1], "10.70.2.40", [inside], _server("e"))
    made = elb.create_load_balancer(Name="behind-lattice", Subnets=site.subnets, SecurityGroups=[gate], Scheme="internal")["LoadBalancers"][0]
    check = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}
    targets = elb.create_target_group(Name="behind", Protocol="HTTP", Port=7001, VpcId=site.vpc, **check)["TargetGroups"][0]["TargetGroupArn"]
    arn = made["LoadBalancerArn"]
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=8000, DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}])
    lab.running(behind)
    elb.register_targets(TargetGroupArn=targets, Targets=[{"Id": behind}])
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1})
    elb.get_waiter("target_in_service").wait(TargetGroupArn=targets, WaiterConfig={"Delay": 1})
    group = _group(lab, site.vpc, "balanced", "ALB", 8000)
    _register(lab, group, {"id": arn})
    rule(lab, site, "balanced", 30, (group, 100))
    assert statuses(lab, group) == {f"{arn}:8000": ("UNAVAILABLE", "HealthCheckNotSupported")}
    url = f"http://{site.name}/balanced"
    assert lab.curl(site.client, url, seconds=8)[0] == 500  # no rule of the load balancer's security group lets Lattice in
    lists = lab.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{lab.region.name}.vpc-lattice"]}])
    permission = allow("tcp", 8000, prefix_list=lists["PrefixLists"][0]["PrefixListId"])
    lab.ec2.authorize_security_group_ingress(GroupId=gate, IpPermissions=[permission])
    lab.settled()
    status, body = until(lambda: (found := lab.curl(site.client, url))[0] == 200 and found)
    filters = [{"Name": "description", "Values": ["ELB app/behind-lattice/*"]}]
    nodes = {item["PrivateIpAddress"] for item in lab.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]}
    assert (status, body.split()[0], body.split()[2] in nodes) == (200, "e", True)
    _over_tls(lab, site, arn, targets, gate, group)
    elb.delete_load_balancer(LoadBalancerArn=arn)
    lab.settled()
    assert lab.curl(site.client, f"http://{site.name}/secured")[0] == 503


def _over_tls(lab: Lab, site: Site, arn: str, targets: str, gate: str, first: str) -> None:
    """The load balancer's HTTPS listener as a target of an HTTPS group, and of a TCP group behind TLS passthrough: then clients see its certificate."""
    elb, lattice, domain = lab.client("elbv2"), lab.client("vpc-lattice"), "shop.example.com"
    certificate, _ = certificate_for(lab, domain)
    action = {"Type": "forward", "TargetGroupArn": targets}
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTPS", Port=8443, DefaultActions=[action], Certificates=[{"CertificateArn": certificate}])
    lab.ec2.authorize_security_group_ingress(GroupId=gate, IpPermissions=[allow("tcp", 8443, cidr="169.254.171.0/24")])
    lattice.deregister_targets(targetGroupIdentifier=first, targets=[{"id": arn}])
    assert statuses(lab, first) == {f"{arn}:8000": ("DRAINING", "TargetDeregistrationInProgress")}
    groups = {protocol: _group(lab, site.vpc, f"balanced-{protocol.lower()}", "ALB", 8443, protocol) for protocol in ("HTTPS", "TCP")}
    for made in groups.values():
        _register(lab, made, {"id": arn})
    rule(lab, site, "secured", 31, (groups["HTTPS"], 100))
    service = lattice.create_service(name="passthrough", customDomainName=domain)["id"]
    where = {"serviceIdentifier": service, "name": "tls", "protocol": "TLS_PASSTHROUGH", "port": 443}
    lattice.create_listener(**where, defaultAction=_forward((groups["TCP"], 100)))
    lattice.create_service_network_service_association(serviceNetworkIdentifier=site.network, serviceIdentifier=service)
    lab.settled()
    until(lambda: lab.curl(site.client, f"http://{site.name}/secured")[0] == 200)
    address = lab.run(site.client, "getent", "hosts", site.name).stdout.split()[0]
    options = ["-k", "-v", "--resolve", f"{domain}:443:{address}", "--stderr", "-"]
    _, words = until(lambda: (found := lab.curl(site.client, f"https://{domain}/", *options))[0] == 200 and found)
    assert f"CN={domain}" in words.replace(" ", "")
