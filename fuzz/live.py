"""Hostile connections to a real Envoy with the whole filter chain, for minutes, in HTTP/1.1 and HTTP/2.

The service lets only signed requests pass. What is checked stands at the target: whatever arrives there has been signed, just so, with a key that may, and says
who that was; and an honest request always arrives. Envoy must live, stay small and have no complaint of its filter; every line of its log must be readable.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from asking import ANN, WEB
from envoy_lab import NETWORK_ARN, REGION, SystemClock, plan, service_arn, virtual_host
from envoy_rig import INSTANCE, SERVICES, Rig, missing
from filter_plans import ALLOW_ALL, auth_key
from sigv4_machine import KeyFacts
from sigv4_requests import TOKEN, Draft, damaged, sign

from fuzz import http1, http2
from fuzz.hostile import Notary, forged, giant
from fuzz.target import Target
from latticewall.auth.canonical import Head, encoded_uri, generic_uri, s3_uri
from latticewall.base.faults import Fault
from latticewall.base.secret import Secret
from latticewall.compile.render.envoy import render
from latticewall.dataplane.authorization.applier import AuthorizationApplier
from latticewall.dataplane.authorization.tables import Tables
from latticewall.dataplane.envoy.server import XdsServer
from latticewall.plan.authorization import AuthIdentity, AuthLayer, AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.policy.document import Form
from latticewall.telemetry import access_log

__all__ = ["Tally", "missing", "run"]

MOST_FINDINGS = 10
MOST_MEMORY = 500 * 1024 * 1024
"""Resident bytes of Envoy; it begins with some 70 MiB."""
_AUTHORITY = "orders.example.com"
_SERVICE = "svc-orders"
_OPEN_AT_ONCE = 48
_SILENCE = 0.05
"""Seconds without a byte after which a hostile connection is given up; nobody waits for its answer."""
_PATIENCE = 20.0
"""Seconds an honest request may take on a busy machine."""
_ONLY_SIGNED = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",'
    '"Condition":{"StringNotEquals":{"aws:PrincipalType":"Anonymous"}}}]}'
)
_DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
_MAY = (KeyFacts("AKIALIVE000000000001", "bG9uZ3Rlcm0", region=REGION), KeyFacts("ASIALIVE000000000002", "c2Vzc2lvbg", _DIGEST, region=REGION))
_MAY_NOT = (KeyFacts("ASIALIVEEXPIRED00003", "ZXhwaXJlZA", _DIGEST, region=REGION), KeyFacts("AKIALIVEPOWERLESS004", "cG93ZXJsZXNz", region=REGION))
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PROPFIND", "PATCH")
"""Envoy reads no others in HTTP/1.1."""
_PATHS = ("/", "/orders/17/lines", "/a%20b", "/a//b/", "/api.parking/GetRates", "/caf%C3%A9", "/x~y", "/a;b=c", "/a+b", "/a:b@c")
_QUERIES = ("", "a=1", "b=2&a=1", "a&b=", "a=%20x", "a=b=c", "q=caf%C3%A9&lang=fr", "a=1&a=0", "t=2026-01-02T00%3A02%3A00Z")
_HEADERS = (("x-trace", "a  b"), ("x-amz-meta", "1,2"), ("accept", "text/plain"), ("x-amz-cf-id", 'x "y   z"'), ("zz-top", ""), ("a", "-" * 300))


@dataclass
class Tally:
    """What a run has seen."""

    seconds: float = 0.0
    connections: int = 0
    arrived: int = 0
    honest: int = 0
    log_lines: int = 0
    memory: int = 0
    """Envoy's resident bytes at their highest."""
    answers: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def summary(self) -> str:
        answers = ", ".join(f"{status} {count}" for status, count in self.answers.most_common())
        return (
            f"{self.connections} connections to Envoy in {self.seconds:.0f} s, {self.honest} of them honest; {self.arrived} requests reached the target;\n"
            f"  {self.log_lines} lines of the access log read; Envoy at most {self.memory / 2**20:.0f} MiB; answers: {answers}"
        )


def _plan() -> AuthorizationPlan:
    now = datetime.now(UTC)
    long_term, session, expired, powerless = (*_MAY, *_MAY_NOT)
    keys = (
        auth_key(long_term, ANN, "MAY"),
        auth_key(replace(session, expires=now + timedelta(hours=12)), WEB, "MAY"),
        auth_key(replace(expired, expires=now - timedelta(seconds=1)), WEB, "MAY"),
        auth_key(powerless, ANN, "MAY-NOT"),
    )
    return AuthorizationPlan(
        networks=(AuthLayer("sn-0a", NETWORK_ARN, "AWS_IAM", _ONLY_SIGNED),),
        services=(AuthLayer(_SERVICE, service_arn(_SERVICE), "AWS_IAM", _ONLY_SIGNED),),
        identities=(AuthIdentity("MAY", (ALLOW_ALL[Form.IDENTITY],)), AuthIdentity("MAY-NOT")),
        keys=keys,
    )


