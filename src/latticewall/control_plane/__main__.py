"""`python -m latticewall.control_plane`: run by the holder, inside the region's namespaces, with the API's listening socket as a descriptor."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import resource
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from latticewall.apimodel.catalog import Catalog
from latticewall.app import App, iso
from latticewall.auth.callers import root
from latticewall.base.rows import Row
from latticewall.base.secret import Secret
from latticewall.control_plane.access import authorise
from latticewall.control_plane.appliers import Appliers
from latticewall.control_plane.authority import FOLDER as AUTHORITY
from latticewall.control_plane.authority import Certificates, open_authority
from latticewall.control_plane.explaining import Explainer
from latticewall.control_plane.function_endpoint import FunctionEndpoint
from latticewall.control_plane.function_logs import FunctionLogs
from latticewall.control_plane.function_sessions import function_credentials, refresh_function_sessions
from latticewall.control_plane.functions import FunctionsPort
from latticewall.control_plane.identity import StoredSessions, ensure_account, metadata_credentials, refresh_instance_sessions
from latticewall.control_plane.inner import InnerRequests
from latticewall.control_plane.measuring import Measurer
from latticewall.control_plane.object_files import ObjectFiles
from latticewall.control_plane.ports import service_ports
from latticewall.control_plane.services import registry
from latticewall.control_plane.shipping import Shipper
from latticewall.control_plane.world import Compiler
from latticewall.faces.asgi import AsgiApp
from latticewall.faces.http import Endpoint
from latticewall.faces.quick_http import QuickHttp
from latticewall.faces.serving import server_config
from latticewall.plan.node import NodePlan
from latticewall.reconcile.loop import Loop
from latticewall.resources.kind import NEXT_STATUS
from latticewall.resources.settle import settle
from latticewall.services.cloudformation.runner import StackRunner
from latticewall.store import Snapshot, Store

log = logging.getLogger("latticewall")
YOUNG_OBJECTS = 100_000
"""How many objects may be new before garbage is looked for: above what a round makes and drops again, or every few rounds would wait for a look at all rows."""
ONLY_IN_PLANS = "vpc-lattice:"
"""Kinds that appliers know nothing of but what plans say; of others they look up certificates, secrets and sessions."""
CATCH_UP_SECONDS = 1.5
"""How long a question may wait for the data plane before it is answered with what is in progress."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemRandom:
    def token_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


