"""Instances through their applier and a real holder: what they see, what they run, and how they end."""

from __future__ import annotations

import base64
import gzip
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latticewall.dataplane.instances import InstanceApplier
from latticewall.dataplane.namespaces import Namespaces
from latticewall.dataplane.processes import Processes
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.instances import InstancePlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from region import Region, until

pytestmark = pytest.mark.netns

ID = "i-0123456789abcdef0"
# "pid (name) state ..." of every program in sight; one that ends meanwhile has no line
PROGRAMS = "cat /proc/[0-9]*/stat 2>/dev/null || true"


def encoded(script: str) -> str:
    return base64.b64encode(script.encode()).decode()


def instance(script: str = "#!/bin/sh\necho hello\n", **values: Any) -> InstancePlan:
    fixed = InstancePlan(ID, ID, "ip-10-0-0-10", "10.0.0.10", "10.0.0.2", "eu-west-1.compute.internal", encoded(script), "boot-1")
    return replace(fixed, **values)


def plan(*instances: InstancePlan) -> NodePlan:
    nothing = (ProxyPlan(), AuthorizationPlan(), NamesPlan())
    return NodePlan(1, (), (), (), *nothing, instances=instances)


def apply(region: Region, *instances: InstancePlan) -> dict[str, Any]:
    """What the applier reports, as a control plane inside the region sees it."""

    def act(processes: Processes) -> dict[str, Any]:
        namespaces = Namespaces(Path("/run/latticewall/netns"))
        for item in instances:
            if item.namespace not in namespaces.names():
                namespaces.create(item.namespace)
        report = InstanceApplier(processes, region.state / "instances").apply(plan(*instances))
        return {"changed": report.changed, "failures": [vars(failure) for failure in report.failures], "pids": {n: p.pid for n, p in processes.list().items()}}

    found: dict[str, Any] = region.inside(act)
    return found


def console(region: Region, instance_id: str = ID) -> str:
    return (region.state / "instances" / instance_id / "console.log").read_text()


def booted(region: Region, times: int = 1) -> str:
    """The console, once user data has ended so many times."""
    until(lambda: (region.state / "instances" / ID / "console.log").exists() and console(region).count("user data ended") >= times)
    return console(region)


def test_an_instance_boots_and_sees_itself(region: Region) -> None:
    report = apply(region, instance())
    assert report["failures"] == []
    assert report["changed"] == 2
    assert "\nhello\n" in booted(region)
    pid = report["pids"][ID]
    assert region.exec(pid, "hostname").strip() == "ip-10-0-0-10"
    assert region.exec(pid, "cat /etc/resolv.conf") == "search eu-west-1.compute.internal\nnameserver 10.0.0.2\noptions timeout:2 attempts:2\n"
    assert region.exec(pid, "cat /etc/hosts").splitlines()[1] == "10.0.0.10 ip-10-0-0-10.eu-west-1.compute.internal ip-10-0-0-10"
    assert region.exec(pid, "cat /etc/hostname").strip() == "ip-10-0-0-10"
    assert region.exec(pid, "ls /run").split() == ["instance"]
    assert region.exec(pid, "ls -A /proc | grep -c '^[0-9]*$'").strip() in ("3", "4")
    assert os.listdir(f"/proc/{pid}/root{region.state}") == []
    assert os.uname().nodename != "ip-10-0-0-10"
    for kind in ("pid", "mnt", "uts", "net"):
        assert os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/{region.process.pid}/ns/{kind}")


def test_user_data_has_a_clean_environment(region: Region) -> None:
    apply(region, instance("#!/bin/sh\nenv | sort\npwd\nid -u\n"))
    lines = booted(region).splitlines()
    assert "HOME=/run/instance/home" in lines
    assert "TMPDIR=/run/instance/tmp" in lines
    assert "/run/instance/home" in lines
    assert "0" in lines
    assert not any(line.startswith("SECRET_OF_THE_HOST") for line in lines)


def test_applying_again_changes_nothing(region: Region) -> None:
    first = apply(region, instance())
    again = apply(region, instance())
    assert again == {"changed": 0, "failures": [], "pids": first["pids"]}
    booted(region)
    assert console(region).count("hello") == 1


def test_a_new_resolver_arrives_without_a_reboot(region: Region) -> None:
    first = apply(region, instance())
    changed = apply(region, instance(resolver="10.9.0.2"))
    assert (changed["changed"], changed["pids"]) == (1, first["pids"])
    assert "nameserver 10.9.0.2" in region.exec(first["pids"][ID], "cat /etc/resolv.conf")


