"""Expectations beside an auth policy: who may do what, and who may not, checked before the policy is applied.

What a request may do is decided by `lattice.decide_invoke` and nothing else. `expectations_file` reads them from text; the format is described in
docs/features/policy-tests.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.engine import PolicySet
from latticewall.policy.explain import explain_invoke
from latticewall.policy.lattice import OPEN, LatticeDecision, LayerAuth, Route, decide_invoke, invoke_request
from latticewall.policy.request import Principal, Request, ResourceOwner, global_context


@dataclass(frozen=True)
class Caller:
    """Who asks, and the policies of his own; without any given, he may do everything, so that the auth policies are tested alone."""

    principal: Principal
    policies: PrincipalPolicies


@dataclass(frozen=True)
class Situation:
    """A request and what surrounds it. target: path and query as on the wire. keys: further condition keys, over all others."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    route: Route
    now: datetime
    source_ip: str = ""
    owner: ResourceOwner = field(default_factory=ResourceOwner)
    keys: tuple[tuple[str, str | tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What is to come out. layer: who is to deny ("" = whoever). explicit: None = either way. statement: the number or Sid of a statement that is to decide, ""
    = whichever."""

    allow: bool
    layer: str = ""
    explicit: bool | None = None
    statement: str = ""

    def __str__(self) -> str:
        words = ["allow" if self.allow else "deny", f"by {self.layer}" if self.layer else ""]
        words += [{True: "explicitly", False: "implicitly", None: ""}[self.explicit], f"statement {self.statement}" if self.statement else ""]
        return " ".join(filter(None, words))


@dataclass(frozen=True)
class Expectation:
    """One test. line: where it stands in its file, from 1."""

    name: str
    line: int
    caller: Caller
    situation: Situation
    wanted: Wanted


@dataclass(frozen=True)
class Expectations:
    """A file of them, with the policies it is about; a layer without policy is not in force."""

    tests: tuple[Expectation, ...]
    network: PolicySet | None = None
    service: PolicySet | None = None


@dataclass(frozen=True)
class Result:
    """What came out of one. got: in the words of the expectation. why: of one that was not met, the decision layer by layer, in lines."""

    expectation: Expectation
    passed: bool
    got: str
    why: tuple[str, ...]


def check(expectations: Expectations, network: PolicySet | None = None) -> tuple[Result, ...]:
    """Every expectation against the policies. network: takes the place of the service network's own, as when it is about to be put there."""
    known = expectations if network is None else replace(expectations, network=network)
    layers = _layer(known.network), _layer(known.service)
    return tuple(_check(test, *layers) for test in known.tests)


def failed(results: Iterable[Result]) -> tuple[Result, ...]:
    return tuple(result for result in results if not result.passed)


def _layer(policies: PolicySet | None) -> LayerAuth:
    return OPEN if policies is None else LayerAuth("AWS_IAM", policies)


def _check(test: Expectation, network: LayerAuth, service: LayerAuth) -> Result:
    request = question(test.caller.principal, test.situation)
    decision = decide_invoke(request, network, service, test.caller.policies)
    passed = _meets(decision, test.wanted)
    why = () if passed else tuple(explain_invoke(request, network, service, test.caller.policies).lines())
    return Result(test, passed, _got(decision), why)


def question(principal: Principal, situation: Situation) -> Request:
    """The question that a request puts to the policies."""
    headers = {name.lower(): value for name, value in reversed(situation.headers)}
    arn = situation.route.service_arn.split(":")
    context = global_context(
        principal, now=situation.now, region=arn[3] if len(arn) > 5 else "", source_ip=situation.source_ip, user_agent=headers.get("user-agent", ""),
        referer=headers.get("referer", ""), owner=situation.owner,
    )  # fmt: skip
    request = invoke_request(principal, situation.route, situation.method, situation.target, situation.headers, context)
    return replace(request, context={**request.context, **dict(situation.keys)})


def _meets(decision: LatticeDecision, wanted: Wanted) -> bool:
    if decision.allowed is not wanted.allow or (wanted.layer and wanted.layer != decision.layer):
        return False
    if wanted.explicit is not None and decision.explicit is not wanted.explicit:
        return False
    return not wanted.statement or any(wanted.statement in (str(match.statement), match.sid) for match in decision.statements)


def _got(decision: LatticeDecision) -> str:
    by = ", ".join(map(str, decision.statements))
    if decision.allowed:
        return f"allow ({by})" if by else "allow"
    return f"deny by {decision.layer} " + (f"explicitly ({by})" if decision.explicit else "implicitly: no statement allows it")
