"""A plan of a new revision: only what differs is looked at, and the result is the same as if everything had been."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from latticewall.compile.render.network import NetworkState
from latticewall.dataplane import kernel_applier
from latticewall.dataplane.fake import FakeKernel
from latticewall.dataplane.kernel_applier import KernelApplier
from latticewall.plan.nft import NftRule
from latticewall.plan.node import NodePlan
from latticewall.plan.topology import Route
from latticewall.reconcile.applier import Report

from . import plans


class WatchedKernel(FakeKernel):
    """Remembers whose network and tables were looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.observed: set[str] = set()

    def network(self, namespace: str) -> NetworkState:
        self.observed.add(namespace)
        return super().network(namespace)

    def sysctls(self, namespace: str, keys: Iterable[str]) -> dict[str, str]:
        self.observed.add(namespace)
        return super().sysctls(namespace, keys)


def numbered(plan: NodePlan, revision: int) -> NodePlan:
    return replace(plan, revision=revision)


def two_vpcs() -> NodePlan:
    """A router with two instances, and a namespace of which it knows nothing."""
    return replace(plans.vpc(), namespaces=(*plans.vpc().namespaces, replace(plans.instance(7), name="alone", addresses=(), routes=())))


def looked_at(kernel: WatchedKernel, applier: KernelApplier, plan: NodePlan) -> set[str]:
    kernel.observed.clear()
    assert not applier.apply(plan).failures
    return set(kernel.observed)


def test_only_what_differs_and_its_neighbours(tmp_path: Path) -> None:
    kernel = WatchedKernel()
    applier = KernelApplier(kernel, tmp_path)
    everything = {"vpc-1", "i-0", "i-1", "alone"}
    assert looked_at(kernel, applier, numbered(two_vpcs(), 1)) == everything
    assert looked_at(kernel, applier, numbered(two_vpcs(), 2)) == set()
    other = plans.changed(two_vpcs(), "i-1", routes=(*plans.instance(1).routes, Route(plans.MAIN, "10.9.0.0/16", "eth0", "10.0.0.1")))
    assert looked_at(kernel, applier, numbered(other, 3)) == {"i-1", "vpc-1"}
    assert looked_at(kernel, applier, numbered(other, 3)) == everything, "the same revision again"


def test_a_namespace_that_vanished_is_seen_at_once(tmp_path: Path) -> None:
    kernel = WatchedKernel()
    applier = KernelApplier(kernel, tmp_path)
    applier.apply(numbered(two_vpcs(), 1))
    kernel.delete_namespace("i-0")
    assert "i-0" in looked_at(kernel, applier, numbered(two_vpcs(), 2))
    assert "eth0" in kernel.network("i-0").devices


def test_everything_is_looked_at_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = WatchedKernel()
    applier = KernelApplier(kernel, tmp_path)
    applier.apply(numbered(two_vpcs(), 1))
    monkeypatch.setattr(kernel_applier, "THOROUGH_SECONDS", 0.0)
    monkeypatch.setattr(kernel_applier, "LOOK_SECONDS", 0.0)
    seen: set[str] = set()
    for revision in range(2, 6):
        seen |= looked_at(kernel, applier, numbered(two_vpcs(), revision))
    assert seen == {"vpc-1", "i-0", "i-1", "alone"}


def test_a_change_does_not_wait_until_everything_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer revision ends the look at all, which goes on after it until all was looked at."""
    kernel = WatchedKernel()
    newest, now = 1, 1000.0
    monkeypatch.setattr(kernel_applier.time, "monotonic", lambda: now)
    applier = KernelApplier(kernel, tmp_path, lambda: newest)
    alone = tuple(replace(plans.instance(7), name=f"alone-{number}", addresses=(), routes=()) for number in range(5))
    plan = replace(plans.vpc(), revision=1, namespaces=alone, links=())
    names = {namespace.name for namespace in alone}
    assert not applier.apply(plan).unfinished
    newest = 2
    kernel.observed.clear()
    assert applier.apply(plan).unfinished
    assert len(kernel.observed) == 1
    newest = 4
    assert applier.apply(numbered(plan, 2)).unfinished
    assert len(kernel.observed) == 1, "a change that comes right after a look waits for no other"
    now += kernel_applier.LOOK_SECONDS
    assert applier.apply(numbered(plan, 3)).unfinished
    assert applier.apply(numbered(plan, 4)).unfinished
    assert len(kernel.observed) == 2, "now and then one more, so that it is not always put off"
    assert applier.apply(numbered(plan, 4)) == Report()
    assert kernel.observed == names


def test_damage_of_a_hub_is_looked_for_without_its_neighbours(tmp_path: Path) -> None:
    """One namespace at a time, of however many there are behind it; what is missing in it brings in the other end, and only that."""
    kernel, newest = WatchedKernel(), 1
    applier = KernelApplier(kernel, tmp_path, lambda: newest)
    plan = numbered(plans.vpc(4), 1)
    assert not applier.apply(plan).failures
    newest = 2
    for revision, damaged in ((1, ()), (2, ("link delete dev e2",))):
        assert kernel.ip("vpc-1", damaged) == ()
        applier._due, applier._looked_at = ["vpc-1"], 0.0
        assert looked_at(kernel, applier, numbered(plan, revision + 1)) == {"vpc-1", *(["i-2"] if damaged else [])}
    assert "e2" in kernel.network("vpc-1").devices
    assert "eth0" in kernel.network("i-2").devices


def test_what_failed_is_tried_and_reported_again(tmp_path: Path) -> None:
    applier = KernelApplier(FakeKernel(), tmp_path)
    applier.apply(numbered(plans.vpc(), 1))
    broken = plans.changed(plans.vpc(3), "vpc-1", ruleset=plans.only(NftRule((), "jump nowhere")))
    first, second = applier.apply(numbered(broken, 2)), applier.apply(numbered(broken, 3))
    assert first.failures
    assert second.failures == first.failures
    assert applier.apply(numbered(plans.vpc(3), 4)).failures == ()


@pytest.mark.parametrize("seed", range(20))
def test_steps_end_where_one_leap_does(tmp_path: Path, seed: int) -> None:
    """Through random plans, revision by revision: the kernel then is as the last plan alone would have made it."""
    kernel, chance = FakeKernel(), random.Random(seed)
    applier = KernelApplier(kernel, tmp_path / "steps")
    for revision in range(1, 9):
        plan = _varied(chance, revision)
        applier.apply(plan)
    leapt = FakeKernel()
    KernelApplier(leapt, tmp_path / "leap").apply(plan)
    assert kernel.namespaces() == leapt.namespaces()
    for name in leapt.namespaces():
        assert _comparable(kernel, name) == _comparable(leapt, name)
    assert applier.apply(plan) == Report(), "a thorough look finds nothing to do"


def _varied(chance: random.Random, revision: int) -> NodePlan:
    plan = plans.vpc(chance.randrange(5), chance.choice((plans.OPEN, plans.only(), plans.only(NftRule((plans.TCP,), "accept")))))
    links = tuple(replace(link, mtu=chance.choice((1500, 9001))) for link in plan.links)
    return replace(plan, links=links, revision=revision)


def _comparable(kernel: FakeKernel, name: str) -> object:
    state = kernel.network(name)
    return replace(state, devices={device: replace(value, mac="") for device, value in state.devices.items()}), kernel.nft_table(name)
