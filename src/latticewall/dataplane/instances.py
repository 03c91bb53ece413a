"""Instances: their files, and the holder's processes that are them."""

from __future__ import annotations

import shutil
from collections.abc import Set
from pathlib import Path

from latticewall.base.reasons import reason
from latticewall.dataplane.holder.instance import AUTHORITIES, SYSTEM_AUTHORITIES
from latticewall.dataplane.processes import HolderError, Processes
from latticewall.plan.instances import InstancePlan
from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Failure, Report


class InstanceApplier:
    """Runs what the plan says is running and stops every other instance. folder: S/instances, which keeps consoles and homes across stops. trusted: the
    certificate (PEM) of the region's own authority, which instances trust like those that this system trusts; "" for none."""

    name = "instances"

    def __init__(self, processes: Processes, folder: Path, trusted: str = "") -> None:
        self._processes = processes
        self._folder = folder
        self._authorities = _trusted_by_the_system() + trusted if trusted else ""

    def apply(self, plan: NodePlan) -> Report:
        try:
            running = self._processes.list()
        except HolderError as error:
            return Report(0, tuple(_failure(instance.instance_id, str(error)) for instance in plan.instances))
        before = {name: process for name, process in running.items() if process.kind == "instance"}
        report = Report()
        for instance in plan.instances:
            try:
                changed = self._write_files(instance)
                process = self._processes.ensure(_spec(instance))
                known = before.get(instance.instance_id)
                report += Report(changed + (known is None or known.pid != process.pid or process.state != known.state))
                if process.state == "waiting":
                    report += Report(0, (_failure(instance.instance_id, f"it does not start: {process.exit}"),))
            except (HolderError, OSError) as error:
                report += Report(0, (_failure(instance.instance_id, reason(error)),))
        return report + self._stop(before.keys() - {instance.instance_id for instance in plan.instances})

    def forget(self, instance_id: str) -> None:
        """Remove what a terminated instance leaves behind: its console and its home."""
        shutil.rmtree(self._folder / instance_id, ignore_errors=True)

    def console(self, instance_id: str) -> str:
        """What its boot and user data have printed; "" before its first boot."""
        try:
            return (self._folder / instance_id / "console.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _stop(self, names: Set[str]) -> Report:
        """All at the same time: each may take seconds."""
        if not names:
            return Report()
        try:
            left = self._processes.remove_all(names)
        except HolderError as error:
            return Report(0, tuple(_failure(name, str(error)) for name in sorted(names)))
        return Report(len(names) - len(left), tuple(_failure(name, "it does not end") for name in sorted(left)))

    def _write_files(self, instance: InstancePlan) -> int:
        """Resolver, hosts, name and environment; written in place, because the running instance sees these very files."""
        folder = self._folder / instance.instance_id / "etc"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        changed = 0
        for name, text in _files(instance).items():
            file = folder / name
            if not file.exists() or file.read_text() != text:
                file.write_text(text)
                file.chmod(0o644)
                changed = 1
        return changed + self._write_authorities(folder / AUTHORITIES)

    def _write_authorities(self, file: Path) -> int:
        """Compared by length: it is long, and only ever grows or shrinks by whole certificates."""
        if not self._authorities or (file.exists() and file.stat().st_size == len(self._authorities)):
            return 0
        file.write_text(self._authorities)
        file.chmod(0o644)
        return 1


def _trusted_by_the_system() -> str:
    try:
        return SYSTEM_AUTHORITIES.read_text(encoding="ascii").rstrip() + "\n"
    except (OSError, ValueError):
        return ""


def _failure(instance_id: str, message: str) -> Failure:
    return Failure("ec2:Instance", instance_id, message)


def _files(instance: InstancePlan) -> dict[str, str]:
    qualified = f"{instance.hostname}.{instance.search} " if instance.search else ""
    resolver = f"nameserver {instance.resolver}\noptions timeout:2 attempts:2\n" if instance.resolver else ""
    search = f"search {instance.search}\n" if instance.search else ""
    hosts = f"127.0.0.1 localhost\n{instance.address} {qualified}{instance.hostname}\n" + "".join(f"{at} {name}\n" for name, at in instance.hosts)
    environment = "".join(f"{name}={value}\n" for name, value in instance.environment)
    return {"resolv.conf": search + resolver, "hosts": hosts, "hostname": f"{instance.hostname}\n", "environment": environment}


def _spec(instance: InstancePlan) -> dict[str, str]:
    return {
        "kind": "instance",
        "name": instance.instance_id,
        "netns": instance.namespace,
        "hostname": instance.hostname,
        "user_data": instance.user_data,
        "boot": instance.boot,
    }