def _draft(source: Random, *, honest: bool) -> Draft:
    """A request as a client means it, to be signed now."""
    key = source.choice(_MAY if honest else (*_MAY, *_MAY_NOT))
    moment = datetime.now(UTC) - timedelta(seconds=source.choice((0, 1, 30, 119)))
    asked = source.choice(_METHODS), source.choice(_PATHS), source.choice(_QUERIES)
    draft = Draft(key, *asked, [], moment.strftime("%Y%m%dT%H%M%SZ"), region=REGION, authority=_AUTHORITY)
    draft.uri = source.choice((generic_uri, s3_uri, encoded_uri))
    draft.asymmetric, draft.presigned = source.random() < 0.1, source.random() < 0.1
    draft.region_set = REGION
    draft.token = TOKEN if key.token_digest else ""
    draft.headers = source.sample(_HEADERS, source.choice((0, 1, 2, 3)))
    draft.signed = [name for name, _ in draft.headers if name.startswith("x-amz-") or source.random() < 0.5]
    return draft


class Hostility:
    """What is sent next: the bytes, and whether it is honest. Everything that is signed is recorded first."""

    def __init__(self, source: Random, notary: Notary) -> None:
        self._source, self._notary = source, notary

    def next(self) -> tuple[bytes, bool]:
        source = self._source
        honest = source.random() < 0.1
        draft = _draft(source, honest=honest)
        head = sign(draft)
        self._notary.record(draft)
        newer = source.random() < 0.35
        if honest:
            return self._http2(head) if newer else http1.raw_of(head).plus(b"connection: close").written(), True
        how = source.random()
        if how < 0.4:
            shapes: dict[str, Callable[..., bytes]] = dict(http2.SHAPES) if newer else dict(http1.SHAPES)
            written = source.choice(list(shapes.values()))(source, http2.fields_of(head) if newer else http1.raw_of(head))
            return http2.opening() + written if newer else written, False
        if how < 0.65:
            head = forged(source, draft, head)
        elif how < 0.98:
            head = damaged(source, head)
        else:
            head = giant(source, head)
        return self._http2(head) if newer and self._has_authority(head) else http1.raw_of(head).written(), False

    @staticmethod
    def _has_authority(head: Head) -> bool:
        return any(name in ("host", ":authority") for name, _ in head.headers)

    @staticmethod
    def _http2(head: Head) -> bytes:
        return http2.opening() + http2.headers(http2.fields_of(head))


class Sockets:
    """Sockets of a namespace of the rig, handed out by a process in it."""

    def __init__(self, rig: Rig, namespace: str) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            script = str(Path(__file__).parent / "sockets.py")
            rig.spawn(namespace, [sys.executable, script, str(other.fileno())], pass_fds=(other.fileno(),))

    def ask(self, kind: str, address: str, port: int) -> socket.socket:
        """kind: listen or connect. Raises OSError."""
        self._channel.send(f"{kind} {address} {port}".encode())
        answer, descriptors, _, _ = socket.recv_fds(self._channel, 256, 1)
        if not descriptors:
            raise OSError(answer.decode())
        return socket.socket(fileno=descriptors[0])

    def close(self) -> None:
        self._channel.close()


def status_of(answer: bytes) -> str:
    """The status of the first answer on a connection, "closed" when there is none."""
    if answer.startswith(b"HTTP/1.1 "):
        return answer[9:12].decode("latin-1")
    for kind, _, _, payload in http2.frames(answer):
        if kind == http2.HEADERS:
            return str(http2.status_of(payload))
        if kind in (http2.GOAWAY, http2.RST_STREAM):
            return "refused by HTTP/2"
    return "closed" if not answer else "other"


