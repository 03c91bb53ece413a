"""The gates of a request that was made: what the log says was decided, beside what the policies say of it now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from latticewall.analyze.callers import ANONYMOUS, SESSION, Caller, find_credential, of_credential, of_identity
from latticewall.analyze.decision import GATE_OF, Decided
from latticewall.analyze.forwarding import described
from latticewall.analyze.gate import POLICY_GATES, Explanation, Gate, Outcome, Unclear, concluded
from latticewall.analyze.gates import decision_at, head_gates
from latticewall.analyze.path import FILTERS, Place, Region, Source, source_of
from latticewall.analyze.record import Recorded
from latticewall.analyze.signature import Diagnosis, claimed_key, without_token
from latticewall.analyze.targets import Health, balancer_gates
from latticewall.policy.lattice import LatticeDecision, Layer

_ARRIVED = "passed: the request arrived at the service network"
_DECIDING = POLICY_GATES[:3]
_NOT_KEPT = "the log keeps no query and of the headers only Host and User-Agent: conditions on others cannot be told"
_REMEDIES = (
    ("Signed payloads are not supported", "send and sign `x-amz-content-sha256: UNSIGNED-PAYLOAD`, not a hash of the body"),
    ("Missing the 'x-amz-content-sha256'", "send `x-amz-content-sha256: UNSIGNED-PAYLOAD` and let the signer sign it"),
    ("scoped to a valid region", "sign for the region {region}"),
    ("scoped to correct service", "sign for the service vpc-lattice-svcs"),
    ("Signature expired", "set the client's clock, or sign again before sending"),
    ("Signature not yet current", "set the client's clock"),
    ("token included in the request is expired", "renew the credentials"),
    ("is named as a SignedHeader, but", "send that header as it was signed, or leave it out of what is signed"),
    ("token included in the request is invalid", "use an access key that exists here, a temporary one with its own session token"),
)


def explain_record(region: Region, record: Recorded, diagnosis: Diagnosis | None, now: datetime, health: Health) -> Explanation:
    """now: aware, UTC; the policies are asked as of then. diagnosis: of the signature, if that was refused. health: of a load balancer's targets, now."""
    source = source_of(region, record.vpc_id, record.address)
    caller = caller_of(region, record)
    entered = Gate("vpc-endpoint" if record.endpoint_id else "vpc-association", Outcome.PASS, _ARRIVED, record.endpoint_id)
    gates = [entered, *(Gate(name, Outcome.PASS, _ARRIVED) for name in ("name", *FILTERS))]
    request, shown = _request(record, source), _unknown(record) if caller is None else caller.document()
    if not record.service_arn:
        return concluded([*gates, _nowhere(record)], request, shown, {})
    gates.append(Gate("listener", Outcome.PASS, f"service {record.service_arn.rpartition('/')[2]}", record.listener_id))
    if record.outdated:
        detail = f"the request is of HTTP/1.0, which listeners do not speak: the answer was {record.status}"
        return concluded([*gates, Gate("request", Outcome.FAIL, detail, change=("use HTTP/1.1 or HTTP/2",))], request, shown, {})
    if record.malformed:
        gates += head_gates(record.asked) or [Gate("request", Outcome.FAIL, "the request's head is ambiguous: the answer was 400")]
    gates.append(_signature_gate(record, diagnosis, region.index.world.region))
    notes: list[str] = []
    decided = None
    if not record.authorized:
        reason = "neither the service network nor the service had authType AWS_IAM"
        gates += [Gate(name, Outcome.SKIP, reason) for name in _DECIDING]
    elif record.refused or record.undecided or record.malformed:
        gates += [Gate(name, Outcome.SKIP, "not asked: the request was refused before") for name in _DECIDING]
    elif caller is None:
        gates += [Gate(name, Outcome.UNKNOWN, "the caller no longer exists, so its policies cannot be asked") for name in _DECIDING]
    else:
        decided, problem = _replay(region, record, source, caller, now)
        gates += _as_recorded(record, decided, notes, problem)
        notes.append(_NOT_KEPT)
    gates += _end(record, _place(region, record))
    gates += _behind(region, record, notes, health)
    answer = GATE_OF[Layer(record.denial.layer)] if record.denial else ""
    document = replace(decided, decision=_recorded_decision(record, decided.decision)).document() if decided else {}
    return concluded(gates, request, shown, document, notes, answer)


