"""latticewall's own requests, below /_latticewall/: what the AWS APIs have no words for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from latticewall.app import App
from latticewall.auth.authorization_message import KIND as MESSAGE_KEY
from latticewall.auth.callers import root
from latticewall.base.faults import Denied, Invalid, Unavailable
from latticewall.control_plane.policy_tests import PolicyTests
from latticewall.faces.http import UnknownInner
from latticewall.reconcile.loop import Loop

_SPARE = 64 << 10
"""Bytes below which a disk counts as full."""


class InnerRequests:
    """Answers for the endpoint's inner requests. processes: lists the holder's processes (name, pid, state, restarts, ...). state: the region's folder."""

    def __init__(
        self, app: App, loop: Loop, account: str, region: str, processes: Callable[[], list[dict[str, Any]]], state: Path, *, open_mode: bool
    ) -> None:
        self._app = app
        self._loop = loop
        self._account = account
        self._region = region
        self._processes = processes
        self._state = state
        self._open_mode = open_mode
        self._answers: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "health": self.health,
            "metrics": lambda _: self.metrics(),
            "status": self.status,
            "call": self.call,
            "plan": self.plan,
            "wait": self.wait,
            "instances": self.instances,
            "counters": self.counters,
            "explain": self.explain,
            "policy-tests": PolicyTests(app, account, region),
            "reset": self.reset,
        }
        self.has_nothing: Callable[[str], bool] = lambda _: False
        """Whether a process has not acknowledged anything yet."""
        self.read_counters: Callable[[str], dict[str, tuple[int, int]]] = lambda _: {}
        self.metrics: Callable[[], str] = lambda: ""
        """Prometheus's text of what has been measured."""
        self.explainer: Callable[[Mapping[str, Any]], Any] | None = None

    def __call__(self, path: str, params: Mapping[str, Any]) -> Any:
        """Raises UnknownInner, and Invalid for parameters that are missing or of another kind."""
        if path not in self._answers:
            raise UnknownInner
        return self._answers[path](params)

    def health(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Whether the region serves, for load balancers and impatient scripts."""
        services = dict.fromkeys(self._app.registry.services, "available")
        return {"status": "ok" if not self._errors() else "degraded", "services": services}

    def status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Processes with pid, state and the revision each has applied; the revision stored and the revision applied; what fails and why."""
        progress = self._loop.progress
        applied = progress.applied_revision
        return {
            "account": self._account,
            "region": self._region,
            "open": self._open_mode,
            "control_plane_pid": os.getpid(),
            "revision": self._app.store.revision,
            "applied_revision": applied,
            "round_seconds": round(progress.round_seconds, 3),
            "processes": [{**process, "revision": None if self.has_nothing(process["name"]) else applied} for process in self._processes()],
            "failures": [{"id": resource, "message": message} for resource, message in sorted(progress.failures.items())],
            "errors": self._errors(),
        }

    def _errors(self) -> dict[str, str]:
        """What is wrong with parts of the region, rather than with a resource."""
        return {**self._loop.progress.errors, **({"disk": reason} if (reason := disk_error(self._state)) else {})}

    def call(self, params: Mapping[str, Any]) -> Any:
        """An operation as the region's administrator: {"operation": "ec2:DescribeVpcs", "params": {...}, "region"?, "account"?}."""
        caller = root(_given(params, "account", str) or self._account, _given(params, "region", str) or self._region)
        return self._app.call(caller, _text(params, "operation"), _given(params, "params", dict) or {})

    def plan(self, _: Mapping[str, Any]) -> Any:
        """The plan the node has, without access keys."""
        plan = self._loop.plan
        return _plain(plan) if plan else None

    def wait(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Wait until the newest (or a given) revision is applied: {"revision"?, "timeout"?} -> {"applied": bool}."""
        revision = _given(params, "revision", int) or self._app.store.revision
        return {"applied": self._loop.wait_applied(revision, min(_given(params, "timeout", int, float) or 30, 120)), "revision": revision}

    def instances(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Instances with the pid of their init, for `exec`."""
        pids = {process["name"]: process["pid"] or None for process in self._processes() if process["kind"] == "instance"}
        with self._app.store.read() as snapshot:
            rows = snapshot.rows("ec2:Instance")
        return [
            {"id": row.id, "name": row.tags.get("Name", ""), "region": row.region, "status": row.status, "pid": pids.get(row.id),
             "address": row.document.get("PrivateIpAddress", "")}
            for row in rows
            if row.status != "deleted"
        ]  # fmt: skip

    def counters(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Packet and byte counters of a router, firewall or Transit Gateway namespace: {"namespace": "tgw-..."}."""
        return {name: {"packets": packets, "bytes": size} for name, (packets, size) in self.read_counters(_text(params, "namespace")).items()}

    def explain(self, params: Mapping[str, Any]) -> Any:
        """Why a request was, or would be, allowed or denied: see control_plane.explaining."""
        if self.explainer is None:
            raise Unavailable("this process explains nothing")
        return self.explainer(params)

    def reset(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Forget every resource (open mode only), but not what the region made for itself at its start."""
        if not self._open_mode:
            raise Denied("reset is only for regions started with --open", code="AccessDenied")
        with self._app.store.write("latticewall", "reset") as tx:
            tx.objects.clear()
            tx.pending.clear()
            tx.metrics.clear()
            for row in tx.rows():
                if row.kind != MESSAGE_KEY and not row.document.get("_administrator"):
                    tx.delete(row)
        return {"status": "reset"}


def _given(params: Mapping[str, Any], name: str, *kinds: type) -> Any:
    """A parameter, None when it is not given. Raises Invalid when it is none of these kinds of values."""
    value = params.get(name)
    if value is not None and type(value) not in kinds:
        raise Invalid(f"`{name}` cannot be a {type(value).__name__}")
    return value


def _text(params: Mapping[str, Any], name: str) -> str:
    """A parameter that must be there."""
    value = _given(params, name, str)
    if not value:
        raise Invalid(f"`{name}` is missing")
    return str(value)


def _plain(value: Any) -> Any:
    """A plan as JSON; secrets print as [redacted]."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def disk_error(folder: Path) -> str:
    """Why nothing more can be stored in a folder; empty when it can. Space is asked for, not computed: quotas and reserves differ by user."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".space-") as file:
            os.posix_fallocate(file.fileno(), 0, _SPARE)
    except OSError as error:
        return f"{folder} takes no more files ({error.strerror}): changes are refused, and records of access, alert and flow logs are lost until it does"
    return ""
