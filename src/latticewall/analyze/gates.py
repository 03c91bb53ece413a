"""Every gate a request meets, in order, for a caller who has not sent it yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from latticewall.analyze.callers import ANONYMOUS, Caller, find_credential, find_identity, of_credential, of_identity
from latticewall.analyze.connections import tcp_gates, tls_gates
from latticewall.analyze.decision import Circumstances, Decided, audited, decide
from latticewall.analyze.forwarding import forwarding_gates
from latticewall.analyze.gate import Explanation, Gate, Outcome, Unclear, concluded
from latticewall.analyze.path import Place, Region, Source, find_source, places
from latticewall.analyze.question import Asked
from latticewall.analyze.targets import Health
from latticewall.analyze.way import facing, path_gates, way
from latticewall.auth.canonical import has_bad_escape, has_dot_segment
from latticewall.world.types import Service

NOBODY = "anonymous"
"""What names a caller that does not sign."""


def explain_question(region: Region, asked: Asked, *, who: str, source: str, now: datetime, health: Health) -> Explanation:
    """The whole way of a request. who: a role or user by name or ARN, an access key id, `anonymous`, or "" for the role of the instance it comes
    from (without one: anonymous). source: an instance or VPC, "" when only the decision is asked for. Raises Unclear."""
    start = find_source(region, source) if source else None
    if start is not None:
        start = facing(region, start, asked)
    if asked.scheme == "https" and not places(region, asked, (way(region, start, asked).key or start.vpc.id) if start else ""):
        asked = replace(asked, scheme="tls")
    if asked.scheme not in ("http", "https"):
        return _connection(region, asked, who, start, now, health)
    caller = find_caller(region, who, start)
    if start is None:
        gates, place = _anywhere(region, asked)
    else:
        gates, place = path_gates(region, start, asked)
    notes = () if start else ("no instance was given: its VPC, its security groups and its address are not part of the answer",)
    if place is None:
        return concluded(gates, _request(asked, start), caller.document(), {}, notes)
    if caller.principal.is_anonymous or not place.host.authorize:
        signature = Gate("signature", Outcome.SKIP, "the request is not signed" if caller.principal.is_anonymous else "neither layer has authType AWS_IAM")
    else:
        signature = Gate("signature", Outcome.PASS, "taken to be right: nothing was signed")
    decided = decision_at(region, place, asked, caller, start, now)
    gates += [*head_gates(asked), signature, *decided[1], *forwarding_gates(region, place.host, asked, health)]
    return concluded(gates, _request(asked, start), caller.document(), decided[0].document(), notes, decided[0].gate)


def _connection(region: Region, asked: Asked, who: str, start: Source | None, now: datetime, health: Health) -> Explanation:
    """Nobody signs a connection, so who asks follows from where it comes."""
    if start is None or (asked.scheme == "tcp" and start.instance is None):
        raise Unclear(f"a connection to {asked.host} is decided by where it comes from: say from which instance")
    caller = find_caller(region, "", start) if asked.scheme == "tcp" else ANONYMOUS
    if who and find_caller(region, who, start).principal.policy_arn != caller.principal.policy_arn:
        named = caller.principal.policy_arn or NOBODY
        raise Unclear(f"a connection to {asked.host} carries no signature: its caller is {named}, whoever else is named")
    gates, decided = tcp_gates(region, start, asked, caller, now) if asked.scheme == "tcp" else tls_gates(region, start, asked, health, now)
    answer = decided.gate if decided else ""
    return concluded(gates, _request(asked, start), caller.document(), decided.document() if decided else {}, (), answer)


def head_gates(asked: Asked) -> list[Gate]:
    """Shapes of a path that are refused before anybody is asked."""
    if not has_bad_escape(asked.path) and not has_dot_segment(asked.path):
        return []
    detail = "the path holds a bad percent escape or a dot segment: the answer is 400"
    return [Gate("request", Outcome.FAIL, detail, change=("send the path without `.` and `..` segments, percent-encoded",))]


def decision_at(region: Region, place: Place, asked: Asked, caller: Caller, source: Source | None, now: datetime) -> tuple[Decided, tuple[Gate, ...]]:
    """The policies' decision about a request that came in there, and its gates as they take effect."""
    network = region.network(place.host.service_network_arn)
    service = find_service(region, place.host.service_arn)
    if network is None or service is None:
        raise Unclear("the service or its service network is gone")
    asked = replace(asked, scheme=place.listener.scheme)
    known = Circumstances(
        asked, network, service, now, place.listener.vpc_id if source else "", place.listener.vpc_owner if source else "", source.address if source else ""
    )
    decided = decide(region.index.world, known, caller)
    return decided, audited(decided.gates, network, service)


def find_service(region: Region, arn: str) -> Service | None:
    return next((item for item in region.index.world.services if item.arn == arn), None)


def find_caller(region: Region, who: str, source: Source | None) -> Caller:
    """who: "" for the instance itself, which is nobody without a session of its role. Raises Unclear for one that does not exist."""
    world = region.index.world
    instance = source.instance if source else None
    if who == NOBODY or (not who and (instance is None or not instance.role_arn)):
        return ANONYMOUS
    if credential := find_credential(world, who):
        return of_credential(world, credential, region.naming)
    identity = find_identity(world, who or (instance.role_arn if instance else ""))
    if instance is None or identity.arn != instance.role_arn:
        return of_identity(world, identity, naming=region.naming)
    if session := region.index.sessions_of_instances.get(instance.arn):
        return of_credential(world, session, region.naming)
    return of_identity(world, identity, instance.id, region.naming) if who else ANONYMOUS


def _anywhere(region: Region, asked: Asked) -> tuple[list[Gate], Place | None]:
    """Without a client: the one service of that name, if it is reached through one service network only."""
    found = places(region, asked)
    networks = sorted({place.host.service_network_arn for place in found})
    if len(networks) > 1:
        raise Unclear(f"{asked.host} is reached through {len(networks)} service networks: say from which instance")
    if not found:
        raise Unclear(f"no VPC reaches a service {asked.host} on port {asked.port}: say from which instance, to see why")
    place = found[0]
    gate = Gate("listener", Outcome.PASS, f"service {place.host.service_id} listens on port {asked.port}", place.host.listener_id)
    return [gate], place


def _request(asked: Asked, source: Source | None) -> dict[str, Any]:
    headers = [list(pair) for pair in asked.headers]
    found: dict[str, Any] = {
        "scheme": asked.scheme, "method": asked.method, "host": asked.host, "port": asked.port, "target": asked.target, "headers": headers,
    }  # fmt: skip
    if source is None:
        return found
    return {**found, "vpc": source.vpc.id, "instance": source.instance.id if source.instance else "", "address": source.address}
