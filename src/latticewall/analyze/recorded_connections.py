"""A connection to a TLS listener or a TCP resource that was made, out of its access-log line: as `recorded`, for what carries no request.

Such a line has no request id: its record's own id names it. A connection that a security group, a network ACL or a resource's auth policy stopped never came to
the service network, and has no line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from latticewall.analyze.callers import ANONYMOUS
from latticewall.analyze.connections import decide_resource_connection, decide_tls_connection, undecided
from latticewall.analyze.decision import GATE_OF, Decided
from latticewall.analyze.gate import POLICY_GATES, Explanation, Gate, Outcome, Unclear, concluded
from latticewall.analyze.gates import find_caller
from latticewall.analyze.path import FILTERS, Region, Source, source_of
from latticewall.analyze.question import Asked
from latticewall.analyze.record import Denial, noted_denial, text
from latticewall.policy.lattice import Layer

_ARRIVED = "passed: the connection arrived at the service network"
FAILED = frozenset({"UF", "UH", "NC"})
"""Envoy's flags of a connection that came to no target."""


@dataclass(frozen=True)
class Connection:
    """A record. kind: tls or tcp. arn: of the service or the resource configuration. door: the listener, or the resource's association. target: "" when none
    was reached. failure: why it came to no target, or ended early. authorized: policies were asked. enforced: what they denied was cut off."""

    id: str
    kind: str
    started: str
    asked: Asked
    vpc_id: str
    address: str
    endpoint_id: str
    network_arn: str
    arn: str
    door: str
    target: str
    failure: str
    authorized: bool = False
    denial: Denial | None = None
    enforced: bool = False


def read_connection(record_id: str, entry: Mapping[str, Any], record: Mapping[str, Any]) -> Connection:
    """entry: Envoy's line, of kind tls or tcp. record: VPC Lattice's record made of it."""
    kind = str(entry["kind"])
    vpc_id = text(entry, "sourceVpcArn").rpartition("/")[2]
    address = text(entry, "sourceIpPort").rpartition(":")[0].strip("[]")
    if kind == "tls":
        asked = Asked("", text(entry, "serverNameIndication").lower(), 0, "/", scheme="tls")
        return Connection(
            record_id, kind, text(entry, "startTime"), asked, vpc_id, address, text(entry, "vpcEndpointId"), text(entry, "serviceNetworkArn"),
            text(entry, "serviceArn"), text(entry, "listenerId"), text(record, "targetIpPort"), text(record, "failureReason"),
            entry.get("authorized") == "yes", noted_denial(entry), entry.get("enforced") == "yes",
        )  # fmt: skip
    host, _, port = text(entry, "destinationIpPort").rpartition(":")
    flags = FAILED & set(text(entry, "responseFlags").split(","))
    return Connection(
        record_id, kind, text(entry, "eventTimestamp"), Asked("", host.strip("[]"), int(port or 0), "/", scheme="tcp"), vpc_id, address,
        text(entry, "vpcEndpointId"), text(entry, "serviceNetworkArn"), text(entry, "resourceConfigurationArn"),
        text(entry, "serviceNetworkResourceAssociationId"), text(record, "resourceIpPort"), ", ".join(sorted(flags)), denial=noted_denial(entry),
    )  # fmt: skip


def explain_connection(region: Region, made: Connection, now: datetime) -> Explanation:
    """now: aware, UTC; the policies are asked as of then."""
    ports = {listener.id: listener.port for service in region.index.world.services for listener in service.listeners}
    if made.kind == "tls":
        made = replace(made, asked=replace(made.asked, port=ports.get(made.door, 0)))
    source = source_of(region, made.vpc_id, made.address)
    entered = Gate("vpc-endpoint" if made.endpoint_id else "vpc-association", Outcome.PASS, _ARRIVED, made.endpoint_id)
    gates = [entered, *(Gate(name, Outcome.PASS, _ARRIVED) for name in ("name", *FILTERS))]
    notes: list[str] = []
    if made.kind == "tls":
        listener = Gate("listener", Outcome.PASS, f"service {made.arn.rpartition('/')[2]}", made.door)
        gates += [listener, Gate("signature", Outcome.SKIP, "a TLS listener sees no request: the caller is anonymous")]
        caller: Mapping[str, Any] = ANONYMOUS.document()
        decided, policies = _tls(region, made, source, now, notes)
    else:
        where = f"resource configuration {made.arn.rpartition('/')[2]} at {made.asked.host}:{made.asked.port}"
        gates.append(Gate("listener", Outcome.PASS, where, made.door or made.endpoint_id))
        decided, policies, caller = _tcp(region, made, source, now, notes)
    gates += [*policies, _target(made)]
    answer = GATE_OF[Layer(made.denial.layer)] if made.denial else ""
    document = decided.document() if decided and not notes else {}
    return concluded(gates, _request(made, source), caller, document, notes, answer)


