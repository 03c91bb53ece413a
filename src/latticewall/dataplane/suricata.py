"""Firewall engines: one Suricata per endpoint, in its namespace, behind the queue. Without a working engine nothing passes.

New rules are tried by the engine's own parser before they replace the files that a restarted engine would read, so the last good rules stay in
force when the new ones do not load.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path, PurePath

from latticewall.base.faults import Fault
from latticewall.base.reasons import reason
from latticewall.compile.render.suricata import CLASSIFICATION, RULES, SOCKET, YAML, render_classification, render_yaml
from latticewall.dataplane.processes import HolderError, Processes, Running
from latticewall.dataplane.suricata_check import Complaint, engine_check
from latticewall.dataplane.suricata_socket import CommandSocket, NoAnswer, RuleStatistics
from latticewall.plan.firewall import FirewallEngine
from latticewall.plan.firewall_endpoint import FirewallEndpoint
from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Failure, Report

PREFIX = "suricata-"
_LOADED = "loaded"
"""File with the reload_key of the rules that the running engine has confirmed."""
_START_SECONDS = 60.0
"""30 000 content rules take half a minute; usual policies 0.06 s."""
_ANSWER_SECONDS = 3.0
_RELOAD_SECONDS = 120.0
_POLL_SECONDS = 0.01
_ATTEMPTS = 3
"""Starts that may fail before the endpoint is reported as without engine; the holder goes on trying."""

Check = Callable[[Sequence[str]], Sequence[Complaint]]


class EngineError(Exception):
    """An engine cannot be brought to what the plan says; the message is the engine's own words where it has any."""


