"""The node's appliers, in the order in which they act: who may do what first, filters with the links, names and engines before
instances boot. The names process reads its file while Envoy is given its configuration."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latticewall.base.faults import Fault
from latticewall.base.ports import Clock, Random
from latticewall.base.secret import Secret
from latticewall.compile.render.suricata import SOCKET
from latticewall.control_plane.authority import Certificates
from latticewall.control_plane.instance_endpoint import InstanceEndpoint
from latticewall.dataplane.authorization.applier import AuthorizationApplier, write_filter
from latticewall.dataplane.authorization.crypto import libcrypto
from latticewall.dataplane.authorization.tables import Tables, digest
from latticewall.dataplane.databases.applier import DatabasesApplier
from latticewall.dataplane.envoy.admin import counters, reopen_logs, target_health
from latticewall.dataplane.envoy.applier import EnvoyApplier
from latticewall.dataplane.envoy.failed_checks import FailedChecks
from latticewall.dataplane.envoy.lua_bundle import bundle
from latticewall.dataplane.envoy.server import XdsServer
from latticewall.dataplane.envoy.stickiness import write_script
from latticewall.dataplane.functions.applier import FunctionsApplier
from latticewall.dataplane.functions.applier import command as functions_command
from latticewall.dataplane.instances import InstanceApplier
from latticewall.dataplane.kernel_applier import KernelApplier
from latticewall.dataplane.linux import LinuxKernel
from latticewall.dataplane.liveness import GET, LivenessApplier, Question
from latticewall.dataplane.names.applier import NamesApplier, NamesInForce
from latticewall.dataplane.names.applier import command as names_command
from latticewall.dataplane.names.identity import IdentitySigner
from latticewall.dataplane.names.process import socket_path
from latticewall.dataplane.processes import HolderError, Processes
from latticewall.dataplane.suricata import FirewallApplier
from latticewall.dataplane.suricata_socket import CommandSocket, NoAnswer
from latticewall.dataplane.tunnels.applier import TunnelsApplier
from latticewall.reconcile.applier import Applier
from latticewall.telemetry.lattice_metrics import CLUSTER_COUNTERS, HOST_COUNTERS, HOST_GAUGES, Reading

RUN = Path("/run/latticewall")
TABLES = Path("/run/authorization")
"""In memory, and out of sight of instances and of everything outside the region."""
SKEW_SECONDS = 300
REOPEN_SECONDS = 2.0


def envoy_program() -> str:
    """The envoy beside this Python, else the one on PATH."""
    beside = Path(sys.executable).parent / "envoy"
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if not found:
        raise Fault("envoy is not installed: it comes with the Python requirements")
    return found


class Appliers:
    """Makes all appliers and answers what only they know. secrets: access key id -> secret; credentials: instance id -> metadata document;
    function_credentials: function ARN -> variables; certificates: what HTTPS listeners show; newest: the store's revision."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        secrets: Callable[[str], Secret | None],
        credentials: Callable[[str], Mapping[str, Any] | None],
        function_credentials: Callable[[str], Mapping[str, str] | None],
        state: Path,
        certificates: Certificates,
        newest: Callable[[], int],
        run: Path = RUN,
        tables: Path = TABLES,
    ) -> None:
        for folder in ("netns", "envoy", "suricata", "rulesets", "functions", "databases", "tunnels"):
            (run / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run = run
        self.access_log = state / "logs" / "access.jsonl"
        self._processes = Processes(run / "holder.sock")
        self._kernel = KernelApplier(LinuxKernel(run / "netns"), run / "rulesets", newest)
        self.firewalls = FirewallApplier(self._processes, run / "suricata", state / "logs")
        self._instance_folder = state / "instances"
        self._instances = InstanceApplier(self._processes, self._instance_folder, certificates.root)
        self._databases = DatabasesApplier(self._processes, state / "databases", run / "databases", state / "logs", certificates.own)
        write_script(run / "envoy", state, libcrypto(), random)
        source = bundle({"folder": str(tables), "crypto": libcrypto(), "skew": SKEW_SECONDS, "strict_generic": False})
        xds_socket = run / "xds.sock"
        check_socket = run / "checks.sock"
        for socket in (xds_socket, check_socket):
            socket.unlink(missing_ok=True)
        self._xds = XdsServer(str(xds_socket))
        self._xds.start()
        self.failed_checks = FailedChecks(str(check_socket))
        self.failed_checks.start()
        self.instance_endpoint = InstanceEndpoint(run / "netns")
        names = NamesApplier(
            lambda: self._processes.ensure({"name": "names", "argv": list(names_command())}), credentials, IdentitySigner(state / "identity").sign,
            random, run / "names.json",
        )  # fmt: skip
        self.all: tuple[Applier, ...] = (
            AuthorizationApplier(Tables(tables), secrets, clock),
            self._kernel,
            names,
            self.instance_endpoint,
            self._functions_applier(function_credentials, state),
            EnvoyApplier(
                self._processes, self._xds, envoy_program(), run, write_filter(run / "envoy", source, digest(source)), certificates.pair, self.access_log,
            ),
            NamesInForce(names),
            self.firewalls,
            TunnelsApplier(self._processes, run / "netns", run / "tunnels", state / "logs"),
            self._databases,
            self._instances,
            LivenessApplier(self._processes, {
                "names": Question(socket_path(run / "names.json")), "envoy": Question(run / "envoy" / "admin.sock", GET),
                "functions": Question(self.functions / "lattice.sock", GET),
            }),
        )  # fmt: skip

    def _functions_applier(self, credentials: Callable[[str], Mapping[str, str] | None], state: Path) -> FunctionsApplier:
        argv = list(functions_command(self.functions, state / "functions"))

        def ensure() -> object:
            return self._processes.ensure({"name": "functions", "argv": argv, "stop_seconds": 5.0})

        return FunctionsApplier(ensure, lambda: self._processes.remove("functions"), credentials, self.functions, state / "functions")

    def stop(self) -> None:
        self._xds.stop()
        self.failed_checks.stop()

    @property
    def functions(self) -> Path:
        """The functions process's folder: its sockets and its log."""
        return self._run / "functions"

    def read_proxy_counters(self) -> tuple[str, list[Reading]]:
        """(which Envoy process they are of, its counters and gauges). Raises OSError when it does not answer."""
        pid = next((str(process["pid"]) for process in self.processes() if process["name"] == "envoy"), "")
        found = counters(str(self._run / "envoy" / "admin.sock"), tuple(CLUSTER_COUNTERS), (*HOST_COUNTERS, *HOST_GAUGES))
        return pid, [Reading(*values) for values in found]

    def reopen_access_log(self) -> None:
        """Raises OSError when Envoy cannot be told."""
        reopen_logs(str(self._run / "envoy" / "admin.sock"))

    def reopen_engine_log(self, endpoint_id: str) -> None:
        """Raises OSError when the engine of that firewall endpoint cannot be told."""
        try:
            with CommandSocket(self.engine_logs / endpoint_id / SOCKET, REOPEN_SECONDS) as engine:
                engine.ask("reopen-log-files")
        except NoAnswer as error:
            raise OSError(str(error)) from error

    @property
    def engine_logs(self) -> Path:
        """The folder with one folder per firewall endpoint, each with its eve.json."""
        return self._run / "suricata"

    def processes(self) -> list[dict[str, Any]]:
        """The holder's processes, for `status` and `exec`; empty while the holder does not answer."""
        try:
            found = self._processes.list()
        except HolderError:
            return []
        return [asdict(item) for item in found.values()]

    def has_nothing(self, process: str) -> bool:
        """Whether a process has not acknowledged anything since it was started (or since this one was), whatever the others have applied."""
        return process == "envoy" and not self._xds.caught_up()

    def read_counters(self, namespace: str) -> dict[str, tuple[int, int]]:
        return self._kernel.counters(namespace)

    def forget_instances(self, kept: Collection[str]) -> None:
        """Remove the folders (console, home) of instances that are no longer known."""
        for folder in self._instance_folder.iterdir() if self._instance_folder.exists() else ():
            if folder.name not in kept:
                self._instances.forget(folder.name)

    def forget_databases(self, kept: Collection[str]) -> None:
        """Remove the files of databases that are no longer known."""
        self._databases.forget(kept)

    def console_output(self, instance_id: str) -> str:
        return self._instances.console(instance_id)

    def target_health(self, target_group_id: str) -> dict[tuple[str, int], str]:
        """(address, port) -> HEALTHY or UNHEALTHY, as Envoy's checks see the targets of a group; empty while nothing is known."""
        try:
            found = target_health(str(self._run / "envoy" / "admin.sock"), target_group_id)
        except OSError:
            return {}
        return {place: "HEALTHY" if healthy else "UNHEALTHY" for place, healthy in found.items()}