class Live:
    """The rig, its tables, and the checks."""

    def __init__(self, folder: Path, seed: int, tally: Tally) -> None:
        self.tally, self.notary, self.random = tally, Notary(), Random(f"{seed}/live")
        self.rig = Rig(folder)
        self.xds = XdsServer(self.rig.sockets.xds)
        secrets = {key.id: Secret(key.secret) for key in (*_MAY, *_MAY_NOT)}
        self.applier = AuthorizationApplier(Tables(self.rig.tables), secrets.get, SystemClock())
        self.clients, self.servers = Sockets(self.rig, "i-client"), Sockets(self.rig, "i-target")
        self._names = {key.id: owner.arn for key, owner in zip(_MAY, (ANN, WEB), strict=True)}
        self._sent: dict[str, str] = {}
        self._log_read = 0

    def start(self) -> None:
        self.xds.start()
        self.applier.apply(NodePlan(1, (), (), (), ProxyPlan(), _plan(), NamesPlan(), ()))
        self.rig.start_envoy()
        self.xds.publish(render(plan(virtual_host(_SERVICE, (_AUTHORITY,), authorize=True)), self.rig.paths))
        outcome = self.xds.wait_settled(30)
        assert outcome.settled, outcome

    def close(self) -> None:
        self.clients.close()
        self.servers.close()
        self.rig.close()
        self.xds.stop()

    def found(self, text: str) -> None:
        self.tally.findings.append(text[:2000])

    # -- at the target -----------------------------------------------------------------------------------------------------------------------

    def arrived(self, head: Head) -> None:
        self.tally.arrived += 1
        try:
            known = self.notary.knows(head)
        except Fault as fault:
            self.found(f"arrived at the target, and is not signed: {fault}: {head}")
            return
        if not known:
            self.found(f"arrived at the target, and nobody signed it: {head}")
        identities = [value for name, value in head.headers if name == "x-amzn-lattice-identity"]
        claim = head.first("authorization") or head.target
        owners = [arn for key_id, arn in self._names.items() if key_id in claim]
        if len(identities) != 1 or not any(identities[0].startswith(f"Principal={arn};") for arn in owners):
            self.found(f"arrived at the target as {identities}: {head}")

    def broken(self, text: str) -> None:
        self.found(f"arrived at the target, and is no HTTP: {text}")

    # -- as a client -------------------------------------------------------------------------------------------------------------------------

    async def _one(self, hostility: Hostility) -> None:
        data, honest = hostility.next()
        loop = asyncio.get_running_loop()
        with self.clients.ask("connect", SERVICES, 80) as connection:
            connection.settimeout(0)
            answer = bytearray()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(loop.sock_sendall(connection, data), _PATIENCE)
                while piece := await asyncio.wait_for(loop.sock_recv(connection, 65536), _PATIENCE if honest else _SILENCE):
                    answer += piece
                    if honest and status_of(bytes(answer)) not in ("closed", "other"):
                        break
        status = status_of(bytes(answer))
        self.tally.connections += 1
        self.tally.answers[status] += 1
        if honest:
            self.tally.honest += 1
            if status != "200":
                self.found(f"an honest request is answered {status}: {data!r}")

    async def _until(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        listening = self.servers.ask("listen", INSTANCE, 8080)
        targets: list[Target] = []

        def serve() -> Target:
            targets.append(Target(self.arrived, self.broken))
            return targets[-1]

        server = await loop.create_server(serve, sock=listening)
        hostility = Hostility(self.random, self.notary)

        async def client() -> None:
            while time.monotonic() < end and len(self.tally.findings) < MOST_FINDINGS:
                await self._one(hostility)

        async def watch() -> None:
            while time.monotonic() < end and len(self.tally.findings) < MOST_FINDINGS:
                await asyncio.sleep(1)
                self.look()

        async with server:
            await asyncio.gather(watch(), *(client() for _ in range(_OPEN_AT_ONCE)))
        await asyncio.gather(*(target.end() for target in targets))

    def look(self) -> None:
        """Envoy lives, is small, and its log is readable."""
        assert self.rig.envoy is not None
        if self.rig.envoy.poll() is not None:
            self.found(f"envoy has ended with {self.rig.envoy.returncode}: {(self.rig.folder / 'envoy.log').read_text()[-1500:]}")
            return
        self.tally.memory = max(self.tally.memory, self._memory())
        if self.tally.memory > MOST_MEMORY:
            self.found(f"envoy uses {self.tally.memory} bytes")
        self._read_log()

    def _memory(self) -> int:
        """Of the process that `nsenter` has become."""
        assert self.rig.envoy is not None
        fields = Path(f"/proc/{self.rig.envoy.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def _read_log(self) -> None:
        """Whole lines since the last look; what has been read is given back to the disk."""
        file = Path(self.rig.paths.access_log)
        if not file.exists():
            return
        with file.open("rb") as lines:
            lines.seek(self._log_read)
            text = lines.read()
        whole = text[: text.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self.tally.log_lines += 1
            try:
                access_log.read(line.decode("utf-8", "surrogateescape"))
            except Exception as error:  # noqa: BLE001 - whatever it raises is what is looked for
                self.found(f"a line of the access log raises {type(error).__name__}: {error}: {line!r}")
        self._log_read += len(whole)
        subprocess.run(["fallocate", "--punch-hole", "--offset", "0", "--length", str(max(self._log_read, 1)), str(file)], check=False, capture_output=True)

    def complaints(self) -> Sequence[str]:
        """What Envoy logged as an error; warnings of refused connections are its work."""
        lines = (self.rig.folder / "envoy.log").read_text(errors="replace").splitlines()
        return [line for line in lines if "[error]" in line or "[critical]" in line]

    def attack(self, seconds: float) -> None:
        started = time.monotonic()
        asyncio.run(self._until(started + seconds))
        self.look()
        self.tally.seconds = time.monotonic() - started
        for line in self.complaints()[:3]:
            self.found(f"envoy complains: {line}")
        if not self.tally.honest or not self.tally.arrived:
            self.found("no honest request was made, so that nothing is shown")


def run(seconds: float, seed: int) -> Tally:
    """So many seconds of it; ends early when there is enough to look at."""
    tally = Tally()
    folder = Path(tempfile.mkdtemp(prefix="lw-", dir="/tmp"))
    live = Live(folder, seed, tally)
    try:
        live.start()
        live.attack(seconds)
    finally:
        live.close()
        shutil.rmtree(folder)
    return tally