def _nowhere(record: Recorded) -> Gate:
    """Why a request was for no service."""
    if record.malformed:
        detail = f"`{record.asked.host}` is no host, or several: the answer was 400"
        return Gate("request", Outcome.FAIL, detail, change=("send one Host header with one name",))
    if record.unread:
        return Gate("request", Outcome.FAIL, f"the request's head is none that a service is asked with: the answer was {record.status}")
    return Gate("listener", Outcome.FAIL, f"no service is called {record.asked.host}: the answer was {record.status}")


def _recorded_decision(record: Recorded, now: LatticeDecision) -> LatticeDecision:
    """What was decided then; which statements that were is known only where the policies still decide so."""
    denial = record.denial
    then = LatticeDecision(denial is None, Layer(denial.layer) if denial else None, denial is not None and denial.explicit)
    return replace(then, statements=now.statements) if (now.allowed, now.layer, now.explicit) == (then.allowed, then.layer, then.explicit) else then


def _unknown(record: Recorded) -> dict[str, str]:
    """A caller of whom only the log speaks."""
    claims = {"claims": claimed_key(record.head)} if record.head else {}
    return {"arn": record.caller or "unknown", **claims}


def caller_of(region: Region, record: Recorded) -> Caller | None:
    """Who asked; None when nobody of that name is known any more."""
    world, naming = region.index.world, region.naming
    if credential := find_credential(world, record.access_key_id):
        return of_credential(world, credential, naming)
    if not record.caller:
        return ANONYMOUS if not record.refused else None
    sessions = [item for item in world.credentials if item.arn == record.caller]
    if sessions:
        return of_credential(world, max(sessions, key=lambda item: item.expires), naming)
    account = record.caller.split(":")[4] if record.caller.count(":") >= 5 else ""
    name, _, session = record.caller.partition("assumed-role/")[2].partition("/")
    for identity in world.identities:
        if identity.arn == record.caller or (session and (identity.kind, identity.name, identity.account) == ("Role", name, account)):
            return of_identity(world, identity, session or SESSION, naming)
    return None


def _signature_gate(record: Recorded, diagnosis: Diagnosis | None, region: str) -> Gate:
    if record.malformed:
        return Gate("signature", Outcome.SKIP, "not looked at")
    if record.refused:
        outcome = Outcome.AUDIT if record.audited else Outcome.FAIL
        mistakes = diagnosis.mistakes if diagnosis else ()
        return Gate("signature", outcome, record.refused, "the proxy, then", mistakes, _remedy(record, diagnosis, region))
    if record.undecided:
        return Gate("signature", Outcome.FAIL, f"the proxy could not decide and answered {record.status}: its own log says why")
    if not record.authorized:
        return Gate("signature", Outcome.SKIP, "neither layer had authType AWS_IAM")
    if not record.caller:
        return Gate("signature", Outcome.SKIP, "the request was not signed")
    return Gate("signature", Outcome.PASS, f"signed by {record.caller}", record.access_key_id)


def _remedy(record: Recorded, diagnosis: Diagnosis | None, region: str) -> tuple[str, ...]:
    known = tuple(words.format(region=region) for text, words in _REMEDIES if text in record.refused)
    difference = diagnosis.difference if diagnosis else None
    if not known and diagnosis and diagnosis.expected and not diagnosis.signed:
        key = f"the secret access key of {claimed_key(record.head)}" if record.head else "the right secret access key"
        return (f"sign with {key}, and send the path, the query and the signed headers unchanged: compare with the canonical request in the client's own log",)
    if known or difference is None or diagnosis is None or diagnosis.expected is None or difference.part != "canonical request":
        return known
    lines = diagnosis.expected.canonical_request
    return (f"sign line {difference.line} of the canonical request as `{lines[difference.line - 1]}`",) if difference.line <= len(lines) else ()


def _replay(region: Region, record: Recorded, source: Source | None, caller: Caller, now: datetime) -> tuple[Decided | None, str]:
    """What the policies say now, or why they cannot be asked."""
    place = _place(region, record)
    if place is None:
        return None, "the service, its listener or the VPC's association is gone"
    asked = replace(record.asked, port=place.listener.port)
    try:
        return decision_at(region, place, asked, caller, source or Source(region.index.vpcs[record.vpc_id]), now)[0], ""
    except Unclear as problem:
        return None, str(problem)


