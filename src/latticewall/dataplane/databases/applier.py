"""The databases part of a plan: servers that run, and in each the master user, his password, and the database it was made with."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping, Set
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from latticewall.auth.certificate_authority import is_to_renew
from latticewall.base.reasons import reason
from latticewall.base.secret import Secret
from latticewall.dataplane.confinement import is_mapped
from latticewall.dataplane.databases.programs import PACKAGE, Release, releases
from latticewall.dataplane.databases.server import OWNER, SOCKET, user_of
from latticewall.dataplane.databases.session import NotReady, Refused, Session, identifier, literal
from latticewall.dataplane.processes import HolderError, Processes, Running
from latticewall.plan.databases import DatabasePlan
from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Failure, Report

PREFIX = "db-"
START_SECONDS = 120.0
"""How long a server may take to answer, its recovery after a crash included; afterwards it is said to have failed, and looked at again all the same."""
FRESH_SECONDS = 5.0
"""How long an answer of a server counts."""
HUNG_SECONDS = 60.0
"""After so long without an answer a server that has answered before is ended, and the holder starts it again."""
ATTEMPTS = 3
"""Starts that may fail one after the other before that is said of the database."""
FIRST_WITH_FORCED_TLS = 15
"""The first major version whose `rds.force_ssl` is on by default ("Requiring an SSL connection to a PostgreSQL DB instance")."""
SETTINGS = {"shared_buffers": "32MB", "huge_pages": "off"}
_SUPERUSER = "rds_superuser"
_GRANTED = ("pg_monitor", "pg_signal_backend", "pg_checkpoint")
"""What the master user may have of PostgreSQL's own roles, where the version has them."""

_LAST_WORDS = re.compile(r"(?:FATAL|PANIC|cannot start).*")

Certificate = Callable[[str], tuple[str, Secret]]
"""Host name -> certificate with its chain (PEM), and key."""