class ControlPlane:
    """Everything of the process, put together; `run` serves until SIGTERM."""

    def __init__(self, state: Path, listen_fd: int, host_fd: int, region: str, *, open_mode: bool) -> None:
        clock, random = SystemClock(), SystemRandom()
        self.store = Store(state / "region.db", lambda: iso(clock.now()))
        self.listener = socket.socket(fileno=listen_fd)
        host, port = self.listener.getsockname()[:2]
        authority = open_authority(state / AUTHORITY, clock.now())
        certificates = Certificates(authority, self._certificate_of, clock)
        self.appliers = Appliers(
            clock, random, self._secret_of, self._credentials_of, self._function_credentials_of, state, certificates, lambda: self.store.revision
        )
        self.objects = ObjectFiles(state / "s3", random)
        with self.store.read() as snapshot:
            self.objects.sweep(snapshot.objects.files())
        functions = FunctionsPort(state / "functions", self.appliers.functions / "door.sock", clock, random)
        ports = service_ports(self.appliers, host_fd, authority, self.objects, functions)
        self.app = App(self.store, registry(), Catalog(), clock, random, authorise=authorise, ports=ports)
        self.account = ensure_account(self.app, state, region, f"http://{host}:{port}")
        self.region = region
        self._outcome: tuple[dict[str, str], frozenset[str]] | None = None
        self.compiler = Compiler()
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._look_up = False
        """Whether what appliers look up has changed since they were last asked to."""
        self._sessions = StoredSessions()
        self.loop = Loop(self._compile, self.appliers.all, self._settle, self.store.wait_beyond, self._is_same, self.store.wake)
        self.stacks = StackRunner(self.app)
        self.shipper = Shipper(self.app, self.appliers, self.loop, self.objects)
        self.function_logs = FunctionLogs(self.app, self.appliers.functions / "log.jsonl")
        self.function_endpoint = FunctionEndpoint(self.appliers.functions / "api.sock")
        inner = InnerRequests(self.app, self.loop, self.account, region, self.appliers.processes, state, open_mode=open_mode)
        inner.has_nothing = self.appliers.has_nothing
        inner.read_counters = self.appliers.read_counters
        self.measurer = Measurer(self.app, self.appliers, self.loop)
        inner.metrics = self.measurer.prometheus
        inner.explainer = Explainer(self.app, region, self.appliers.access_log, self.appliers.target_health)
        self.endpoint = Endpoint(self.app, self.account, region, inner, self._catch_up, open_mode, functions.download, _in_progress)

    def run(self) -> None:
        works = {"reconcile": self.loop.run, "stacks": self.stacks.run, "logs": self.shipper.run, "metrics": self.measurer.run}
        works |= {"instance endpoint": self._serve_instances, "function logs": self.function_logs.run, "function endpoint": self._serve_functions}
        threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works.items()]
        for thread in threads:
            thread.start()
        server = uvicorn.Server(server_config(AsgiApp(self.endpoint), http=QuickHttp))
        try:
            asyncio.run(server.serve(sockets=[self.listener]))
        finally:
            self.stacks.stop()
            self.loop.stop()
            self.shipper.stop()
            self.measurer.stop()
            self.appliers.instance_endpoint.stop()
            self.function_logs.stop()
            self.function_endpoint.stop()
            for thread in threads:
                thread.join(timeout=5)
            self.appliers.stop()

    def _serve_instances(self) -> None:
        self.appliers.instance_endpoint.run(AsgiApp(self.endpoint))

    def _serve_functions(self) -> None:
        self.function_endpoint.run(AsgiApp(self.endpoint))

    def _compile(self) -> NodePlan:
        with self.store.read() as snapshot:
            rows = self.compiler.rows(snapshot)
            self._sessions.see(rows.get("sts:Session", ()))
            functions = rows.get("lambda:Function", ())
        refresh_instance_sessions(self.app, self._sessions.to_look_at(iso(self.app.clock.now())))
        refresh_function_sessions(self.app, functions, self._sessions.of_functions)
        with self.store.read() as snapshot:
            plan = self.compiler.compile(snapshot, iso(self.app.clock.now()))
            rows = dict(self.compiler.rows(snapshot))
        self._sessions.see(rows.get("sts:Session", ()))
        self._look_up |= any(found is not self._rows.get(kind) and not kind.startswith(ONLY_IN_PLANS) for kind, found in rows.items())
        self._rows = rows
        return plan

    def _is_same(self, last: NodePlan, plan: NodePlan) -> bool:
        """Whether appliers would find nothing changed: neither in the plan, nor among what they look up by themselves."""
        look_up, self._look_up = self._look_up, False
        return not look_up and replace(plan, revision=last.revision) == last

    def _settle(self, revision: int, failures: Mapping[str, str], unsettled: Collection[str]) -> int | None:
        """One short transaction, only when something waits, fails or is tried as it was not before, or is due. The revision that it makes, if any."""
        outcome = (dict(failures), frozenset(unsettled))
        with self.store.read() as snapshot:
            due = _in_progress(snapshot) or self._outcome != outcome or self.app.registry.is_due(snapshot)
        self._outcome = outcome
        if not due:
            return None
        with self.store.write("latticewall", "settled") as tx:
            settle(self.app.context(tx, root(self.account, self.region), "latticewall", "settle", "settled"), revision, failures, unsettled)
            kept = {row.id for row in tx.rows("ec2:Instance") if row.status != "deleted"}
            databases = {row.id for row in tx.rows("rds:DBInstance")}
        self.appliers.forget_instances(kept)
        self.appliers.forget_databases(databases)
        return tx.new_revision if tx.changed else None

    def _catch_up(self) -> None:
        """Let the data plane reach what is acknowledged, for a moment, so that what is ready is also shown as ready."""
        with self.store.read() as snapshot:
            waiting, revision = _in_progress(snapshot), snapshot.revision
        if waiting:
            self.loop.wait_applied(revision, CATCH_UP_SECONDS)

    def _secret_of(self, access_key_id: str) -> Secret | None:
        with self.store.read() as snapshot:
            row = snapshot.get("sts:Session" if access_key_id.startswith("ASIA") else "iam:AccessKey", access_key_id)
        return Secret(row.document["_secret"]) if row else None

    def _certificate_of(self, arn: str) -> tuple[str, Secret] | None:
        """A certificate of ACM with its chain, and its private key."""
        with self.store.read() as snapshot:
            row = snapshot.by_arn(arn)
        return (row.document["_certificate"] + row.document.get("_chain", ""), Secret(row.document["_private_key"])) if row else None

    def _credentials_of(self, instance_id: str) -> dict[str, Any] | None:
        return metadata_credentials(self.app, instance_id, self._sessions.of_instances)

    def _function_credentials_of(self, function: str) -> dict[str, str] | None:
        return function_credentials(self._sessions.of_functions, function)


def _in_progress(snapshot: Snapshot) -> bool:
    return snapshot.any_in(NEXT_STATUS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="latticewall.control_plane")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--open", action="store_true")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    gc.set_threshold(YOUNG_OBJECTS)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # connections of several endpoints, and a socket per VPC
    listen_fd, host_fd = (int(os.environ[f"LATTICEWALL_{name}_FD"]) for name in ("LISTEN", "HOST"))
    ControlPlane(arguments.state, listen_fd, host_fd, arguments.region, open_mode=arguments.open).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
