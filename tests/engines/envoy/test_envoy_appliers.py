"""The appliers on the rig: processes started, configuration in force, refusals at the AWS resource they concern."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from envoy_lab import ALLOW_ALL, ALLOW_ORGANIZATION, HOST, WEB, also, authorization, http_listener, plan, service_arn, tcp_listener, virtual_host
from envoy_rig import ENVOY, Answer, Rig, missing, until

from latticewall.base.secret import Secret
from latticewall.dataplane.authorization.applier import AuthorizationApplier
from latticewall.dataplane.authorization.tables import Tables
from latticewall.dataplane.envoy import applier
from latticewall.dataplane.envoy.applier import EnvoyApplier, NotApplied
from latticewall.dataplane.envoy.server import XdsServer
from latticewall.dataplane.holder.specs import ProcessSpec, parse
from latticewall.dataplane.processes import Running
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.reconcile.applier import Report

pytestmark = [pytest.mark.netns, pytest.mark.engines]


@dataclass
class RigProcesses:
    """Starts what the appliers ask for inside the rig, as the holder does inside a region."""

    rig: Rig
    running: dict[str, tuple[ProcessSpec, subprocess.Popen[str]]] = field(default_factory=dict)

    def list(self) -> dict[str, Running]:
        return {name: Running(name, "process", process.pid, "running", 0, "", "") for name, (_, process) in self.running.items()}

    def ensure(self, document: Mapping[str, Any]) -> Running:
        spec = parse(document)
        assert isinstance(spec, ProcessSpec)
        if spec.name not in self.running or self.running[spec.name][0] != spec:
            self.stop(spec.name)
            with (self.rig.folder / spec.log).open("a") as log:
                self.running[spec.name] = (spec, self.rig.spawn("", spec.argv, stdout=log, stderr=log))
        return self.list()[spec.name]

    def stop(self, name: str) -> None:
        if name in self.running:
            self.rig.stop(self.running.pop(name)[1])


@dataclass
class FixedClock:
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.time


@dataclass
class Region:
    """A rig with both appliers."""

    rig: Rig
    xds: XdsServer
    processes: RigProcesses
    clock: FixedClock
    envoy: EnvoyApplier
    authorization: AuthorizationApplier
    secrets: dict[str, Secret]
    asked: list[str]

    def apply(self, proxy: ProxyPlan, authorization: AuthorizationPlan) -> Report:
        wanted = node(proxy, authorization)
        return self.authorization.apply(wanted) + self.envoy.apply(wanted)

    @property
    def key_file(self) -> Path:
        return self.rig.tables / "keys" / WEB.id

    def days(self) -> set[str]:
        """The days for which a signing key of WEB is in the tables."""
        return set(re.findall(r'"(\d{8})/', self.key_file.read_text()))


def node(proxy: ProxyPlan, authorization: AuthorizationPlan) -> NodePlan:
    return NodePlan(1, (), (), (), proxy, authorization, NamesPlan(), ())


@pytest.fixture(scope="module")
def region() -> Iterator[Region]:
    if reason := missing():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="lw-", dir="/tmp"))
    rig = Rig(folder)
    xds = XdsServer(str(folder / "xds.sock"))
    processes = RigProcesses(rig)
    clock = FixedClock()
    secrets = {WEB.id: Secret(WEB.secret)}
    asked: list[str] = []

    def secret(access_key_id: str) -> Secret | None:
        asked.append(access_key_id)
        return secrets.get(access_key_id)

    try:
        xds.start()
        rig.serve(8080, "a")
        log = folder / "envoy" / "access.jsonl"
        envoy = EnvoyApplier(processes, xds, str(ENVOY), folder, Path(rig.paths.authorization), lambda _: None, log)
        yield Region(rig, xds, processes, clock, envoy, AuthorizationApplier(Tables(rig.tables), secret, clock), secrets, asked)
    finally:
        rig.close()
        xds.stop()
        shutil.rmtree(folder)


GUARDED = plan(virtual_host(authorize=True))


def test_applying_starts_everything_and_repeating_changes_nothing(region: Region) -> None:
    first = region.apply(GUARDED, authorization(ALLOW_ORGANIZATION))
    assert first.changed > 2
    assert first.failures == ()
    until(lambda: isinstance(region.rig.try_request(host=HOST), Answer), "envoy listens")
    until(lambda: region.rig.request(host=HOST, headers=WEB.sign()).status == 200, "the target serves")
    assert region.rig.request(host=HOST).status == 403
    asked = list(region.asked)
    assert region.apply(GUARDED, authorization(ALLOW_ORGANIZATION)) == Report()
    assert region.asked == [*asked, *(key for key in asked if key not in region.secrets)]


def test_when_apply_returns_the_policy_is_in_force(region: Region) -> None:
    for _ in range(5):
        region.apply(GUARDED, authorization(ALLOW_ALL))
        assert region.rig.request(host=HOST, connection="kept").status == 200
        region.apply(GUARDED, authorization(ALLOW_ORGANIZATION))
        assert region.rig.request(host=HOST, connection="kept").status == 403


def test_other_cores_cut_no_connection(region: Region) -> None:
    """As when a container's processors are changed while it runs: Envoy goes on with the workers that it has."""
    region.apply(GUARDED, authorization(ALLOW_ALL))
    pid = region.processes.list()["envoy"].pid
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert region.apply(GUARDED, authorization(ALLOW_ORGANIZATION)).failures == ()
    finally:
        os.sched_setaffinity(0, cores)
    assert region.processes.list()["envoy"].pid == pid