class FirewallApplier:
    """Engines of all endpoints. folder: /run/latticewall/suricata, with a folder per endpoint; logs: S/logs, where engines print."""

    name = "firewall"

    def __init__(self, processes: Processes, folder: Path, logs: Path, check: Check = engine_check) -> None:
        self._processes = processes
        self._folder = folder
        self._logs = logs
        self._check = check

    def apply(self, plan: NodePlan) -> Report:
        try:
            before = {name: process for name, process in self._processes.list().items() if name.startswith(PREFIX)}
        except HolderError as error:
            return Report(0, tuple(Failure("network-firewall:Firewall", item.firewall_arn, str(error)) for item in plan.firewalls))
        report = Report()
        started: list[tuple[FirewallEndpoint, Running | None]] = []
        for endpoint in plan.firewalls:
            try:
                report += Report(self._prepare(endpoint, before.get(PREFIX + endpoint.endpoint_id)))
                started.append((endpoint, before.get(PREFIX + endpoint.endpoint_id)))
            except (EngineError, HolderError, OSError, Fault) as error:
                report += _failed(endpoint, error)
        for endpoint, process in started:
            try:
                report += Report(self._settle(endpoint, process))
            except (EngineError, HolderError, NoAnswer, OSError) as error:
                report += _failed(endpoint, error)
        return report + self._prune(before.keys() - {PREFIX + endpoint.endpoint_id for endpoint in plan.firewalls})

    # -- one endpoint -----------------------------------------------------------------------------------------------------------------

    def _prepare(self, endpoint: FirewallEndpoint, process: Running | None) -> int:
        """Files and process; a hung engine is killed here, its successor starts by itself."""
        folder = self._folder / endpoint.endpoint_id
        changed = self._write(endpoint.engine, folder)
        if process is not None and process.state == "running" and self._hangs(endpoint, folder):
            self._processes.signal(process.name, "KILL")
            changed += 1
        now = self._processes.ensure(_spec(endpoint, folder))
        return changed + (process is None or now.pid != process.pid or now.state != process.state)

    def _write(self, engine: FirewallEngine, folder: Path) -> int:
        files = {YAML: render_yaml(engine, PurePath(folder)), RULES: engine.rules, CLASSIFICATION: render_classification()}
        wrong = {name: text for name, text in files.items() if not _holds(folder / name, text)}
        if RULES in wrong and (complaints := self._check(engine.rules.splitlines())):
            raise EngineError("; ".join(f"{item.reason} (line {item.line}: {item.rule})" for item in complaints[:3]))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, text in wrong.items():
            fresh = folder / f"{name}.new"
            fresh.write_text(text)
            os.replace(fresh, folder / name)
        return len(wrong)

    def _hangs(self, endpoint: FirewallEndpoint, folder: Path) -> bool:
        """Whether an engine that was in order no longer answers. One that is starting or reloading has its own bound."""
        if not _holds(folder / _LOADED, endpoint.engine.reload_key):
            return False
        try:
            with CommandSocket(folder / SOCKET, _ANSWER_SECONDS) as engine:
                engine.ask("uptime")
        except NoAnswer:
            return True
        return False

    def _settle(self, endpoint: FirewallEndpoint, process: Running | None) -> int:
        """Wait until the engine answers and has exactly the planned rules; reload them if it was running before they were written."""
        folder = self._folder / endpoint.endpoint_id
        now = self._await_answer(endpoint, folder)
        if _holds(folder / _LOADED, endpoint.engine.reload_key):
            return 0
        changed, statistics = self._loaded_rules(folder, reload=process is not None and process.pid == now.pid)
        if statistics.failed:
            raise EngineError(f"the engine skipped rules: {'; '.join(statistics.failed[:3])}")
        (folder / _LOADED).write_text(endpoint.engine.reload_key)
        return changed

    def _loaded_rules(self, folder: Path, *, reload: bool) -> tuple[int, RuleStatistics]:
        """What is loaded, after a reload if asked for. An engine that has just started may close a conversation: it is begun again."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with CommandSocket(folder / SOCKET, _RELOAD_SECONDS) as engine:
                    if reload:
                        engine.ask("reload-rules")
                    return int(reload), engine.rules()
            except NoAnswer:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)

    def _await_answer(self, endpoint: FirewallEndpoint, folder: Path) -> Running:
        """The process, once it answers. While it is being replaced, the old one's answers do not count."""
        name = PREFIX + endpoint.endpoint_id
        deadline = time.monotonic() + _START_SECONDS
        reason = "it was removed meanwhile"
        first: Running | None = None
        while (process := self._processes.list().get(name)) is not None:
            first = first or process
            if process.state == "running":
                try:
                    with CommandSocket(folder / SOCKET, _ANSWER_SECONDS) as engine:
                        engine.ask("uptime")
                    return process
                except NoAnswer as error:
                    reason = str(error)
            if process.restarts - first.restarts >= _ATTEMPTS or time.monotonic() > deadline:
                reason = self._last_words(name) or reason
                break
            time.sleep(_POLL_SECONDS)
        raise EngineError(f"no engine at {endpoint.endpoint_id}: {reason}")

    def _last_words(self, name: str) -> str:
        try:
            lines = (self._logs / f"{name}.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "; ".join(line for line in lines[-20:] if line.startswith("E:"))[-500:]

    def _prune(self, names: Set[str]) -> Report:
        """Engines of endpoints that the plan no longer has; all at the same time, because each takes a second and a half to end."""
        if not names:
            return Report()
        try:
            left = self._processes.remove_all(names)
        except HolderError as error:
            return Report(0, (Failure("network-firewall:Firewall", "", str(error)),))
        for name in names - left:
            shutil.rmtree(self._folder / name.removeprefix(PREFIX), ignore_errors=True)
        failures = (Failure("network-firewall:Firewall", name.removeprefix(PREFIX), "its engine does not end") for name in sorted(left))
        return Report(len(names) - len(left), tuple(failures))


def _spec(endpoint: FirewallEndpoint, folder: Path) -> dict[str, object]:
    """How the holder runs it. `-S` would forbid reloading and `autofp` halves throughput, so neither is used."""
    return {
        "name": PREFIX + endpoint.endpoint_id,
        "argv": ["suricata", "-c", str(folder / YAML), "-q", str(endpoint.queue), "--runmode", "workers", "-l", str(folder)],
        "netns": endpoint.namespace,
        "remove": [str(folder / SOCKET)],
        "key": endpoint.engine.restart_key,
        "stop_seconds": 5.0,
    }


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_text() == text
    except FileNotFoundError:
        return False


def _failed(endpoint: FirewallEndpoint, error: Exception) -> Report:
    return Report(0, (Failure("network-firewall:Firewall", endpoint.firewall_arn, f"{endpoint.endpoint_id}: {reason(error)}"),))
