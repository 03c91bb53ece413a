"""The centralised inspection architecture, from typed world to packets: compiled, applied to this kernel, and walked through by datagrams."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from isolated import isolated

from latticewall.base.ids import namespace
from latticewall.compile.node import compile_node
from latticewall.compile.transit_gateway import counter_name
from latticewall.dataplane.fake import FakeKernel
from latticewall.dataplane.kernel_applier import KernelApplier
from latticewall.dataplane.linux import LinuxKernel
from latticewall.dataplane.namespaces import Namespaces
from latticewall.reconcile.applier import Report
from latticewall.world.types import (
    Firewall,
    FirewallEndpoint,
    Instance,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    Route,
    RouteTable,
    RuleGroup,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
    Vpc,
    World,
)  # fmt: skip

pytestmark = pytest.mark.netns

ANY = IPv4Network("0.0.0.0/0")
ZONE = "eu-west-1a"
PORT = 5044
LOST_SECONDS, ARRIVED_SECONDS = 0.3, 5.0
SPOKES = {"a": IPv4Network("10.1.0.0/16"), "b": IPv4Network("10.2.0.0/16")}
INSPECTION = IPv4Network("100.64.0.0/16")
ACCOUNT = "000000000000"
FIREWALL_ARN = f"arn:aws:network-firewall:eu-west-1:{ACCOUNT}:firewall/inspection"


def subnet(vpc: str, role: str, number: int, cidr: IPv4Network) -> Subnet:
    block = list(cidr.subnets(new_prefix=24))[number]
    return Subnet(f"subnet-{vpc}{role}", f"vpc-{vpc}", block, ZONE, f"rtb-{vpc}{role}", f"acl-{vpc}")


def table(vpc: str, role: str, target: str) -> RouteTable:
    cidr = SPOKES.get(vpc, INSPECTION)
    return RouteTable(f"rtb-{vpc}{role}", f"vpc-{vpc}", (Route(cidr, "local"), *((Route(ANY, target),) if target else ())))


def open_acl(vpc: str) -> NetworkAcl:
    return NetworkAcl(f"acl-{vpc}", f"vpc-{vpc}", tuple(NetworkAclEntry(100, egress, allow=True, protocol="-1", cidr=ANY) for egress in (True, False)))


def open_group(vpc: str) -> SecurityGroup:
    rules = tuple(SecurityGroupRule(f"sgr-{vpc}{egress:d}", egress, "-1", -1, -1, ANY) for egress in (True, False))
    return SecurityGroup(f"sg-{vpc}", f"vpc-{vpc}", "all", rules)


def stateless(action: str, *, port: int = PORT) -> RuleGroup:
    """A stateless group with one rule about UDP datagrams to and from the port."""
    rules = []
    for priority, side in ((1, "DestinationPorts"), (2, "SourcePorts")):
        match = {"Protocols": [17], side: [{"FromPort": port, "ToPort": port}]}
        rules.append({"Priority": priority, "RuleDefinition": {"MatchAttributes": match, "Actions": [action]}})
    document = {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": rules}}}
    return RuleGroup(f"arn:aws:network-firewall:eu-west-1:{ACCOUNT}:stateless-rulegroup/udp", "STATELESS", document)


def firewall(group: RuleGroup) -> Firewall:
    policy = {
        "StatelessDefaultActions": ["aws:forward_to_sfe"], "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"],
        "StatelessRuleGroupReferences": [{"ResourceArn": group.arn, "Priority": 1}],
    }  # fmt: skip
    endpoint = FirewallEndpoint("vpce-1", "subnet-if", "vpc-i", ZONE)
    return Firewall(FIREWALL_ARN, "inspection", ACCOUNT, "vpc-i", (endpoint,), "arn:policy", policy, (group,))


def gateway() -> TransitGateway:
    attachments = tuple(
        TransitGatewayAttachment(f"tgw-attach-{vpc}", "tgw-1", f"vpc-{vpc}", (f"subnet-{vpc}t",), vpc == "i", "tgw-rtb-fw" if vpc == "i" else "tgw-rtb-spoke")
        for vpc in (*SPOKES, "i")
    )
    spoke = TransitGatewayRouteTable("tgw-rtb-spoke", "tgw-1", (TransitGatewayRoute(ANY, "tgw-attach-i"),))
    back = TransitGatewayRouteTable("tgw-rtb-fw", "tgw-1", tuple(TransitGatewayRoute(cidr, f"tgw-attach-{vpc}", "propagated") for vpc, cidr in SPOKES.items()))
    return TransitGateway("tgw-1", attachments, (spoke, back))


def world(group: RuleGroup) -> World:
    """Two spokes with an instance each; everything between them goes through the firewall endpoint of the inspection VPC."""
    cidrs = {**SPOKES, "i": INSPECTION}
    vpcs = tuple(Vpc(f"vpc-{vpc}", f"arn:vpc-{vpc}", ACCOUNT, (cidr,), dns_support=True, dns_hostnames=False) for vpc, cidr in cidrs.items())
    spokes = [subnet(vpc, role, number, cidr) for vpc, cidr in SPOKES.items() for number, role in enumerate("wt")]
    subnets = (*spokes, subnet("i", "t", 0, INSPECTION), subnet("i", "f", 1, INSPECTION))
    tables = [table(vpc, role, target) for vpc in SPOKES for role, target in (("w", "tgw-1"), ("t", ""))]
    tables += [table("i", "t", "vpce-1"), table("i", "f", "tgw-1")]
    interfaces, instances = [], []
    for vpc, cidr in SPOKES.items():
        address = cidr.network_address + 10
        common, groups = (f"vpc-{vpc}", f"subnet-{vpc}w"), (f"sg-{vpc}",)
        interfaces.append(NetworkInterface(f"eni-{vpc}", *common, (address,), "02:00:00:00:00:01", groups, instance_id=f"i-{vpc}"))
        instances.append(
            Instance(
                f"i-{vpc}", f"arn:i-{vpc}", ACCOUNT, *common, ZONE, "running", "t3.micro", "ami-1", address, (f"eni-{vpc}",), groups, "", "", "", "", "1", {}
            )
        )
    return replace(
        World("eu-west-1", 1, "2026-01-01T00:00:00Z"), vpcs=vpcs, subnets=subnets, route_tables=tuple(tables),
        network_acls=tuple(open_acl(vpc) for vpc in cidrs),
        security_groups=tuple(open_group(vpc) for vpc in SPOKES), network_interfaces=tuple(interfaces), instances=tuple(instances),
        transit_gateways=(gateway(),), firewalls=(firewall(group),),
    )  # fmt: skip


class Machine:
    """The compiled world on this kernel."""

    def __init__(self, folder: Path) -> None:
        self.applier = KernelApplier(LinuxKernel(Path("/run/latticewall/netns")), folder / "loaded")

    def apply(self, found: World) -> Report:
        plan = compile_node(found)
        assert plan.problems == ()
        report = self.applier.apply(plan)
        assert report.failures == ()
        return report

    def passes(self, source: str, target: str, port: int = PORT, within: float = ARRIVED_SECONDS) -> bool:
        """Whether a datagram gets there and its answer comes back."""
        namespaces = Namespaces(Path("/run/latticewall/netns"))
        client, server = (namespaces.inside(namespace("i", f"i-{vpc}"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for vpc in (source, target))
        there: IPv4Address = SPOKES[target].network_address + 10
        with client, server:
            for one in (client, server):
                one.settimeout(within)
            try:
                server.bind((str(there), port))
                client.sendto(b"question", (str(there), port))
                _, sender = server.recvfrom(100)
                server.sendto(b"answer", sender)
                return client.recv(100) == b"answer"
            except TimeoutError:
                return False

    def loses(self, source: str, target: str, port: int = PORT) -> bool:
        return not self.passes(source, target, port, LOST_SECONDS)

    def counted(self, place: str, counter: str) -> int:
        return self.applier.counters(place)[counter][0]


@isolated
def test_traffic_between_spokes_goes_through_the_firewall_endpoint(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.apply(world(stateless("aws:pass")))
    assert machine.passes("a", "b")
    assert machine.passes("b", "a")
    assert machine.counted("fw-vpce-1", "received") == 4
    assert machine.counted("tgw-1", counter_name("tgw-attach-i", "in")) == 4
    assert machine.counted("tgw-1", counter_name("tgw-attach-a", "out")) == 2


@isolated
def test_what_needs_the_engine_waits_for_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.apply(world(stateless("aws:pass")))
    assert machine.loses("a", "b", port=PORT + 1)
    machine.apply(world(stateless("aws:drop")))
    assert machine.loses("a", "b")


@isolated
def test_a_second_application_does_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.apply(world(stateless("aws:pass")))
    assert machine.apply(world(stateless("aws:pass"))) == Report()


@isolated
def test_security_groups_and_route_tables_decide(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    start = world(stateless("aws:pass"))
    closed = SecurityGroup("sg-b", "vpc-b", "none", tuple(rule for rule in open_group("b").rules if rule.egress))
    machine.apply(replace(start, security_groups=(open_group("a"), closed)))
    assert machine.loses("a", "b")
    assert machine.passes("b", "a")
    lost = tuple(table("a", "w", "") if found.id == "rtb-aw" else found for found in start.route_tables)
    machine.apply(replace(start, route_tables=lost))
    assert machine.loses("a", "b")
    machine.apply(start)
    assert machine.passes("a", "b")


@isolated
def test_network_acls_are_stateless(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    start = world(stateless("aws:pass"))
    entries = (*open_acl("b").entries, NetworkAclEntry(50, egress=True, allow=False, protocol="17", cidr=ANY))
    machine.apply(replace(start, network_acls=(open_acl("a"), NetworkAcl("acl-b", "vpc-b", entries), open_acl("i"))))
    assert machine.loses("a", "b")


def test_the_fake_kernel_takes_the_same_plan(tmp_path: Path) -> None:
    kernel = FakeKernel()
    applier = KernelApplier(kernel, tmp_path)
    plan = compile_node(world(stateless("aws:pass")))
    assert applier.apply(plan).failures == ()
    assert applier.apply(plan) == Report()
    assert kernel.namespaces() == {item.name for item in plan.namespaces}
    assert "-j NFQUEUE --queue-num 0" in kernel.text()