def _place(region: Region, record: Recorded) -> Place | None:
    for listener in region.plan.proxy.http_listeners:
        for host in region.plan.proxy.hosts_of(listener):
            wanted = (record.vpc_id, record.endpoint_id, record.network_arn, record.listener_id, record.service_arn)
            if (listener.vpc_id, listener.vpc_endpoint_id, host.service_network_arn, host.listener_id, host.service_arn) == wanted:
                return Place(listener, host)
    return None


def _as_recorded(record: Recorded, decided: Decided | None, notes: list[str], problem: str) -> list[Gate]:
    """The policies' gates with the outcome that the log has; where the policies now say otherwise, that is said."""
    now = {gate.name: gate for gate in decided.gates} if decided else {}
    if problem:
        notes.append(f"the policies of then cannot be asked again: {problem}")
    found = []
    for name in _DECIDING:
        gate = now.get(name) or Gate(name, Outcome.SKIP, problem)
        denial = record.denial if record.denial and GATE_OF[Layer(record.denial.layer)] == name else None
        if denial and not gate.fails:
            notes.append(f"the log says {denial.words()}; as of now, and as far as the log kept the request, {name} would not deny it")
            found.append(Gate(name, _denied_outcome(record), denial.words()))
        elif denial:
            # which statement it was is what `decided_by` says: the log counts over all policies of a part
            found.append(replace(gate, outcome=_denied_outcome(record), detail=denial.words(counted=False)))
        elif gate.fails and record.denial is None:
            notes.append(f"the request passed {name} then; as of now, and as far as the log kept the request, {gate.detail}")
            found.append(Gate(name, Outcome.PASS, "passed then"))
        else:
            # beside what the log names, audit mode let pass what else would have denied
            found.append(replace(gate, outcome=Outcome.AUDIT) if gate.fails and record.audited else gate)
    return found


def _denied_outcome(record: Recorded) -> Outcome:
    return Outcome.AUDIT if record.audited else Outcome.FAIL


def _end(record: Recorded, place: Place | None) -> list[Gate]:
    """Rule and target, as far as the request got."""
    if record.undecided or record.malformed or ((record.denial or record.refused) and not record.audited):
        return [Gate(name, Outcome.SKIP, "not reached") for name in ("listener-rule", "target")]
    route = next((route for route in place.host.routes if route.rule_id == record.rule_id), None) if place else None
    matched = described(route.match) if route else "a rule that is gone"
    rule = Gate("listener-rule", Outcome.PASS, f"{matched} matched {record.asked.method} {record.asked.path}", record.rule_id)
    if record.failure:
        return [rule, Gate("target", Outcome.FAIL, f"{record.failure}: the answer was {record.status}", record.target or record.target_group_arn)]
    if not record.target and record.target_group_arn:
        return [rule, Gate("target", Outcome.PASS, f"a function answered {record.status}", record.target_group_arn)]
    if not record.target:
        return [rule, Gate("target", Outcome.SKIP, f"the rule answered {record.status} itself")]
    return [rule, Gate("target", Outcome.PASS, f"target {record.target} answered", record.target)]


def _behind(region: Region, record: Recorded, notes: list[str], health: Health) -> list[Gate]:
    """What the load balancer that was the target does with such a request now; what it answered is its own word."""
    found = balancer_gates(region, record.target_vpc_id, record.target, record.asked, health)
    if not found:
        return []
    notes.append("what the load balancer did is asked of its rules and targets as they are now, and as far as the log kept the request")
    if record.status >= 500:
        return found
    return [Gate(gate.name, Outcome.PASS, f"passed then; as of now, {gate.detail}", gate.decided_by) if gate.fails else gate for gate in found]


def _request(record: Recorded, source: Source | None) -> dict[str, Any]:
    asked = record.asked
    instance = source.instance.id if source and source.instance else ""
    return {
        "id": record.request_id, "time": record.started, "scheme": asked.scheme, "method": asked.method, "host": asked.host, "port": asked.port,
        "target": without_token(asked.target),
        "status": record.status, "vpc": record.vpc_id, "instance": instance, "address": record.address,
    }  # fmt: skip