def test_servers_of_user_data_stay_and_orphans_are_reaped(region: Region) -> None:
    pid = apply(region, instance("#!/bin/sh\n(sleep 1000 &)\n(true &)\nexec sleep 0.01\n"))["pids"][ID]
    booted(region)
    assert region.exec(pid, f"({PROGRAMS}) | grep -c sleep").strip() == "1"
    assert ") Z" not in until(lambda: region.exec(pid, PROGRAMS))


def test_a_stopped_instance_is_gone_and_does_not_run_user_data_again(region: Region) -> None:
    pid = apply(region, instance())["pids"][ID]
    booted(region)
    stopped = apply(region)
    assert stopped["changed"] == 1
    assert ID not in stopped["pids"]
    assert not Path(f"/proc/{pid}").exists()
    apply(region, instance(boot="boot-2"))
    until(lambda: "does not run again" in console(region))
    assert console(region).count("hello") == 1


def test_an_interrupted_boot_is_repeated(region: Region) -> None:
    """The holder starts a dead instance again: the same boot, so its servers come back."""
    pid = apply(region, instance())["pids"][ID]
    booted(region)
    os.kill(pid, signal.SIGKILL)
    assert booted(region, times=2).count("hello") == 2


def test_stopping_ends_what_ignores_sigterm(region: Region) -> None:
    pid = apply(region, instance("#!/bin/sh\ntrap '' TERM\necho deaf\nsleep 1000\n"))["pids"][ID]
    until(lambda: "deaf" in console(region))
    assert apply(region)["changed"] == 1
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("user_data", "words"),
    [
        (encoded("#cloud-config\npackages: []\n"), "user data ignored: cloud-config is not supported"),
        (encoded("echo no shebang\n"), "user data ignored: it does not start with #!"),
        ("%%%", "user data cannot be decoded"),
        (encoded("#!/no/such/interpreter\n"), "user data cannot run"),
        (base64.b64encode(gzip.compress(b"#!/bin/sh\necho unpacked\n", mtime=0)).decode(), "unpacked"),
        (encoded("#!/usr/bin/env python3\nimport sys; print('from', sys.version_info[0])\n"), "from 3"),
        (encoded("#!/bin/sh -e\nfalse\necho not reached\n"), "user data ended with 1"),
    ],
)
def test_user_data_of_many_kinds(shared: Region, user_data: str, words: str) -> None:
    apply(shared)
    folder = shared.state / "instances" / ID
    (folder / "first-boot").unlink(missing_ok=True)
    (folder / "console.log").unlink(missing_ok=True)
    assert apply(shared, instance(user_data=user_data))["failures"] == []
    until(lambda: words in console(shared))
    assert "not reached" not in console(shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    started = Region(tmp_path_factory.mktemp("region"))
    yield started
    started.stop()


def test_two_instances_do_not_see_each_other(shared: Region) -> None:
    other = instance(instance_id="i-2", namespace="i-2", hostname="ip-10-0-0-11", address="10.0.0.11")
    pids = apply(shared, instance("#!/bin/sh\nexec sleep 999\n"), other)["pids"]
    assert "sleep" not in shared.exec(pids["i-2"], PROGRAMS)
    assert shared.exec(pids["i-2"], "hostname").strip() == "ip-10-0-0-11"
    assert shared.exec(pids[ID], "hostname").strip() == "ip-10-0-0-10"


def test_an_instance_without_its_namespace_is_a_failure_of_its_own(shared: Region) -> None:
    def act(processes: Processes) -> list[Any]:
        broken = instance(instance_id="i-3", namespace="i-3")
        report = InstanceApplier(processes, shared.state / "instances").apply(plan(instance(), broken))
        return [[failure.id, failure.message] for failure in report.failures]

    apply(shared, instance())
    [[name, message]] = shared.inside(act)
    assert name == "i-3"
    assert "No such file or directory" in message


def test_a_deleted_namespace_does_not_live_on_in_instances(shared: Region) -> None:
    """Instances copy the holder's mounts: they must not keep other namespaces alive."""
    pid = apply(shared, instance())["pids"][ID]
    assert "/run/latticewall" not in Path(f"/proc/{pid}/mountinfo").read_text()


def test_forgetting_an_instance_removes_its_files(shared: Region) -> None:
    apply(shared, instance())
    apply(shared)
    assert (shared.state / "instances" / ID).exists()
    InstanceApplier(Processes(), shared.state / "instances").forget(ID)
    assert not (shared.state / "instances" / ID).exists()
    assert InstanceApplier(Processes(), shared.state / "instances").console(ID) == ""
