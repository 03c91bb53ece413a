"""What every kernel must do for the appliers: the real one and the fake one pass the same tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from isolated import isolated

from latticewall.compile.render.network import alias
from latticewall.dataplane.fake import FakeKernel
from latticewall.dataplane.kernel import BASE, Kernel, KernelError, LineError
from latticewall.dataplane.kernel_applier import KernelApplier
from latticewall.dataplane.linux import LinuxKernel
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.topology import Address, Namespace, PolicyRule, Route
from latticewall.reconcile.applier import Report

from . import plans

Contract = Callable[[Kernel, KernelApplier], None]


def contract(check: Contract) -> Callable[..., None]:
    """The test runs once on each kernel."""

    @isolated
    def on_linux(tmp_path: Path) -> None:
        check(*machine(LinuxKernel(Path("/run/latticewall/netns")), tmp_path))

    @pytest.mark.parametrize("kind", [pytest.param("linux", marks=pytest.mark.netns), "fake"])
    def test(kind: str, tmp_path: Path) -> None:
        if kind == "linux":
            on_linux(tmp_path=tmp_path)
        else:
            check(*machine(FakeKernel(), tmp_path))

    test.__name__, test.__doc__, test.__module__ = check.__name__, check.__doc__, check.__module__
    return test


def machine(kernel: Kernel, folder: Path) -> tuple[Kernel, KernelApplier]:
    return kernel, KernelApplier(kernel, folder / "loaded")


@contextmanager
def no_changes(kernel: Kernel) -> Iterator[None]:
    """Fails on any changing command."""

    def refuse(name: str) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            raise AssertionError(f"{name}{arguments}")

        return call

    changing = ("create_namespace", "delete_namespace", "ip", "set_sysctls", "nft", "restore_queue")
    for name in changing:
        setattr(kernel, name, refuse(name))
    yield
    for name in changing:
        delattr(kernel, name)


def applied(applier: KernelApplier, plan: object) -> Report:
    report = applier.apply(plan)  # type: ignore[arg-type]
    assert not report.failures, report.failures
    return report


def heals(kernel: Kernel, applier: KernelApplier, damage: Callable[[], object]) -> None:
    """After the damage one application brings back what was, and the next one has nothing to do."""
    names = kernel.namespaces()
    before = {name: kernel.network(name) for name in names}
    tables = {name: kernel.nft_table(name) for name in names}
    damage()
    assert applied(applier, plans.vpc()).changed
    assert kernel.namespaces() == names
    assert {name: comparable(kernel, name) for name in names} == {name: _comparable(state) for name, state in before.items()}
    assert {name: kernel.nft_table(name) for name in names} == tables
    with no_changes(kernel):
        assert applied(applier, plans.vpc()).changed == 0


def comparable(kernel: Kernel, name: str) -> object:
    return _comparable(kernel.network(name))


def _comparable(state: object) -> object:
    """A network state without what the kernel chooses: hardware addresses."""
    devices = {name: replace(device, mac="") for name, device in state.devices.items()}  # type: ignore[attr-defined]
    return replace(state, devices=devices)  # type: ignore[type-var]


# -- bringing up --------------------------------------------------------------------------------------------------------------------------


@contract
def test_a_plan_becomes_what_the_kernel_shows(kernel: Kernel, applier: KernelApplier) -> None:
    assert applied(applier, plans.vpc()).changed
    assert kernel.namespaces() == {"vpc-1", "i-0", "i-1"}
    state = kernel.network("vpc-1")
    assert state.addresses == {Address("lo", "10.0.0.1/32")}
    assert state.rules == {PolicyRule(1000, plans.TABLE, "e0"), PolicyRule(1000, plans.TABLE, "e1")}
    assert Route(plans.TABLE, "default", kind="blackhole") in state.routes
    assert Route(plans.TABLE, "10.0.0.11/32", "e1") in state.routes
    assert len(state.routes) == 5
    device = state.devices["e1"]
    assert (device.up, device.mtu, device.alias) == (True, 9001, alias(plans.cable(1)))
    assert kernel.network("i-1").devices["eth0"].mac == "02:00:00:00:00:01"
    assert kernel.network("i-1").routes == {Route(254, "default", "eth0", "10.0.0.1")}
    assert 'counter name "passed" continue' in kernel.nft_table("vpc-1")


@contract
def test_sysctls_reach_every_device(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc())
    keys = ["ipv4/ip_forward", *(f"ipv4/conf/{name}/rp_filter" for name in ("all", "default", "lo", "e0", "e1"))]
    assert kernel.sysctls("vpc-1", keys) == dict(zip(keys, "100000", strict=True))
    kernel.set_sysctls("vpc-1", {"ipv4/conf/e0/rp_filter": "1"})
    assert applied(applier, plans.vpc()).changed == 1
    assert kernel.sysctls("vpc-1", ["ipv4/conf/e0/rp_filter"]) == {"ipv4/conf/e0/rp_filter": "0"}


@contract
def test_an_equal_plan_takes_no_command(kernel: Kernel, applier: KernelApplier) -> None:
    queue = Namespace("fw-1", "firewall", "vpce-1", ruleset=plans.OPEN, queue=3, queue_mark=0x10)
    plan = replace(plans.vpc(), namespaces=(*plans.vpc().namespaces, queue))
    applied(applier, plan)
    with no_changes(kernel):
        assert applied(applier, plan) == Report()


# -- changing -----------------------------------------------------------------------------------------------------------------------------


@contract
def test_growing_and_shrinking_touches_only_the_difference(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc(2))
    kept = kernel.network("i-0")
    applied(applier, plans.vpc(4))
    assert set(kernel.network("vpc-1").devices) == {"lo", "e0", "e1", "e2", "e3"}
    applied(applier, plans.vpc(1))
    assert kernel.namespaces() == {"vpc-1", "i-0"}
    state = kernel.network("vpc-1")
    assert set(state.devices) == {"lo", "e0"}
    assert state.rules == {PolicyRule(1000, plans.TABLE, "e0")}
    assert len(state.routes) == 3
    assert kernel.network("i-0") == kept


@contract
def test_a_route_changes_in_place(kernel: Kernel, applier: KernelApplier) -> None:
    before = plans.vpc()
    applied(applier, before)
    old = Route(plans.TABLE, "10.0.0.10/32", "e0", origin="local")
    routes = tuple(replace(old, device="e1") if route == old else route for route in before.namespaces[0].routes)
    assert applied(applier, plans.changed(before, "vpc-1", routes=routes)).changed == 1
    assert Route(plans.TABLE, "10.0.0.10/32", "e1") in kernel.network("vpc-1").routes


@contract
def test_a_link_changes_mtu_and_mac_without_being_made_again(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc())
    link = replace(plans.cable(0, mtu=1500), b=replace(plans.cable(0).b, mac="02:00:00:00:00:aa"))
    assert applied(applier, replace(plans.vpc(), links=(link, plans.cable(1)))).changed == 2
    assert kernel.network("vpc-1").devices["e0"].mtu == 1500
    assert kernel.network("i-0").devices["eth0"].mac == "02:00:00:00:00:aa"
    assert kernel.network("i-0").addresses == {Address("eth0", "10.0.0.10/32")}


@contract
def test_a_link_to_another_peer_is_made_again(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc(2))
    crossed = tuple(replace(plans.cable(number), b=replace(plans.cable(number).b, namespace=f"i-{1 - number}")) for number in range(2))
    applied(applier, replace(plans.vpc(2), links=crossed))
    assert kernel.network("vpc-1").devices["e0"].alias.endswith("vpc-1:e0 i-1:eth0")
    assert kernel.network("i-1").devices["eth0"].mac == "02:00:00:00:00:00"
    assert kernel.network("i-1").routes == {Route(254, "default", "eth0", "10.0.0.1")}


@contract
def test_counters_survive_a_new_ruleset(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc())
    kernel.nft("vpc-1", "add table inet latticewall\ndelete table inet latticewall\ntable inet latticewall {\n\tcounter passed { packets 7 bytes 700 }\n}\n")
    ruleset = Ruleset((Chain("other", hook="forward"),), ("fresh", "passed"))
    applied(applier, plans.changed(plans.vpc(), "vpc-1", ruleset=ruleset))
    assert applier.counters("vpc-1") == {"passed": (7, 700), "fresh": (0, 0)}
    assert applier.counters("nowhere") == {}


@contract
def test_a_ruleset_that_is_no_longer_planned_is_removed(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc())
    without = plans.changed(plans.vpc(), "vpc-1", ruleset=None)
    assert applied(applier, without).changed == 1
    assert kernel.nft_table("vpc-1") == ""
    with no_changes(kernel):
        assert applied(applier, without).changed == 0


@contract
def test_a_queue_is_ensured(kernel: Kernel, applier: KernelApplier) -> None:
    plan = plans.plan((Namespace("fw-1", "firewall", "vpce-1", ruleset=plans.OPEN, queue=3, queue_mark=0x80000000),), ())
    applied(applier, plan)
    wanted = ("-A FORWARD -m mark --mark 0x80000000/0x80000000 -j NFQUEUE --queue-num 3",)
    assert kernel.queue_rules("fw-1") == wanted
    kernel.restore_queue("fw-1", "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j ACCEPT\nCOMMIT\n")
    assert applied(applier, plan).changed == 1
    assert kernel.queue_rules("fw-1") == wanted


# -- damage -------------------------------------------------------------------------------------------------------------------------------


@contract
def test_damage_heals(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc())
    heals(kernel, applier, lambda: _run(kernel, ["link delete dev e0"]))
    heals(kernel, applier, lambda: _run(kernel, ["route delete 10.0.0.10/32 dev e0 table 20000 proto 242", "address delete 10.0.0.1/32 dev lo"]))
    heals(kernel, applier, lambda: _run(kernel, ["rule delete pref 1000 iif e1 lookup 20000 protocol 242", "link set dev e1 mtu 1400"]))
    heals(kernel, applier, lambda: _run(kernel, ["rule add pref 900 iif e0 fwmark 0x1/0xff lookup 20001 protocol 242"]))
    heals(kernel, applier, lambda: _run(kernel, ["route replace blackhole 10.77.0.0/16 table 20001 proto 242"]))
    heals(kernel, applier, lambda: kernel.nft("vpc-1", "add table inet latticewall\ndelete table inet latticewall\n"))
    heals(kernel, applier, lambda: kernel.delete_namespace("i-1"))
    heals(kernel, applier, lambda: kernel.delete_namespace("vpc-1"))


def _run(kernel: Kernel, lines: Sequence[str]) -> None:
    assert kernel.ip("vpc-1", lines) == ()


@contract
def test_a_new_control_plane_finds_everything_in_order(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc())
    another = KernelApplier(kernel, applier._loaded._folder)
    with no_changes(kernel):
        assert applied(another, plans.vpc()) == Report()


# -- refusals -----------------------------------------------------------------------------------------------------------------------------


@contract
def test_a_broken_ruleset_leaves_its_namespace_as_it_was(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc())
    before, table = kernel.network("vpc-1"), kernel.nft_table("vpc-1")
    for rule in (NftRule((Match("ip saddr", ("10.0.0.0/8; flush ruleset",)),), "accept"), NftRule((), "jump nowhere")):
        broken = plans.changed(plans.vpc(3), "vpc-1", ruleset=plans.only(rule))
        report = applier.apply(broken)
        assert {(failure.kind, failure.id) for failure in report.failures} == {("ec2:Vpc", "vpc-1"), *(("link", f"eni-{number}") for number in range(3))}
        assert kernel.network("vpc-1") == before
        assert kernel.nft_table("vpc-1") == table
        assert set(kernel.network("i-2").devices) == {"lo"}
    applied(applier, plans.vpc(3))


@contract
def test_a_broken_ruleset_of_a_new_namespace_leaves_it_unconnected(kernel: Kernel, applier: KernelApplier) -> None:
    report = applier.apply(plans.vpc(2, plans.only(NftRule((), "jump nowhere"))))
    assert "vpc-1" in {failure.id for failure in report.failures}
    assert set(kernel.network("vpc-1").devices) == {"lo"}
    assert kernel.network("vpc-1").routes == frozenset()


@contract
def test_one_broken_link_stops_nothing_else_and_its_routes_lead_nowhere(kernel: Kernel, applier: KernelApplier) -> None:
    broken = replace(plans.cable(0), b=replace(plans.cable(0).b, namespace="i-none"))
    report = applier.apply(replace(plans.vpc(), links=(broken, plans.cable(1))))
    assert {failure.id: failure.message for failure in report.failures}["eni-0"] == "namespace i-none is not in order"
    assert kernel.network("vpc-1").devices["e1"].up
    assert Route(plans.TABLE, "10.0.0.10/32", kind="blackhole") in kernel.network("vpc-1").routes
    applied(applier, plans.vpc())
    assert Route(plans.TABLE, "10.0.0.10/32", "e0") in kernel.network("vpc-1").routes


@contract
def test_words_that_do_not_belong_are_refused(kernel: Kernel, applier: KernelApplier) -> None:
    evil = Namespace("evil", "vpc", "vpc-9", (Address("lo", "10.0.0.1/32"),), (Route(20000, "10.0.0.0/8", "e0 ; link delete dev lo"),))
    report = applier.apply(replace(plans.vpc(), namespaces=(*plans.vpc().namespaces, evil)))
    assert [failure.id for failure in report.failures] == ["vpc-9"]
    bad = replace(plans.cable(7), owner='eni" up')
    report = applier.apply(replace(plans.vpc(), links=(*plans.vpc().links, bad)))
    assert [failure.message for failure in report.failures] == ["link owner 'eni\" up'"]


@contract
def test_the_kernel_says_which_line_it_refused(kernel: Kernel, applier: KernelApplier) -> None:
    applied(applier, plans.vpc())
    lines = ["address add 10.0.0.9/32 dev lo", "address add 10.0.0.9/32 dev nowhere", "address delete 10.0.0.9/32 dev lo"]
    refused = kernel.ip("vpc-1", lines)
    assert [type(error) for error in refused] == [LineError]
    assert refused[0].line == lines[1]
    assert "Cannot find device" in refused[0].message
    assert Address("lo", "10.0.0.9/32") not in kernel.network("vpc-1").addresses
    assert kernel.ip(BASE, []) == ()


@contract
def test_asking_about_a_namespace_that_is_not_there(kernel: Kernel, applier: KernelApplier) -> None:
    del applier
    with pytest.raises(KernelError, match="nowhere"):
        kernel.network("nowhere")
    kernel.delete_namespace("nowhere")
    assert kernel.namespaces() == frozenset()
