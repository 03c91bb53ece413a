"""A region with 1,000 services that have an auth policy of 10 KB each and 10,000 sessions of 200 roles: memory, rounds, and how soon a change is in force.

`python -m bench.scale [CHANGES]` prints it for the given number of changes of each sort.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import IO, Any

import boto3

from bench.architecture import Architecture, build
from bench.authorization import TRUST
from bench.many import policy, store_many, store_session
from bench.plain_envoy import upstream_script
from bench.region import Region
from bench.signed import signed_request, write, wrk
from bench.table import Figure, Section, skipped
from latticewall.auth.sigv4 import Credentials
from latticewall.base.secret import Secret
from latticewall.faces.cli.commands.status import resident_bytes

SERVICES, SESSIONS = 1000, 10_000
CHANGES = 10
_LOAD_SECONDS = 15
_EXPIRED_AFTER = 3
_PATIENCE = 20.0
_NAME = "bench-caller-at-scale"
_PROBE = """
import select, socket, sys, time
connection = socket.create_connection((sys.argv[1], 80), 5)
answers, request = connection.makefile("rb"), b""
while True:
    if not request or select.select([sys.stdin], [], [], 0)[0]:
        request = bytes.fromhex(sys.stdin.readline())
    started = time.monotonic()
    connection.sendall(request)
    status, length = answers.readline().split()[1].decode(), 0
    while (line := answers.readline().lower()) != b"\\r\\n":
        name, _, value = line.partition(b":")
        length = int(value) if name == b"content-length" else length
    answers.read(length)
    print(started, status, flush=True)
    time.sleep(0.001)
"""
"""One connection for all it sends; it ends, and the measurement with it, when that is closed. Each line it is given is a request, sent until the next."""
_ALLOW = {"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}
_DENY = {"Effect": "Deny", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}

Times = dict[str, list[float]]
"""By change: seconds until it was in force."""


def scale(region: Region, built: Architecture, folder: Path, changes: int = CHANGES, services: int = SERVICES, sessions: int = SESSIONS) -> Section:
    """changes: how many of each sort are timed, at the size of `built` and at the large one."""
    how = (
        f"{services} services with an auth policy of 10 KB each, {sessions} sessions of 200 roles, beside a region with one of each. Memory after every "
        "policy and every key was used. A change: from the beginning of the API call to the beginning of the first request, on a connection that was "
        f"open all the time, that is answered accordingly, {changes} times; an expired session: from the second at which it ends."
    )
    if shutil.which("wrk") is None:
        return Section("Scale", how, (skipped("memory, rounds, changes", "", "wrk is not installed"),))
    caller = _Caller(region, built)
    few, few_rounds = _times(caller, built.api, built.service, changes), _rounds(caller, built.service)
    before = _memory(region)
    many = store_many(region.state, built.service, caller.session.access_key_id, services, sessions)
    caller.wake()
    first = region.settle(120)
    requests = [signed_request(many.hosts[index % services], f"/open/{index}", own) for index, own in enumerate(many.credentials)]
    write(folder / "many", requests)
    wrk(region, built.instances["client"], f"http://{built.api}/", folder / "many", _LOAD_SECONDS)
    after = _memory(region)
    rounds, written = _rounds(caller, many.services[0]), _written(caller, many.services[0])
    times = _times(caller, many.hosts[0], many.services[0], changes)
    name = "one service"
    figures = [
        Figure("memory of Envoy", after, "MiB", before, name),
        Figure("first round after all of it was stored at once", first * 1000, "ms"),
        *(Figure(what, rounds[what], "ms", few_rounds[what], name) for what in rounds),
        Figure("tables written for one changed policy", written, "files", 1, "one policy"),
    ]
    for what in times:
        figures.append(Figure(f"{what}: median", median(times[what]) * 1000, "ms", median(few[what]) * 1000, name))
        figures.append(Figure(f"{what}: 99th of 100", _p99(times[what]) * 1000, "ms", _p99(few[what]) * 1000, name))
    return Section("Scale", how, tuple(figures))


def _p99(times: list[float]) -> float:
    return sorted(times)[math.ceil(0.99 * len(times)) - 1]


def _memory(region: Region) -> float:
    return (resident_bytes(region.pid("envoy")) or 0) / 2**20


def _rounds(caller: _Caller, service: str, count: int = 5) -> dict[str, float]:
    """Milliseconds of a round, as the loop measures itself."""
    region, found = caller.region, {}
    put = caller.put_policy(service)
    changes: dict[str, Callable[[int], Any]] = {"a round without a change": lambda _: caller.wake(), "a round with a changed policy": put}
    for what, change in changes.items():
        taken = []
        for number in range(count):
            change(number)
            region.settle()
            taken.append(region.status()["round_seconds"] * 1000)
        found[what] = median(taken)
    return found


def _written(caller: _Caller, service: str) -> int:
    """Files of the proxy's tables that are others after one changed policy."""
    tables = Path(f"/proc/{caller.region.holder}/root/run/authorization")

    def state() -> set[tuple[str, int]]:
        return {(str(file), file.stat().st_ino) for kind in ("networks", "services", "identities", "keys") for file in (tables / kind).iterdir()}

    put = caller.put_policy(service)
    put(0)
    caller.region.settle()
    before = state()
    put(1)
    caller.region.settle()
    return len(state() - before)


