"""Firewall engines through their applier, a real holder and a real Suricata: rules that change, engines that die or hang, and what passes meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kernel import plans

from latticewall.dataplane.kernel_applier import KernelApplier
from latticewall.dataplane.linux import LinuxKernel
from latticewall.dataplane.namespaces import Namespaces
from latticewall.dataplane.processes import Processes
from latticewall.dataplane.suricata import FirewallApplier
from latticewall.plan.firewall import FirewallEngine
from latticewall.plan.firewall_endpoint import FirewallEndpoint
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from region import Region, until

pytestmark = [pytest.mark.netns, pytest.mark.engines, pytest.mark.skipif(shutil.which("suricata") is None, reason="suricata is not installed")]

QUEUE_MARK = 0x80000000
FOLDER = Path("/run/latticewall/suricata")
ARN = "arn:aws:network-firewall:eu-west-1:000000000000:firewall/inspection"


def rules(*words: str) -> str:
    return "".join(f'drop udp any any -> any any (msg:"{word}"; content:"{word}"; sid:{number};)\n' for number, word in enumerate(words, 1))


def engine(text: str, restart: str = "1") -> FirewallEngine:
    marked = NftRule((Match("udp dport", ("5044",)),), f"meta mark set {QUEUE_MARK:#x} ; accept")
    ruleset = Ruleset((Chain("stateless", (marked,), hook="prerouting", priority=-450),))
    order = ("pass", "drop", "reject", "alert")
    return FirewallEngine(text, (), order, "DROP", 350, ruleset, QUEUE_MARK, (), restart_key=restart, reload_key=text)


def plan(found: FirewallEngine | None) -> Any:
    """A router whose packets to port 5044 go to the engine."""
    ruleset = engine("").ruleset
    base = plans.changed(plans.vpc(2, ruleset), "vpc-1", queue=0, queue_mark=QUEUE_MARK)
    endpoints = () if found is None else (FirewallEndpoint("vpce-1", ARN, "inspection", "eu-west-1a", "vpc-1", 0, found),)
    return replace(base, firewalls=endpoints)


class Firewall:
    """The endpoint, and what gets through it."""

    def __init__(self, region: Region) -> None:
        self.region = region

        def connect(_: Processes) -> None:
            kernel = KernelApplier(LinuxKernel(Path("/run/latticewall/netns")), Path("/run/latticewall/rulesets"))
            assert not kernel.apply(plan(None)).failures

        self._inside(connect)

    def apply(self, found: FirewallEngine | None) -> dict[str, Any]:
        """changed and failure messages of one application."""

        def act(processes: Processes) -> dict[str, Any]:
            report = FirewallApplier(processes, FOLDER, self.region.state / "logs").apply(plan(found))
            return {"changed": report.changed, "failures": [failure.message for failure in report.failures]}

        answer: dict[str, Any] = self._inside(act)
        return answer

    def passes(self, text: str) -> bool:
        """Whether a datagram with this text gets from one instance to the other."""

        def act(_: Processes) -> bool:
            namespaces = Namespaces(Path("/run/latticewall/netns"))
            sender, receiver = (namespaces.inside(name, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for name in ("i-0", "i-1"))
            with sender, receiver:
                receiver.bind(("10.0.0.11", 5044))
                receiver.settimeout(0.5)
                sender.sendto(text.encode(), ("10.0.0.11", 5044))
                try:
                    return receiver.recv(100) == text.encode()
                except TimeoutError:
                    return False

        return bool(self._inside(act))

    def pid(self) -> int:
        return int(self._inside(lambda processes: processes.list()["suricata-vpce-1"].pid))

    def _inside(self, action: Callable[[Processes], Any]) -> Any:
        return self.region.inside(action)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    started = Region(tmp_path_factory.mktemp("region"))
    try:
        yield Firewall(started)
    finally:
        started.stop()


@pytest.fixture
def firewall(shared: Firewall) -> Firewall:
    """One firewall for the tests: they bring it to what they need, from whatever the one before left."""
    return shared


def test_an_engine_starts_inspects_and_stays(region: Region) -> None:
    firewall = Firewall(region)
    assert not firewall.passes("good")
    first = firewall.apply(engine(rules("evil")))
    assert first["failures"] == []
    assert first["changed"] > 0
    assert firewall.passes("good")
    assert not firewall.passes("evil")
    assert firewall.apply(engine(rules("evil"))) == {"changed": 0, "failures": []}


def test_new_rules_are_reloaded_into_the_running_engine(firewall: Firewall) -> None:
    firewall.apply(engine(rules("evil")))
    pid = firewall.pid()
    assert firewall.apply(engine(rules("evil", "worse")))["failures"] == []
    assert firewall.pid() == pid
    assert not firewall.passes("worse")
    assert firewall.passes("good")


def test_another_restart_key_means_another_engine(firewall: Firewall) -> None:
    firewall.apply(engine(rules("evil")))
    pid = firewall.pid()
    assert firewall.apply(engine(rules("evil", "worse"), restart="2"))["failures"] == []
    assert firewall.pid() != pid
    assert not firewall.passes("worse")
    assert firewall.passes("good")


def test_rules_that_do_not_load_leave_the_last_good_ones(firewall: Firewall) -> None:
    firewall.apply(engine(rules("evil")))
    broken = firewall.apply(engine(rules("evil") + 'drop udp any any -> any any (msg:"x"; contant:"y"; sid:9;)\n'))
    assert len(broken["failures"]) == 1
    assert "contant" in broken["failures"][0]
    assert "vpce-1" in broken["failures"][0]
    assert not firewall.passes("evil")
    assert firewall.passes("good")
    os.kill(firewall.pid(), signal.SIGKILL)
    until(lambda: firewall.passes("good"))
    assert not firewall.passes("evil")


def test_without_loadable_rules_there_is_no_engine_and_nothing_passes(firewall: Firewall) -> None:
    firewall.apply(None)
    assert firewall.apply(engine("nonsense\n"))["failures"]
    assert not firewall.passes("good")


def test_a_killed_engine_fails_closed_and_comes_back_by_itself(firewall: Firewall) -> None:
    firewall.apply(engine(rules("evil")))
    pid = firewall.pid()
    os.kill(pid, signal.SIGSTOP)
    assert not firewall.passes("good")
    os.kill(pid, signal.SIGKILL)
    until(lambda: firewall.passes("good"))
    assert not firewall.passes("evil")
    assert firewall.pid() != pid


def test_a_hung_engine_is_replaced(firewall: Firewall) -> None:
    firewall.apply(engine(rules("evil")))
    pid = firewall.pid()
    os.kill(pid, signal.SIGSTOP)
    assert firewall.apply(engine(rules("evil")))["failures"] == []
    assert firewall.pid() != pid
    assert firewall.passes("good")
    assert not firewall.passes("evil")


def test_an_endpoint_that_is_no_longer_planned_loses_its_engine(firewall: Firewall) -> None:
    firewall.apply(engine(rules("evil")))
    pid = firewall.pid()
    assert firewall.apply(None) == {"changed": 1, "failures": []}
    assert not Path(f"/proc/{pid}").exists()
    assert not firewall.passes("good")