def test_the_tables_are_private_and_hold_no_secret(region: Region) -> None:
    region.apply(GUARDED, authorization(ALLOW_ALL))
    assert stat.S_IMODE(region.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(region.key_file.parent.stat().st_mode) == 0o700
    assert not [file for file in region.rig.tables.rglob("*") if file.is_file() and WEB.secret in file.read_text("latin-1")]


def test_one_changed_policy_writes_one_table(region: Region) -> None:
    region.apply(GUARDED, authorization(ALLOW_ALL))
    assert region.authorization.apply(node(GUARDED, authorization(ALLOW_ORGANIZATION))).changed == 1


def test_keys_follow_the_days(region: Region) -> None:
    region.apply(GUARDED, authorization(ALLOW_ALL))
    before = region.days()
    assert len(before) == 9
    region.clock.time += timedelta(days=1)
    try:
        assert region.apply(GUARDED, authorization(ALLOW_ALL)).changed == 1
        assert len(region.days()) == 9
        assert len(before & region.days()) == 8
    finally:
        region.clock.time -= timedelta(days=1)


def test_a_principal_whose_secret_is_gone_cannot_sign(region: Region) -> None:
    region.apply(GUARDED, authorization(ALLOW_ALL))
    gone = replace(authorization(ALLOW_ALL), keys=())
    region.apply(GUARDED, gone)
    assert region.rig.request(host=HOST, headers=WEB.sign()).body.startswith("UnrecognizedClientException")


def test_refusals_are_the_failures_of_their_resources(region: Region) -> None:
    nowhere = http_listener(virtual_host("svc-lost", ("lost.example.com",)), port=81, name="http-lost", address="192.0.2.9")
    lost = replace(tcp_listener((6379, 6379)), name="tcp-lost", address="192.0.2.10", association_id="snra-lost")
    wide = replace(tcp_listener((1, 1000)), name="tcp-wide", association_id="snra-wide")
    report = region.apply(also(plan(tcp=(lost, wide)), nowhere), authorization(ALLOW_ALL))
    assert {(failure.kind, failure.id) for failure in report.failures} == {
        ("vpc-lattice:Service", "svc-lost"),
        ("vpc-lattice:ServiceNetworkResourceAssociation", "snra-lost"),
        ("vpc-lattice:ServiceNetworkResourceAssociation", "snra-wide"),
    }
    assert region.rig.request(host=HOST).status == 200
    assert region.apply(plan(), authorization(ALLOW_ALL)).failures == ()


def test_an_unfit_plan_is_not_applied_and_the_last_good_one_stays(region: Region) -> None:
    region.apply(plan(), authorization(ALLOW_ALL))
    with pytest.raises(NotApplied, match="tg-a, which does not exist"):
        region.apply(replace(plan(), clusters=()), authorization(ALLOW_ALL))
    assert region.rig.request(host=HOST).status == 200


def test_what_cannot_be_confirmed_is_not_claimed(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    region.apply(plan(), authorization(ALLOW_ALL))
    monkeypatch.setattr(applier, "WAIT_SECONDS", 0.3)
    region.rig.stop(region.processes.running["envoy"][1])
    with pytest.raises(NotApplied, match=r"not (connected|answered)"):
        region.apply(plan(virtual_host("svc-new", ("new.example.com",))), authorization(ALLOW_ALL))
    region.processes.stop("envoy")


def test_what_was_stopped_is_started_again(region: Region) -> None:
    region.processes.stop("envoy")
    region.apply(GUARDED, authorization(ALLOW_ORGANIZATION))
    until(lambda: isinstance(region.rig.try_request(host=HOST), Answer), "envoy listens")
    assert service_arn("svc-orders") in region.rig.request(host=HOST).body