# -- who calls, and what is changed -----------------------------------------------------------------------------------------------------


@dataclass
class _Caller:
    """A role in a member account with a session, and a user with an access key, who may call what the service network carries."""

    region: Region
    built: Architecture

    def __post_init__(self) -> None:
        region, lattice = self.region, self.region.client("vpc-lattice")
        self.organizations = region.client("organizations")
        self.account = self._member()
        self.iam, self.own_iam = self._client("iam"), region.client("iam")
        self.role = self.iam.create_role(RoleName=_NAME, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        self.permit()
        self.own_iam.create_user(UserName=_NAME)
        self.own_iam.put_user_policy(UserName=_NAME, PolicyName="call", PolicyDocument=_document(_ALLOW))
        lattice.update_service_network(serviceNetworkIdentifier=self.built.network, authType="AWS_IAM")
        lattice.update_service(serviceIdentifier=self.built.service, authType="AWS_IAM")
        everything = _document({**_ALLOW, "Principal": "*"})
        lattice.put_auth_policy(resourceIdentifier=self.built.network, policy=everything)
        self.session = _credentials(region.client("sts").assume_role(RoleArn=self.role, RoleSessionName="bench")["Credentials"])
        self.put_policy(self.built.service)(1)
        region.settle()

    def _member(self) -> str:
        made = self.organizations
        with suppress(made.exceptions.AlreadyInOrganizationException):
            made.create_organization()
        root = made.list_roots()["Roots"][0]
        if not root["PolicyTypes"]:
            made.enable_policy_type(RootId=root["Id"], PolicyType="SERVICE_CONTROL_POLICY")
        self.denying = made.create_policy(Content=_document(_DENY), Description="", Name=_NAME, Type="SERVICE_CONTROL_POLICY")["Policy"]["PolicySummary"]["Id"]
        account: str = made.create_account(AccountName=_NAME, Email="bench@example.com")["CreateAccountStatus"]["AccountId"]
        return account

    def _client(self, service: str) -> Any:
        """In the member account."""
        role = f"arn:aws:iam::{self.account}:role/OrganizationAccountAccessRole"
        given = self.region.client("sts").assume_role(RoleArn=role, RoleSessionName="bench")["Credentials"]
        return boto3.client(
            service, region_name=self.region.name, endpoint_url=self.region.session.endpoint, aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"], aws_session_token=given["SessionToken"],
        )  # fmt: skip

    def wake(self) -> None:
        """A revision that nothing of the data plane follows from."""
        self.region.client("ec2").create_tags(Resources=[self.built.vpcs["clients"]], Tags=[{"Key": "round", "Value": str(time.monotonic())}])

    def put_policy(self, service: str) -> Callable[[int], Any]:
        """Puts a policy of 10 KB: one that lets the caller pass for odd numbers."""
        lattice = self.region.client("vpc-lattice")
        arn = lattice.get_service(serviceIdentifier=service)["arn"]
        texts = [policy(arn, [self.role], number, denied=number == 0) for number in (0, 1)]
        return lambda number: lattice.put_auth_policy(resourceIdentifier=service, policy=texts[number % 2])

    def permit(self) -> None:
        self.iam.put_role_policy(RoleName=_NAME, PolicyName="call", PolicyDocument=_document(_ALLOW))

    def forbid(self) -> None:
        self.iam.delete_role_policy(RoleName=_NAME, PolicyName="call")

    def new_key(self) -> Credentials:
        """Of the user."""
        made = self.own_iam.create_access_key(UserName=_NAME)["AccessKey"]
        return Credentials(made["AccessKeyId"], Secret(made["SecretAccessKey"]))


def _credentials(given: dict[str, Any]) -> Credentials:
    return Credentials(given["AccessKeyId"], Secret(given["SecretAccessKey"]), Secret(given["SessionToken"]))


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# -- how soon -----------------------------------------------------------------------------------------------------------------------------


class _Probe:
    """A client in the region that sends one signed request after another over one connection."""

    def __init__(self, region: Region, host: str, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._region, self._host = region, host
        self._orders: IO[str] = process.stdin
        self._answers: IO[str] = process.stdout

    def send_as(self, credentials: Credentials) -> None:
        self._orders.write(signed_request(self._host, "/open/x", credentials).encode().hex() + "\n")
        self._orders.flush()

    def seconds(self, call: Callable[[], Any], status: str) -> float:
        """From the beginning of the call, with the region at rest, until the first request with that status."""
        self._region.settle()
        called = time.monotonic()
        call()
        return self.first(status, called) - called

    def first(self, status: str, after: float) -> float:
        """When the first request after that moment began which was answered with the status."""
        for line in self._answers:
            began, given = line.split()
            if float(began) >= after and given == status:
                return float(began)
            if float(began) > after + _PATIENCE:
                break
        raise RuntimeError(f"no answer with status {status} within {_PATIENCE} s, or the connection was closed")


@contextmanager
def _probe(caller: _Caller, host: str) -> Iterator[_Probe]:
    command = caller.region.inside(caller.built.instances["client"], "python3", "-c", _PROBE, caller.built.api)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield _Probe(caller.region, host, process)
    finally:
        process.kill()
        process.communicate()


def _times(caller: _Caller, host: str, service: str, changes: int) -> Times:
    """Each change so many times, with its contrary in between."""
    found: Times = {}
    target = {"PolicyId": caller.denying, "TargetId": caller.account}
    put = caller.put_policy(service)
    pairs: dict[tuple[str, str], tuple[Callable[[], Any], Callable[[], Any]]] = {
        ("PutAuthPolicy that denies", "PutAuthPolicy that allows"): (lambda: put(0), lambda: put(1)),
        ("DeleteRolePolicy", "PutRolePolicy"): (caller.forbid, caller.permit),
        ("AttachPolicy of a service control policy", "DetachPolicy"): (
            lambda: caller.organizations.attach_policy(**target), lambda: caller.organizations.detach_policy(**target),
        ),
    }  # fmt: skip
    with _probe(caller, host) as probe:
        put(1)
        probe.send_as(caller.session)
        probe.first("200", time.monotonic())
        for (forbids, permits), (forbid, permit) in pairs.items():
            for _ in range(changes):
                found.setdefault(forbids, []).append(probe.seconds(forbid, "403"))
                found.setdefault(permits, []).append(probe.seconds(permit, "200"))
        found |= _key_times(caller, probe, changes)
        found["a session that expires"] = [_expiry(caller, probe) for _ in range(max(1, changes // 5))]
    return found


def _key_times(caller: _Caller, probe: _Probe, changes: int) -> Times:
    iam = caller.own_iam
    inactive, deleted = [], []
    for _ in range(changes):
        key = caller.new_key()
        caller.region.settle()
        probe.send_as(key)
        probe.first("200", time.monotonic())
        named = {"UserName": _NAME, "AccessKeyId": key.access_key_id}
        inactive.append(probe.seconds(lambda named=named: iam.update_access_key(**named, Status="Inactive"), "403"))  # type: ignore[misc]
        probe.seconds(lambda named=named: iam.update_access_key(**named, Status="Active"), "200")  # type: ignore[misc]
        deleted.append(probe.seconds(lambda named=named: iam.delete_access_key(**named), "403"))  # type: ignore[misc]
    return {"UpdateAccessKey, Inactive": inactive, "DeleteAccessKey": deleted}


def _expiry(caller: _Caller, probe: _Probe) -> float:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=_EXPIRED_AFTER)
    credentials = store_session(caller.region.state, caller.session.access_key_id, ends)
    caller.wake()
    caller.region.settle()
    probe.send_as(credentials)
    moment = time.monotonic() + (ends - datetime.now(UTC)).total_seconds()
    probe.first("200", time.monotonic())
    return probe.first("403", moment) - moment


def main(arguments: list[str]) -> int:
    folder = Path(tempfile.mkdtemp(prefix="lw-scale-"))
    region = Region(folder / "state")
    try:
        region.up()
        section = scale(region, build(region, {"server": upstream_script()}), folder, *map(int, arguments))
    finally:
        region.down("--purge")
        shutil.rmtree(folder, ignore_errors=True)
    for figure in section.figures:
        ratio = f"{figure.ratio:.2f} x {figure.peer:,.1f} ({figure.peer_name})" if figure.ratio is not None else ""
        print(f"{figure.what}: {figure.value:,.1f} {figure.unit} {ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
