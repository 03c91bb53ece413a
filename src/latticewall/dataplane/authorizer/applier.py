"""Keeps the authorizer running and its file equal to the plan, with signing keys derived for the days around now."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc

from latticewall.auth.lattice import SERVICE
from latticewall.auth.sigv4 import derive_signing_key
from latticewall.base.ports import Clock
from latticewall.base.secret import Secret
from latticewall.dataplane.authorizer import config
from latticewall.dataplane.authorizer.decisions import region_of
from latticewall.dataplane.authorizer.service import STATUS_METHOD
from latticewall.dataplane.processes import Processes
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import AuthorizationPlan
from latticewall.reconcile.applier import Report

WAIT_SECONDS = 10.0
_DAYS = (-1, 0, 1)
"""Yesterday's keys for requests signed just before midnight, tomorrow's so that midnight needs nobody."""
_IMPATIENT = tuple((f"grpc.{name}_reconnect_backoff_ms", 20) for name in ("initial", "min", "max"))
"""A process that is only starting is asked again at once, not after gRPC's usual second."""


class NotInForce(RuntimeError):
    """The authorizer does not decide from the plan's configuration (yet)."""


class AuthorizerApplier:
    """secrets: access key id -> secret access key, None for one that is unknown; it is asked once per key and day, and only derived keys are kept.

    folder: where the file and the socket are (/run/latticewall).
    """

    name = "authorizer"

    def __init__(self, processes: Processes, secrets: Callable[[str], Secret | None], clock: Clock, folder: Path) -> None:
        self._processes = processes
        self._secrets = secrets
        self._clock = clock
        self._file = folder / "authz.json"
        self._socket = folder / "authz.sock"
        self._derived: dict[tuple[str, str, str], bytes] = {}

    def apply(self, plan: NodePlan) -> Report:
        """Raises NotInForce (or HolderError) when the process does not take the configuration in time: then nothing of this revision is settled."""
        text = config.dump(config.Configuration(plan.authorization, self._keys(plan.authorization)))
        written = self._write(text)
        running = self._processes.list().get(self.name)
        process = self._processes.ensure(self._process())
        started = running is None or running.pid != process.pid
        self.wait_applied(config.digest(text), WAIT_SECONDS)
        return Report(changed=int(written) + int(started))

    def _process(self) -> dict[str, Any]:
        argv = [sys.executable, "-m", "latticewall.dataplane.authorizer", "--config", str(self._file), "--socket", str(self._socket)]
        return {"name": self.name, "argv": argv}

    def _keys(self, plan: AuthorizationPlan) -> config.SigningKeys:
        """For every principal, the days around now and every region that services lie in. Keys of earlier applications are carried over."""
        now = self._clock.now()
        days = [(now + timedelta(days=offset)).strftime("%Y%m%d") for offset in _DAYS]
        regions = sorted({region_of(layer.arn) for layer in plan.services})
        known, self._derived = self._derived, {}
        keys: dict[str, dict[str, bytes]] = {}
        for principal in plan.principals:
            wanted = [(principal.access_key_id, day, region) for day in days for region in regions]
            secret = self._secrets(principal.access_key_id) if any(scope not in known for scope in wanted) else None
            for key_id, day, region in wanted:
                key = known.get((key_id, day, region)) or (derive_signing_key(secret.reveal(), day, region, SERVICE) if secret is not None else None)
                if key is not None:
                    self._derived[(key_id, day, region)] = key
                    keys.setdefault(key_id, {})[config.scope(day, region)] = key
        return keys

    def _write(self, text: str) -> bool:
        """Replace the file in one step, readable by its owner only; False when it is already so."""
        try:
            if self._file.read_text() == text:
                return False
        except FileNotFoundError:
            pass
        new = self._file.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        new.replace(self._file)
        return True

    def wait_applied(self, digest: str, timeout: float) -> None:
        """Return when the authorizer decides from the configuration of that digest. timeout: seconds. Raises NotInForce."""
        deadline = time.monotonic() + timeout
        with grpc.insecure_channel(f"unix:{self._socket}", options=_IMPATIENT) as channel:
            try:
                answer: bytes = channel.unary_unary(STATUS_METHOD)(b"", timeout=max(deadline - time.monotonic(), 0.1), wait_for_ready=True)
            except grpc.RpcError as error:
                raise NotInForce(f"the authorizer does not answer within {timeout:g} s: {error}") from error
        if answer.decode() != digest:
            raise NotInForce(f"the authorizer decides from configuration `{answer.decode()[:12]}`, not from `{digest[:12]}`: its log says why")
