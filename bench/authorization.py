"""What deciding about every request costs: signature and three layers of policies inside Envoy, beside plain Envoy and beside external authorization."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.architecture import Architecture
from bench.cores import core_of_their_own
from bench.inside import inside
from bench.paced_client import TURN as TURN_SECONDS
from bench.plain_envoy import PlainEnvoy
from bench.processor import processor_seconds
from bench.region import Region
from bench.signed import CONNECTIONS, paced, write_requests, wrk
from bench.table import Figure, Section, skipped
from latticewall.auth.sigv4 import Credentials
from latticewall.base.secret import Secret

ROUNDS = 5
SECONDS = 3
REQUESTS = 10_000
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})


def authorization(region: Region, built: Architecture, peer: PlainEnvoy, folder: Path) -> Section:
    """Every request is signed beforehand with a signature of its own; all contestants are sent the same bytes."""
    names = {
        "plain": "plain Envoy, no filter",
        "none": "service network, auth type NONE",
        "signed": "service network, signature and three layers of policies",
        "asking": "the same listener, external authorization that always allows",
    }
    how = (
        f"wrk, one thread, {CONNECTIONS} kept connections, {REQUESTS} signed requests over and over, {ROUNDS} rounds of {SECONDS} s each in turn, the median, "
        "auth type NONE in turn with plain Envoy again; "
        "the network's policy asks for the organization, the service's for role, path and method, the role's identity policy allows. The external "
        "authorizer is an Envoy that answers 200 by itself. Latency: requests at even intervals whatever the answers take, from a generator whose timers count "
        f"microseconds, {TURN_SECONDS:g} s to plain Envoy and {TURN_SECONDS:g} s to the service network in turn, for {ROUNDS * SECONDS} s, the median of the "
        "turns: at half the load that the service network carries from this generator with signatures and policies, and at a tenth; meanwhile the workers of "
        "the proxies have the last core to themselves, and everything else has the others. Inside Envoy: the same at half the load, of one Envoy with one "
        "worker and three listeners (plain, and as the region renders them), by its own clock: from the first byte of a request until it is sent on, and from "
        "the first byte of the answer until its last is sent back."
    )
    if shutil.which("wrk") is None:
        return Section("Authorization", how, tuple(skipped(name, "requests/s", "wrk is not installed") for name in names.values()))
    client, url = built.instances["client"], f"http://{built.api}/"
    requests = folder / "signed"
    pids = {"plain": peer.pid, "asking": peer.pid, "signed": region.pid("envoy"), "none": region.pid("envoy")}
    pids["beside none"] = peer.pid
    rates: dict[str, list[float]] = {name: [] for name in pids}
    spent: dict[str, list[float]] = {name: [] for name in pids}

    def load(name: str, target: str) -> None:
        before = processor_seconds(pids[name])
        rate = wrk(region, client, target, requests, SECONDS).rate
        rates[name].append(rate)
        spent[name].append((processor_seconds(pids[name]) - before) / (rate * SECONDS) * 1e6)

    with _policies(region, built) as credentials:
        write_requests(requests, built.api, [credentials], [f"/r/{index}" for index in range(REQUESTS)])
        for _ in range(ROUNDS):
            load("plain", peer.url)
            load("asking", peer.asking_url)
            load("signed", url)

        def timed(rate: float) -> list[list[list[float]]]:
            write_requests(requests, built.api, [credentials], [f"/r/{index}" for index in range(REQUESTS)])
            return paced(region, client, (peer.url, url), requests, rate, ROUNDS * SECONDS)

        with inside(region, built, client) as own, core_of_their_own(region, (peer.pid, region.pid("envoy"), own.pid)):
            carried = median(len(turn) / TURN_SECONDS for turn in timed(0.0)[1])
            latency = [figure for how_much, part in {"half": 0.5, "a tenth of": 0.1}.items() for figure in _latency(how_much, timed(carried * part))]
            write_requests(requests, built.api, [credentials], [f"/r/{index}" for index in range(REQUESTS)])
            turns = paced(region, client, own.urls(), requests, carried * 0.5, ROUNDS * SECONDS)
            latency += _inside({name: _turns(of, len(turns[0][0])) for name, of in own.microseconds(sum(map(len, turns[0]))).items()})
    for _ in range(ROUNDS):
        load("beside none", peer.url)
        load("none", url)

    def compared(name: str, what: str, measured: dict[str, list[float]], unit: str) -> Figure:
        return Figure(what, median(measured[name]), unit, median(measured["beside none" if name == "none" else "plain"]), "plain Envoy")

    figures = [compared(name, text, rates, "requests/s") for name, text in names.items()]
    asking = median(rates["asking"])
    figures.append(Figure("signature and policies inside Envoy", median(rates["signed"]), "requests/s", asking, "external authorization"))
    figures += [compared(name, f"Envoy's processor time for a request: {text}", spent, "us") for name, text in names.items()]
    return Section("Authorization", how, (*figures, *latency))


def _latency(how_much: str, turns: Sequence[Sequence[Sequence[float]]]) -> list[Figure]:
    """turns: of plain Envoy and of the service network, which followed each other."""
    figures = []
    for name, share in {"median": 0.5, "p99": 0.99}.items():
        plain, signed = ([_quantile(turn, share) for turn in target] for target in turns)
        added = median(after - before for before, after in zip(plain, signed, strict=True))
        figures.append(Figure(f"{name} latency at {how_much} load, plain Envoy", median(plain), "us"))
        figures.append(Figure(f"{name} latency at {how_much} load, added by signature and policies", added, "us", median(plain), "plain Envoy"))
    return figures


def _inside(turns: Mapping[str, Sequence[Sequence[float]]]) -> list[Figure]:
    """turns: of each of the listeners."""
    what = {"plain": "no filter", "none": "auth type NONE", "signed": "signature and three layers of policies"}
    figures = []
    for name, share in {"median": 0.5, "p99": 0.99}.items():
        found = {text: median(_quantile(turn, share) for turn in turns[listener]) for listener, text in what.items()}
        figures += [Figure(f"{name} time inside Envoy at half load, {text}", value, "us", found["no filter"], "no filter") for text, value in found.items()]
    return figures


def _turns(times: Sequence[float], length: int) -> list[Sequence[float]]:
    return [times[start : start + length] for start in range(0, len(times), length)]


def _quantile(times: Sequence[float], share: float) -> float:
    return sorted(times)[int(len(times) * share)]


@contextmanager
def _policies(region: Region, built: Architecture) -> Iterator[Credentials]:
    """AWS_IAM on network and service, and a role that may call; its credentials. Afterwards NONE again."""
    lattice, iam = region.client("vpc-lattice"), region.client("iam")
    organization = region.client("organizations").create_organization()["Organization"]["Id"]
    role = iam.create_role(RoleName="bench-caller", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke"}
    iam.put_role_policy(RoleName="bench-caller", PolicyName="call", PolicyDocument=_document({**allow, "Resource": "arn:aws:vpc-lattice:*:*:service/*"}))
    service = lattice.get_service(serviceIdentifier=built.service)["arn"]
    by_organization = {**allow, "Principal": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}}}
    methods = {"StringEquals": {"vpc-lattice-svcs:RequestMethod": ["GET", "POST"]}}
    by_role = {**allow, "Principal": {"AWS": role}, "Resource": [f"{service}/r/*", f"{service}/health"], "Condition": methods}
    lattice.put_auth_policy(resourceIdentifier=built.network, policy=_document(by_organization))
    lattice.put_auth_policy(resourceIdentifier=built.service, policy=_document(by_role))
    lattice.update_service_network(serviceNetworkIdentifier=built.network, authType="AWS_IAM")
    lattice.update_service(serviceIdentifier=built.service, authType="AWS_IAM")
    session = region.client("sts").assume_role(RoleArn=role, RoleSessionName="bench")["Credentials"]
    region.settle()
    try:
        yield Credentials(session["AccessKeyId"], Secret(session["SecretAccessKey"]), Secret(session["SessionToken"]))
    finally:
        for identifier in (built.network, built.service):
            lattice.delete_auth_policy(resourceIdentifier=identifier)
        lattice.update_service_network(serviceNetworkIdentifier=built.network, authType="NONE")
        lattice.update_service(serviceIdentifier=built.service, authType="NONE")
        region.settle()


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