def _tls(region: Region, made: Connection, source: Source | None, now: datetime, notes: list[str]) -> tuple[Decided | None, list[Gate]]:
    names = POLICY_GATES[:3]
    if not made.authorized:
        return None, [Gate(name, Outcome.SKIP, "neither the service network nor the service had authType AWS_IAM") for name in names]
    try:
        decided = _decided_now(region, made, source, now)
    except Unclear as problem:
        notes.append(f"the policies of then cannot be asked again: {problem}")
        decided = None
    return decided, _as_logged(made, names, decided, notes)


def _decided_now(region: Region, made: Connection, source: Source | None, now: datetime) -> Decided:
    if source is None or not made.asked.port:
        raise Unclear("the listener or the client's VPC is gone")
    return decide_tls_connection(region, made.asked, made.network_arn, made.arn, source.vpc, made.address, now)


def _as_logged(made: Connection, names: tuple[str, ...], decided: Decided | None, notes: list[str]) -> list[Gate]:
    """The policies' gates with the outcome that the log has; where the policies now say otherwise, that is said."""
    now = {gate.name: gate for gate in decided.gates} if decided else {}
    found = []
    for name in names:
        gate = now.get(name) or Gate(name, Outcome.SKIP, "what decided is gone")
        closed = gate.outcome in (Outcome.FAIL, Outcome.AUDIT)
        if made.denial and GATE_OF[Layer(made.denial.layer)] == name:
            outcome = Outcome.FAIL if made.enforced else Outcome.AUDIT
            if not closed:
                notes.append(f"the log says {made.denial.words()}; as of now {name} would not deny it")
                gate = Gate(name, outcome, made.denial.words())
            found.append(replace(gate, outcome=outcome, detail=made.denial.words()))
        elif closed and made.denial is None:
            notes.append(f"the connection passed {name} then; as of now, {gate.detail}")
            found.append(Gate(name, Outcome.PASS, "passed then"))
        else:
            found.append(replace(gate, outcome=Outcome.FAIL if made.enforced else Outcome.AUDIT) if closed else gate)
    return found


def _tcp(
    region: Region, made: Connection, source: Source | None, now: datetime, notes: list[str]
) -> tuple[Decided | None, list[Gate], Mapping[str, Any]]:
    """A line means that the auth policy, if there was one, had let it pass."""
    configuration = next((item for item in region.index.world.resource_configurations if item.arn == made.arn), None)
    names = (GATE_OF[Layer.RESOURCE], GATE_OF[Layer.IDENTITY])
    if configuration is None or source is None:
        notes.append("the resource configuration or the client's VPC is gone: its policies cannot be asked again")
        return None, [Gate(name, Outcome.PASS, "passed then") for name in names], {}
    try:
        caller = find_caller(region, "", source)
    except Unclear:
        caller = ANONYMOUS
    decided = decide_resource_connection(region, configuration, made.network_arn, made.asked.port, caller, source, now)
    gates = _as_logged(made, names, decided, notes) if decided else undecided(configuration)
    return decided, gates, caller.document()


def _target(made: Connection) -> Gate:
    if made.denial and made.enforced:
        return Gate("target", Outcome.SKIP, "not reached")
    if made.kind == "tcp":
        reached = f"reached {made.target}" if made.target else "the name of the resource had no address"
        return Gate("target", Outcome.FAIL if made.failure else Outcome.PASS, f"{reached}: {made.failure}" if made.failure else reached, made.target)
    if made.failure:
        return Gate("target", Outcome.FAIL, f"{made.failure}: the connection was closed", made.target)
    return Gate("target", Outcome.PASS, f"target {made.target} was reached", made.target)


def _request(made: Connection, source: Source | None) -> dict[str, Any]:
    instance = source.instance.id if source and source.instance else ""
    return {
        "id": made.id, "time": made.started, "scheme": made.kind, "method": "", "host": made.asked.host, "port": made.asked.port, "target": "",
        "vpc": made.vpc_id, "instance": instance, "address": made.address,
    }  # fmt: skip
