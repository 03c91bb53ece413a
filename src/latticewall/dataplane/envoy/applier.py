"""Keeps Envoy running and its configuration equal to the plan."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from latticewall.base.memo import Memo
from latticewall.compile.render.envoy import EnvoySnapshot, inconsistencies, render
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.compile.render.envoy_sockets import socket_name
from latticewall.compile.render.envoy_tcp import source_cluster
from latticewall.dataplane.envoy.bootstrap import Sockets, bootstrap
from latticewall.dataplane.envoy.delta import Refusal
from latticewall.dataplane.envoy.secrets import Pairs, Secrets
from latticewall.dataplane.envoy.server import XdsServer
from latticewall.dataplane.processes import Processes
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.reconcile.applier import Failure, Report

WAIT_SECONDS = 10.0
FLUSH_MILLISECONDS = 20
"""How long a line of the access log may be in Envoy's memory alone, where a kill would lose it."""
DRAIN_SECONDS = 60
MOST_WORKERS = 4

Owner = tuple[str, str]
"""Kind and id of the AWS resource that fails when something of Envoy's does."""


class NotApplied(RuntimeError):
    """Envoy does not have the plan's configuration (yet), or the configuration is unfit to be given to it; it keeps the last good one."""


class EnvoyApplier:
    """program: the envoy to run. folder: where its sockets and files are, as the processes of the region see it (/run/latticewall). authorization: the
    Lua of its authorization filter. certificates: what HTTPS listeners show. access_log: where
    it writes."""

    name = "envoy"

    def __init__(self, processes: Processes, xds: XdsServer, program: str, folder: Path, authorization: Path, certificates: Pairs, access_log: Path) -> None:
        self._processes = processes
        self._xds = xds
        self._program = program
        self._secrets = Secrets(certificates)
        self._own = folder / "envoy"
        self._paths = EnvoyPaths(str(folder / "netns"), str(access_log), str(authorization), str(folder))
        self._rendered: tuple[ProxyPlan, EnvoySnapshot] | None = None
        self._memo = Memo()
        # asked once: another number of workers needs another Envoy, and that would cut every connection
        self._workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
        sockets = Sockets(str(folder / "xds.sock"), str(folder / "checks.sock"), str(self._own / "admin.sock"))
        self._bootstrap = json.dumps(bootstrap("latticewall", sockets), indent=1, sort_keys=True)

    def apply(self, plan: NodePlan) -> Report:
        """Raises NotApplied, HolderError, secrets.Gone or protobufs.Malformed when nothing can be said about single resources: then nothing is settled."""
        snapshot = self._snapshot_of(plan.proxy)
        secrets = self._secrets.resources(snapshot.certificates)
        running = self._processes.list().get(self.name)
        process = self._processes.ensure(self._process())
        started = running is None or running.pid != process.pid
        before = self._xds.acknowledged()
        self._xds.publish(snapshot, secrets)
        outcome = self._xds.wait_settled(WAIT_SECONDS)
        if not outcome.settled:
            state = "has not answered for its configuration" if outcome.connected else "is not connected"
            raise NotApplied(f"envoy {state} after {WAIT_SECONDS:g} s")
        changed = int(started) + self._xds.acknowledged() - before
        return Report(changed, _failures(plan.proxy, snapshot, outcome.refusals))

    def _snapshot_of(self, plan: ProxyPlan) -> EnvoySnapshot:
        """Rendered and checked once for each plan that differs from the last one."""
        if self._rendered is None or self._rendered[0] != plan:
            snapshot = render(plan, self._paths, self._memo)
            if found := inconsistencies(snapshot, self._memo):
                raise NotApplied("; ".join(found))
            self._rendered = plan, snapshot
        return self._rendered[1]

    def _process(self) -> dict[str, Any]:
        """Write the bootstrap, unless it is there, and say how to run Envoy with it; another bootstrap restarts it."""
        file = self._own / "bootstrap.json"
        self._own.mkdir(mode=0o700, exist_ok=True)
        if not file.exists() or file.read_text() != self._bootstrap:
            file.write_text(self._bootstrap)
        options = {"-c": file, "--concurrency": self._workers, "--file-flush-interval-msec": FLUSH_MILLISECONDS, "--drain-time-s": DRAIN_SECONDS}
        words = tuple(str(word) for option in options.items() for word in option)
        argv = [self._program, *words, "--log-level", "warning", "--disable-hot-restart"]
        return {"name": self.name, "argv": argv, "key": hashlib.sha256(self._bootstrap.encode()).hexdigest()[:16]}


def _failures(plan: ProxyPlan, snapshot: EnvoySnapshot, refusals: tuple[Refusal, ...]) -> tuple[Failure, ...]:
    """What could not be rendered and what Envoy refuses, at the AWS resources concerned."""
    owners = _owners(plan) if refusals else {}
    failures = {Failure(problem.kind, problem.id, problem.message) for problem in snapshot.problems}
    for refusal in refusals:
        resource = refusal.name.rpartition(":")[0]
        for kind, owner in owners.get(refusal.name) or owners.get(resource) or [("envoy", refusal.name)]:
            failures.add(Failure(kind, owner, f"envoy refuses its {refusal.kind}: {refusal.message}"))
    return tuple(sorted(failures))


def _owners(plan: ProxyPlan) -> dict[str, list[Owner]]:
    """The AWS resources behind the names that Envoy knows (those of a TCP resource end in the port)."""
    owners: dict[str, list[Owner]] = {cluster.name: [("vpc-lattice:TargetGroup", cluster.name)] for cluster in plan.clusters}
    for services in plan.http_services:
        for host in services.hosts:
            owners |= {f"{services.name} {word}": [("vpc-lattice:Service", host.service_id)] for word in (host.service_id, *host.domains)}
    for http in plan.http_listeners:
        served = [("vpc-lattice:Service", host.service_id) for host in plan.hosts_of(http)]
        owners[socket_name(http.name)] = [*owners.get(socket_name(http.name), ()), *served]
    for tls in plan.tls_listeners:
        owners[socket_name(tls.name)] = [*owners.get(socket_name(tls.name), ()), *(("vpc-lattice:Service", item.service_id) for item in tls.services)]
    for certificate in plan.certificates:
        if certificate.arn:
            owners[certificate.name] = [("vpc-lattice:Service", certificate.name.removeprefix("certificate-"))]
    for tcp in plan.tcp_listeners:
        owners[tcp.name] = [("vpc-lattice:ServiceNetworkResourceAssociation", tcp.association_id)]
        owners[tcp.resource_configuration_arn] = [("vpc-lattice:ResourceConfiguration", tcp.resource_configuration_arn)]
        owners |= {source_cluster(tcp, source): [("vpc-lattice:ResourceGateway", tcp.gateway_id)] for source in tcp.sources}
    owners |= {cluster.name: [("elbv2:LoadBalancer", cluster.load_balancer_id)] for cluster in plan.clusters if cluster.load_balancer_id}
    for checker in plan.health_checkers:
        owners |= {name: [("elbv2:LoadBalancer", checker.load_balancer_id)] for name in (checker.name, *(source.name for source in checker.sources))}
    for socket in plan.balancer_sockets:
        owners[socket.name] = [("elbv2:LoadBalancer", socket.load_balancer_id)]
        shown = {socket.certificate, *(name for choice in socket.choices for name in choice.certificates)} - {""}
        owners |= dict.fromkeys(shown, owners[socket.name])
    return owners
