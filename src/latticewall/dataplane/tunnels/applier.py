"""The tunnels part of a plan: an engine per endpoint, which says when it is ready."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Set
from dataclasses import asdict
from pathlib import Path

from latticewall.base.reasons import reason
from latticewall.dataplane.processes import HolderError, Processes, Running
from latticewall.dataplane.tunnels.__main__ import READY
from latticewall.plan.node import NodePlan
from latticewall.plan.tunnels import TunnelPlan
from latticewall.reconcile.applier import Failure, Report

PREFIX = "tunnel-"
ATTEMPTS = 5
"""Starts that may fail before that is said of the endpoint: the first may come before the links are there."""


class TunnelsApplier:
    """Engines of all tunnels. netns: the folder of network namespaces; run: a folder with one for each engine; logs: S/logs."""

    name = "tunnels"

    def __init__(self, processes: Processes, netns: Path, run: Path, logs: Path) -> None:
        self._processes = processes
        self._netns = netns
        self._run = run
        self._logs = logs

    def apply(self, plan: NodePlan) -> Report:
        wanted = {PREFIX + tunnel.id: tunnel for tunnel in plan.tunnels}
        try:
            before = {name: process for name, process in self._processes.list().items() if name.startswith(PREFIX)}
            report = self._stop(before.keys() - wanted.keys())
            for name, tunnel in wanted.items():
                report += self._apply(name, tunnel, before.get(name))
        except (HolderError, OSError) as error:
            return Report(0, tuple(_failure(tunnel, reason(error)) for tunnel in plan.tunnels))
        return report

    def _apply(self, name: str, tunnel: TunnelPlan, known: Running | None) -> Report:
        folder = self._run / tunnel.id
        folder.mkdir(mode=0o700, exist_ok=True)
        argv = [sys.executable, "-P", "-m", "latticewall.dataplane.tunnels", "--far", str(self._netns / tunnel.far), "--folder", str(folder)]
        argv += ["--mtu", str(tunnel.mtu), *(word for zone in tunnel.zones for word in ("--zone", json.dumps(asdict(zone))))]
        process = self._processes.ensure({"name": name, "argv": argv, "netns": tunnel.namespace, "remove": [str(folder / READY)]})
        changed = int(known is None or known.pid != process.pid)
        if process.state == "running" and self._is_ready(folder, process):
            return Report(changed)
        if process.restarts >= ATTEMPTS:
            return Report(changed, (_failure(tunnel, f"its engine does not run: {self._last_words(name) or process.exit}"),))
        return Report(changed, awaited=(tunnel.id,))

    def _is_ready(self, folder: Path, process: Running) -> bool:
        try:
            return (folder / READY).read_text() == str(process.pid)
        except OSError:
            return False

    def _last_words(self, name: str) -> str:
        try:
            lines = (self._logs / f"{name}.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return lines[-1][-300:] if lines else ""

    def _stop(self, names: Set[str]) -> Report:
        left = self._processes.remove_all(names) if names else frozenset()
        for name in names - left:
            shutil.rmtree(self._run / name.removeprefix(PREFIX), ignore_errors=True)
        return Report(len(names) - len(left), tuple(Failure("ec2:VpcEndpoint", name.removeprefix(PREFIX), "its engine does not end") for name in sorted(left)))


def _failure(tunnel: TunnelPlan, message: str) -> Failure:
    return Failure("ec2:VpcEndpoint", tunnel.id, message)
