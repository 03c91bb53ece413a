"""Applied plans as packets meet them: nothing counts as enforced until a real packet was dropped."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from isolated import isolated

from latticewall.dataplane.kernel_applier import KernelApplier
from latticewall.dataplane.linux import LinuxKernel
from latticewall.dataplane.namespaces import Namespaces
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.node import NodePlan
from latticewall.plan.topology import Link, Namespace, Route

from . import plans

pytestmark = pytest.mark.netns

FOLDER = Path("/run/latticewall/netns")
PORT = 5044
LOST_SECONDS, ARRIVED_SECONDS = 0.5, 5.0
"""How long to wait for a packet that is not to arrive, and for one that is: through these namespaces it takes microseconds, on a busy machine longer."""


class Machine:
    """This machine's kernel with a plan applied to it."""

    def __init__(self, folder: Path) -> None:
        self.kernel = LinuxKernel(FOLDER)
        self.applier = KernelApplier(self.kernel, folder / "loaded")
        self.namespaces = Namespaces(FOLDER)

    def apply(self, plan: NodePlan) -> None:
        report = self.applier.apply(plan)
        assert not report.failures, report.failures

    def passes(self, source: int, target: int, size: int = 10, port: int = PORT, within: float = ARRIVED_SECONDS) -> bool:
        """Whether a datagram of `size` bytes, not to be fragmented, gets from one instance to another."""
        receiver, sender = self.socket(f"i-{target}"), self.socket(f"i-{source}")
        with receiver, sender:
            receiver.settimeout(within)
            sender.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
            try:
                receiver.bind((f"10.0.0.{10 + target}", port))
                sender.sendto(b"x" * size, (f"10.0.0.{10 + target}", port))
                return len(receiver.recv(65536)) == size
            except (TimeoutError, OSError):
                return False

    def loses(self, source: int, target: int, size: int = 10, port: int = PORT) -> bool:
        return not self.passes(source, target, size, port, LOST_SECONDS)

    def socket(self, namespace: str) -> socket.socket:
        return self.namespaces.inside(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


@isolated
def test_a_router_connects_its_instances(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.apply(plans.vpc(3))
    assert all(machine.passes(source, target) for source, target in ((0, 1), (1, 0), (2, 0)))
    assert machine.applier.counters("vpc-1")["passed"][0] == 3


@isolated
def test_the_incoming_interface_chooses_the_table(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    plan = plans.vpc(3)
    router = plan.namespaces[0]
    rules = tuple(replace(rule, table=20_001) if rule.incoming == "e1" else rule for rule in router.rules)
    routes = (*router.routes, Route(20_001, "10.0.0.10/32", "e0"), Route(20_001, "default", kind="blackhole"))
    machine.apply(plans.changed(plan, "vpc-1", rules=rules, routes=routes))
    assert machine.passes(1, 0)
    assert machine.loses(1, 2)
    assert machine.passes(0, 2)


@isolated
def test_a_drop_rule_drops(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    closed = NftRule((Match("ip daddr", ("10.0.0.11",)), Match("udp dport", (str(PORT),))), "drop", comment="sgr-1")
    machine.apply(plans.vpc(3, plans.only(closed, policy="accept")))
    assert machine.loses(0, 1)
    assert machine.passes(0, 1, port=PORT + 1)
    assert machine.passes(0, 2)
    machine.apply(plans.vpc(3))
    assert machine.passes(0, 1)


@isolated
def test_both_gates_must_open(tmp_path: Path) -> None:
    """The result does not depend on which gate comes first."""
    machine = Machine(tmp_path)
    allow, deny = NftRule((Match("udp dport", (str(PORT),)),), "return"), NftRule((), "drop")
    leave, arrive = NftRule((Match("iifname", ("e0",)),), "jump eg"), NftRule((Match("oifname", ("e1",)),), "jump in")
    for egress, ingress in ((True, True), (True, False), (False, True), (False, False)):
        gates = (Chain("eg", (allow, deny) if egress else (deny,)), Chain("in", (allow, deny) if ingress else (deny,)))
        for order in ((leave, arrive), (arrive, leave)):
            forward = Chain("forward", (*order, NftRule((), "accept")), hook="forward", policy="drop")
            machine.apply(plans.vpc(2, Ruleset((forward, *gates))))
            assert machine.passes(0, 1) == (egress and ingress), (egress, ingress, order)


@isolated
def test_mtu(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.apply(plans.vpc())
    assert machine.passes(0, 1, size=9001 - 28)
    assert machine.loses(0, 1, size=9001 - 27)
    machine.apply(replace(plans.vpc(), links=(plans.cable(0, mtu=1500), plans.cable(1))))
    assert machine.loses(0, 1, size=9001 - 28)
    assert machine.passes(0, 1, size=1500 - 28)


@isolated
def test_asymmetric_paths_pass(tmp_path: Path) -> None:
    """No reverse path filter stands in the way, whatever the host's default is: the way back of instance 0 leads nowhere."""
    machine = Machine(tmp_path)
    plan = plans.vpc()
    routes = tuple(route for route in plan.namespaces[0].routes if route.destination != "10.0.0.10/32")
    machine.apply(plans.changed(plan, "vpc-1", routes=routes))
    assert machine.passes(0, 1)


@isolated
def test_what_was_damaged_carries_packets_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.apply(plans.vpc())
    for damage in (
        lambda: machine.kernel.ip("vpc-1", ["link delete dev e0"]),
        lambda: machine.kernel.ip("i-1", ["address delete 10.0.0.11/32 dev eth0"]),
        lambda: machine.kernel.ip("vpc-1", ["route replace blackhole 10.0.0.11/32 table 20000 proto 242"]),
        lambda: machine.kernel.set_sysctls("vpc-1", {"ipv4/ip_forward": "0"}),
    ):
        damage()
        assert machine.loses(0, 1)
        machine.apply(plans.vpc())
        assert machine.passes(0, 1)


@isolated
def test_a_vanished_table_is_loaded_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    closed = plans.vpc(2, plans.only())
    machine.apply(closed)
    machine.kernel.nft("vpc-1", "delete table inet latticewall")
    assert machine.passes(0, 1)
    machine.apply(closed)
    assert machine.loses(0, 1)


@isolated
def test_an_added_rule_is_noticed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    closed = plans.vpc(2, plans.only())
    machine.apply(closed)
    machine.kernel.nft("vpc-1", "add rule inet latticewall forward accept")
    assert machine.passes(0, 1)
    machine.apply(closed)
    assert machine.loses(0, 1)


@isolated
def test_marked_packets_without_an_engine_do_not_pass(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    mark = NftRule((Match("udp dport", (str(PORT),)),), "meta mark set 0x80000000 ; accept")
    ruleset = Ruleset((Chain("stateless", (mark,), hook="prerouting", priority=-450),))
    machine.apply(plans.changed(plans.vpc(), "vpc-1", ruleset=ruleset, queue=0, queue_mark=0x80000000))
    assert machine.loses(0, 1)
    assert machine.passes(0, 1, port=PORT + 1)


@isolated
def test_a_removed_instance_is_cut_off_while_its_processes_still_run(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.apply(plans.vpc(2))
    with machine.socket("i-1") as held:
        machine.apply(plans.vpc(1))
        with pytest.raises(OSError, match="unreachable"):
            held.sendto(b"x", ("10.0.0.10", PORT))


@isolated
def test_equal_networks_do_not_meet(tmp_path: Path) -> None:
    """Two VPCs with the same addresses on one machine."""
    machine = Machine(tmp_path)
    first = plans.vpc(2)

    renamed = {"vpc-1": "vpc-2", "i-0": "i-20", "i-1": "i-21"}
    spaces: tuple[Namespace, ...] = tuple(replace(item, name=renamed[item.name], owner=renamed[item.name]) for item in first.namespaces)
    links = tuple(
        Link(replace(link.a, namespace="vpc-2"), replace(link.b, namespace=renamed[link.b.namespace]), link.mtu, f"{link.owner}-2") for link in first.links
    )
    machine.apply(plans.plan((*first.namespaces, *spaces), (*first.links, *links)))
    assert machine.passes(0, 1)
    assert machine.applier.counters("vpc-1")["passed"][0] == 1
    assert machine.applier.counters("vpc-2")["passed"][0] == 0