class DatabasesApplier:
    """Servers of all databases. state: S/databases, with a folder per database that keeps its files; run: the folder for their sockets, and logs: S/logs."""

    name = "databases"

    def __init__(self, processes: Processes, state: Path, run: Path, logs: Path, certificate: Certificate) -> None:
        self._processes = processes
        self._state = state
        self._run = run
        self._logs = logs
        self._certificate = certificate
        self._answered: dict[str, tuple[DatabasePlan, int, float]] = {}
        self._silent: dict[str, tuple[int, float]] = {}
        """The process that does not answer, and since when that is known, in monotonic seconds."""
        self._restarts: dict[str, int] = {}
        """How often the holder had started it again when it last answered, or was seen first."""

    def apply(self, plan: NodePlan) -> Report:
        try:
            before = {name: process for name, process in self._processes.list().items() if name.startswith(PREFIX)}
        except HolderError as error:
            return Report(0, tuple(_failure(server, str(error)) for server in plan.databases))
        report = self._stop(before.keys() - {server.id for server in plan.databases})
        installed = {release.major: release for release in releases()} if plan.databases else {}
        for server in plan.databases:
            try:
                report += self._apply(server, installed, before.get(server.id))
            except (HolderError, Refused, OSError, ValueError) as error:
                report += Report(0, (_failure(server, reason(error)),))
        return report

    def forget(self, kept: Collection[str]) -> None:
        """Remove the files of databases that are no longer known."""
        for folder in self._state.iterdir() if self._state.exists() else ():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    # -- one server -------------------------------------------------------------------------------------------------------------------

    def _apply(self, server: DatabasePlan, installed: Mapping[int, Release], known: Running | None) -> Report:
        release = installed.get(server.major)
        if release is None:
            return Report(0, (_failure(server, f"PostgreSQL {server.major} is not installed on this machine: install `{PACKAGE}-{server.major}`"),))
        changed = False if self._is_fresh(server, known) else self._configure(server)
        process = self._processes.ensure(self._spec(server, release))
        if self._is_fresh(server, process):
            return Report()
        restarted = known is None or known.pid != process.pid or known.state != process.state
        if process.state == "stopping":  # the one before it has not ended yet
            return Report(int(restarted), awaited=(server.id,))
        if process.state != "running":
            return Report(int(restarted)) + self._not_ready(server, process, process.exit)
        try:
            with Session(self._run / server.id / f"{SOCKET}{server.port}", OWNER) as session:
                changed |= self._prepare(server, session)
        except NotReady as error:
            return Report(int(restarted)) + self._not_ready(server, process, str(error))
        self._answered[server.id] = (server, process.pid, time.monotonic())
        self._silent.pop(server.id, None)
        self._restarts[server.id] = process.restarts
        return Report(int(changed or restarted))

    def _is_fresh(self, server: DatabasePlan, process: Running | None) -> bool:
        """Whether this process has answered lately, with nothing else wanted of it: rounds come with every change of anything."""
        wanted, pid, at = self._answered.get(server.id, (None, 0, 0.0))
        running = process is not None and process.state == "running" and process.pid == pid
        return running and wanted == server and time.monotonic() - at < FRESH_SECONDS

    def _not_ready(self, server: DatabasePlan, process: Running, reason: str) -> Report:
        """Whether to wait, to have it started again, or to say that it has failed."""
        now = time.monotonic()
        pid, since = self._silent.get(server.id, (0, now))
        self._silent[server.id] = process.pid, since if pid == process.pid else now
        silent = now - self._silent[server.id][1]
        _, answered, _ = self._answered.get(server.id, (None, 0, 0.0))
        if answered == process.pid and silent > HUNG_SECONDS:
            self._processes.signal(server.id, "KILL")
        if process.restarts - self._restarts.setdefault(server.id, process.restarts) >= ATTEMPTS or silent > START_SECONDS:
            return Report(0, (_failure(server, f"its server does not start: {self._last_words(server) or reason}"),))
        return Report(awaited=(server.id,))

    def _spec(self, server: DatabasePlan, release: Release) -> dict[str, object]:
        folder = self._state / server.id
        places = {
            "programs": release.folder, "files": folder / "files", "configuration": folder / "configuration", "sockets": self._run / server.id,
            "root": folder / "root",
        }  # fmt: skip
        argv = [sys.executable, "-P", "-m", "latticewall.dataplane.databases.server", "--name", server.id, "--port", str(server.port)]
        argv += [word for name, place in places.items() for word in (f"--{name}", str(place))]
        argv += [word for name, value in SETTINGS.items() for word in ("--setting", f"{name}={value}")]
        return {"name": server.id, "argv": argv, "netns": server.namespace, "key": server.boot, "stop_seconds": 8.0}

    def _configure(self, server: DatabasePlan) -> bool:
        """Who may log in from where, and the certificate. The server's user may read these files and no more."""
        folder, user = self._state / server.id / "configuration", user_of(server.id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o755)  # the server's user looks into it; the folder above is nobody's but the region's
        changed = _write(folder / "pg_hba.conf", _client_authentication(server), user)
        certificate = folder / "certificate.pem"
        if not certificate.exists() or is_to_renew(x509.load_pem_x509_certificate(certificate.read_bytes()), datetime.now(UTC)):
            text, key = self._certificate(server.name)
            changed |= _write(folder / "key.pem", key.reveal(), user) | _write(certificate, text, user)
            self._processes.signal(server.id, "HUP")
        return changed

    def _prepare(self, server: DatabasePlan, session: Session) -> bool:
        """The master user and the first database, the first time; his password whenever the plan has another. What users do in SQL stays as they did it."""
        file = self._state / server.id / "applied.json"
        digest = hashlib.sha256(server.verifier.reveal().encode()).hexdigest()
        applied = json.loads(file.read_text()) if file.exists() else {}
        if applied.get("password") == digest:
            return False
        master, password = identifier(server.master), literal(server.verifier.reveal())
        if not applied:
            self._first(server, session)
        session.query(f"ALTER ROLE {master} WITH PASSWORD {password}")
        _write(file, json.dumps({"password": digest}), None)
        return True

    def _first(self, server: DatabasePlan, session: Session) -> None:
        """May be repeated: whatever of it is there already stays."""
        roles, databases = ({str(name) for (name,) in session.query(f"SELECT {one}")} for one in ("rolname FROM pg_roles", "datname FROM pg_database"))
        master = identifier(server.master)
        if _SUPERUSER not in roles:
            session.query(f"CREATE ROLE {_SUPERUSER} NOLOGIN")
        for role in _GRANTED:
            if role in roles:
                session.query(f"GRANT {role} TO {_SUPERUSER} WITH ADMIN OPTION")
        if server.master not in roles:
            session.query(f"CREATE ROLE {master} LOGIN CREATEDB CREATEROLE IN ROLE {_SUPERUSER}")
        session.query(f"ALTER DATABASE postgres OWNER TO {master}")
        if server.initial and server.initial not in databases:
            session.query(f"CREATE DATABASE {identifier(server.initial)} OWNER {master}")

    def _last_words(self, server: DatabasePlan) -> str:
        try:
            lines = (self._logs / f"{server.id}.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        found = (_LAST_WORDS.search(line) for line in reversed(lines[-20:]))
        return next((match[0] for match in found if match), "")[:500]

    def _stop(self, names: Set[str]) -> Report:
        if not names:
            return Report()
        try:
            left = self._processes.remove_all(names)
        except HolderError as error:
            return Report(0, tuple(Failure("rds:DBInstance", name, str(error)) for name in sorted(names)))
        for name in names - left:
            shutil.rmtree(self._run / name, ignore_errors=True)
        return Report(len(names) - len(left), tuple(Failure("rds:DBInstance", name, "its server does not end") for name in sorted(left)))


def _client_authentication(server: DatabasePlan) -> str:
    """pg_hba.conf: the region itself by the unix socket, everyone else by password. A connection without TLS is refused where RDS refuses it by default."""
    kind = "hostssl" if server.major >= FIRST_WITH_FORCED_TLS else "host"
    return f"local all {OWNER} trust\nhost all {OWNER} all reject\n{kind} all all all scram-sha-256\n"


def _write(file: Path, text: str, user: int | None) -> bool:
    """Whether the file was not so already. user: who may read it."""
    try:
        if file.read_text() == text:
            return False
    except FileNotFoundError:
        pass
    draft = file.with_name(f"{file.name}.{time.monotonic_ns()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    if user is not None and is_mapped(user):
        os.chown(draft, user, user)
    draft.replace(file)
    return True


def _failure(server: DatabasePlan, message: str) -> Failure:
    return Failure("rds:DBInstance", server.id, message)
