"""Everything the kernel does for a plan: namespaces, their filters, the links between them, and last what makes packets flow.

The order is the fail-closed one. A namespace gets its filters before it gets links and routes; when its filters cannot be loaded, nothing else in it
changes: a new one stays without links, an old one stays as it was.

A plan of a new revision is compared with the last one, and only what differs and its neighbours are looked at: the time to follow a change does not grow
with the region. The same revision again, or THOROUGH_SECONDS without one, has everything observed, so that damage heals: one namespace after the other, and
once there is a newer revision one more now and then, so that no change waits for the whole region.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from latticewall.base.memo import Memo
from latticewall.base.reasons import reason
from latticewall.compile.render.network import NetworkState, Unrenderable, after_creation, alias, create_link, delete_device, desired_state
from latticewall.compile.render.nft import UnsafeText
from latticewall.dataplane.kernel import BASE, Kernel, KernelError
from latticewall.dataplane.links import LinkChanges, ends_in, is_in_order, link_changes, removal_lines
from latticewall.dataplane.network import ensure_network, ensure_sysctls
from latticewall.dataplane.nft import LoadedRulesets, ensure_queue, ensure_ruleset
from latticewall.plan.node import NodePlan
from latticewall.plan.topology import Link, Namespace
from latticewall.reconcile.applier import Failure, Report

_REFUSALS = (KernelError, UnsafeText, Unrenderable, ValueError, OSError)
_KINDS = {
    "vpc": "ec2:Vpc", "instance": "ec2:Instance", "transit-gateway": "ec2:TransitGateway", "firewall": "ec2:VpcEndpoint", "vpc-endpoint": "ec2:VpcEndpoint",
    "load-balancer": "elbv2:LoadBalancer", "database": "rds:DBInstance", "resource-gateway": "vpc-lattice:ResourceGateway",
}  # fmt: skip
"""Kind of namespace -> kind of the resource it stands for."""
THOROUGH_SECONDS = 10.0
"""How long after everything began to be observed it does again, while revisions keep coming."""
LOOK_SECONDS = 0.1
"""Between two namespaces that are observed while revisions keep coming: each of these waits for the one in its way."""
_WORKERS = 4
"""Namespaces worked on at a time: the work is waiting for short-lived tools."""

Wanted = tuple[Namespace, tuple[Link, ...]]
"""All that the plan says about a namespace: itself and the links that end in it."""


class _Planned(NamedTuple):
    """What a plan says, by namespace. links: those that can be made; failures: of the others."""

    wanted: Mapping[str, Wanted]
    links: tuple[Link, ...]
    failures: tuple[Failure, ...]


class KernelApplier:
    """Namespaces, links, addresses, routes, rules, nft and queues of a plan. loaded: folder where it notes what nft was given. newest: the revision that there
    is by now."""

    name = "kernel"

    def __init__(self, kernel: Kernel, loaded: Path, newest: Callable[[], int] = lambda: 0) -> None:
        self._kernel = kernel
        self._loaded = LoadedRulesets(loaded)
        self._newest = newest
        self._memo = Memo()
        self._in_order: Mapping[str, Wanted] = {}
        self._revision = 0
        self._observed_at = 0.0
        self._looked_at = 0.0
        self._due: list[str] = []
        """Of what was in order when looking at everything began, what has not been looked at yet."""

    def apply(self, plan: NodePlan) -> Report:
        again = plan.revision == self._revision
        if not self._due and (again or time.monotonic() - self._observed_at >= THOROUGH_SECONDS):
            self._due, self._observed_at = sorted(self._in_order), time.monotonic()
        report = self._look(plan, one_due=again or time.monotonic() - self._looked_at >= LOOK_SECONDS)
        while self._due and again and self._newest() <= plan.revision:
            report += self._look(plan, one_due=True)
        return Report(report.changed, tuple(sorted(set(report.failures))), unfinished=bool(self._due))

    def _look(self, plan: NodePlan, *, one_due: bool) -> Report:
        """At what differs from what was in order. one_due: and at one namespace that is due."""
        due = self._due.pop() if self._due and one_due else ""
        known, self._in_order = self._in_order, {}
        one = _Round(self._kernel, self._loaded, self._memo.once(_planned, plan.namespaces, plan.links, self._kernel.folder), known, due)
        report = one.run()
        self._in_order, self._revision = one.in_order(), plan.revision
        if due:
            self._looked_at = time.monotonic()
        return report

    def counters(self, namespace: str) -> dict[str, tuple[int, int]]:
        """Named nft counters of a namespace: name -> (packets, bytes); empty when it has none or does not exist."""
        try:
            return self._kernel.counters(namespace)
        except KernelError:
            return {}


class _Round:
    """One application of a plan. `_states` holds what was observed of every namespace that is in order so far.

    known: what was in order after the last round; a namespace of which the plan says the same still is left alone, but for the one that is due: that one is
    looked at by itself, however many neighbours it has, and with it those to which its links are not in order.
    """

    def __init__(self, kernel: Kernel, loaded: LoadedRulesets, planned: _Planned, known: Mapping[str, Wanted], due: str) -> None:
        self._kernel = kernel
        self._loaded = loaded
        self._plan, self._links, failures = planned
        self._wanted = {name: namespace for name, (namespace, _) in self._plan.items()}
        self._states: dict[str, NetworkState] = {}
        self._changed = 0
        self._failures = list(failures)
        self._broken: set[str] = set()
        self._known = known
        self._due = {due} & self._plan.keys()

    def run(self) -> Report:
        existing = self._kernel.namespaces()
        changed = {name for name, wanted in self._plan.items() if name not in existing or self._known.get(name) != wanted}
        self._create(existing)
        self._observe_all(changed | self._due | {end.namespace for name in changed for link in self._plan[name][1] for end in (link.a, link.b)})
        doubtful = {link for name in self._due & self._states.keys() for link in self._plan[name][1] if not is_in_order(link, name, self._states[name])}
        self._observe_all({end.namespace for link in doubtful for end in (link.a, link.b)})
        self._each([namespace for namespace in self._present() if namespace.name in changed | self._due], self._filter)
        self._connect([link for link in self._links if link in doubtful or not changed.isdisjoint((link.a.namespace, link.b.namespace))])
        self._each(self._present(), self._route)
        self._prune(existing)
        return Report(self._changed, tuple(sorted(set(self._failures))))

    def in_order(self) -> dict[str, Wanted]:
        """After `run`: the namespaces that are as planned, with what the plan says of them."""
        return {name: wanted for name, wanted in self._plan.items() if name not in self._broken}

    def _create(self, existing: frozenset[str]) -> None:
        for namespace in list(self._wanted.values()):
            if namespace.name not in existing:
                self._loaded.forget(namespace.name)
                try:
                    self._kernel.create_namespace(namespace.name)
                    self._changed += 1
                except _REFUSALS as error:
                    del self._wanted[namespace.name]
                    self._fail(namespace, error)

    def _observe_all(self, names: Set[str]) -> None:
        """Those that have not been observed yet."""
        self._each([namespace for name, namespace in self._wanted.items() if name in names and name not in self._states], self._observe)

    def _observe(self, namespace: Namespace) -> int:
        self._states[namespace.name] = self._kernel.network(namespace.name)
        return 0

    def _filter(self, namespace: Namespace) -> int:
        devices = tuple(self._states[namespace.name].devices)
        try:
            return (
                ensure_sysctls(self._kernel, namespace, devices) + ensure_queue(self._kernel, namespace) + ensure_ruleset(self._kernel, self._loaded, namespace)
            )
        except _REFUSALS:
            del self._states[namespace.name]
            raise

    def _connect(self, links: Iterable[Link]) -> None:
        reachable = []
        for link in links:
            missing = [end.namespace for end in (link.a, link.b) if end.namespace not in self._states]
            if missing:
                self._fail_link(link, f"namespace {missing[0]} is not in order")
            else:
                reachable.append(link)
        changes = link_changes(reachable, self._states, kept=self._links)
        if changes.remove:
            self._remove(changes)
        if changes.create:
            self._make(changes.create)

    def _remove(self, changes: LinkChanges) -> None:
        """An end that is already gone needs no removal: the kernel clears up after an ended namespace in its own time."""
        for name, lines in removal_lines(changes).items():
            self._changed += len(lines)
            self._kernel.ip(name, lines)
        before = {place: self._states[place[0]].devices[place[1]].alias for place in changes.remove}
        self._each(self._present(), self._observe)
        for (name, device), mark in before.items():
            left = self._states[name].devices.get(device) if name in self._states else None
            if left is not None and left.alias == mark:
                self._failures.append(Failure("link", name, f"device {device} cannot be removed"))
                self._broken.add(name)

    def _make(self, links: tuple[Link, ...]) -> None:
        """All new links of all namespaces in one batch."""
        lines = [create_link(link, self._kernel.folder) for link in links]
        broken = {error.line: error.message for error in self._kernel.ip(BASE, lines)}
        for link, line in zip(links, lines, strict=True):
            if line in broken:
                self._fail_link(link, broken[line])
                continue
            self._changed += 1
            for name in (link.a.namespace, link.b.namespace):
                self._states[name] = after_creation(self._states[name], ends_in(name, [link]))

    def _route(self, namespace: Namespace) -> int:
        desired = desired_state(namespace, self._links)
        return ensure_network(self._kernel, namespace.name, self._states[namespace.name], desired)

    def _prune(self, existing: frozenset[str]) -> None:
        """Namespaces of ours that the plan no longer has. Their links go first, because a process may keep the namespace itself alive."""
        for name in sorted(existing - self._plan.keys()):
            try:
                marked = [device.name for device in self._kernel.network(name).devices.values() if device.alias]
                self._kernel.ip(name, [delete_device(device) for device in marked])
                self._kernel.delete_namespace(name)
                self._loaded.forget(name)
                self._changed += 1
            except _REFUSALS as error:
                self._failures.append(Failure("namespace", name, reason(error)))

    # -- bookkeeping ------------------------------------------------------------------------------------------------------------------

    def _present(self) -> list[Namespace]:
        return [namespace for name, namespace in self._wanted.items() if name in self._states]

    def _each(self, namespaces: Iterable[Namespace], action: Callable[[Namespace], int]) -> None:
        """Do it for all, a few at a time; what fails becomes a Failure of that namespace's resource."""

        def attempt(namespace: Namespace) -> tuple[Namespace, int, Exception | None]:
            try:
                return namespace, action(namespace), None
            except _REFUSALS as error:
                return namespace, 0, error

        with ThreadPoolExecutor(_WORKERS) as pool:
            for namespace, changed, error in pool.map(attempt, list(namespaces)):
                self._changed += changed
                if error is not None:
                    self._fail(namespace, error)

    def _fail_link(self, link: Link, reason: str) -> None:
        self._broken.update((link.a.namespace, link.b.namespace))
        self._failures.append(Failure("link", link.owner, reason))

    def _fail(self, namespace: Namespace, error: Exception) -> None:
        self._broken.add(namespace.name)
        self._failures.append(Failure(_KINDS.get(namespace.kind, namespace.kind), namespace.owner, f"{namespace.name}: {reason(error)}"))


def _planned(namespaces: tuple[Namespace, ...], links: tuple[Link, ...], folder: str) -> _Planned:
    """folder: of the namespaces' files."""
    ends: dict[str, list[Link]] = {namespace.name: [] for namespace in namespaces}
    made, failures = [], []
    for link in links:
        try:
            alias(link)
            create_link(link, folder)
        except Unrenderable as error:
            failures.append(Failure("link", link.owner, str(error)))
            continue
        made.append(link)
        for name in {link.a.namespace, link.b.namespace} & ends.keys():
            ends[name].append(link)
    return _Planned({namespace.name: (namespace, tuple(ends[namespace.name])) for namespace in namespaces}, tuple(made), tuple(failures))
