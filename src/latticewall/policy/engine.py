"""The fast evaluation: policies compiled once, statements found by action and by what keys a request has. `spec` defines what it must answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from latticewall.policy.decision import IMPLICIT_DENY, Decision, Grant, Match, Outcome
from latticewall.policy.document import Effect, Policy, PrincipalName, Statement
from latticewall.policy.match import (
    ContextTest,
    Names,
    ResourceTest,
    action_test,
    condition_test,
    exemption_test,
    grant_test,
    not_resource_test,
    resource_test,
    template_variables,
)
from latticewall.policy.request import Context, Principal, Request, canonical_key, spellings, together

_EVERYONE = PrincipalName("AWS", "*")
_REMEMBERED = 128
"""Questions (an action with the keys that come with it) whose statements are kept."""
_MOST_KEYS, _LONGEST_KEY = 64, 128
"""Of a question that is kept: callers choose the names of headers and parameters."""

DecisionOf = Callable[[Principal], "Decision | None"]
Lacking = tuple[tuple[str, str], ...]
"""Condition keys that are not there, canonical and as written."""


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """A statement that speaks of an action, for requests with certain keys. alone: the decision that it brings about when it is the only one of its
    effect; None where that depends on the caller, whom decide names then, or does not. resource: None where the statement does not
    limit it. lacking: keys that it asks for; hangs: also if the resource does not apply, which a variable without value decided."""

    denies: bool
    alone: Decision | None
    decide: DecisionOf
    resource: ResourceTest | None
    conditions: tuple[ContextTest, ...]
    lacking: Lacking
    hangs: bool


class CompiledStatement:
    """A statement with all its texts prepared."""

    __slots__ = ("_action", "_action_listed", "_alone", "_asks", "_asks_in_resource", "_conditions", "_decide", "_denies", "_resource")

    def __init__(self, policy: Policy, statement: Statement) -> None:
        variables = policy.variables
        self._denies = statement.effect is Effect.DENY
        self._action_listed = statement.actions is not None
        self._action = action_test(statement.actions if statement.actions is not None else statement.not_actions or ())
        outcome = Outcome.DENY if self._denies else Outcome.ALLOW
        by_grant = tuple(Decision(outcome, (Match(policy.name, statement.index, statement.sid, grant),)) for grant in Grant)
        self._alone, self._decide = _decisions(statement, by_grant)
        self._resource = None
        if statement.resources is not None and "*" not in statement.resources:
            self._resource = resource_test(statement.resources, variables)
        elif statement.not_resources is not None:
            self._resource = not_resource_test(statement.not_resources, variables, statement.effect)
        listed = statement.resources if statement.resources is not None else statement.not_resources
        self._asks_in_resource = _asked(template_variables(listed or ())) if variables else ()
        self._conditions = tuple(condition_test(condition, variables, statement.effect) for condition in statement.conditions)
        self._asks = _asked(_condition_keys(statement, variables))

    def has_action(self, action_lower: str) -> bool:
        """Whether the statement speaks of the action."""
        return self._action(action_lower) is self._action_listed

    def prepared(self, names: Names) -> PreparedStatement:
        """For requests that have these keys."""
        in_resource = tuple(asked for asked in self._asks_in_resource if asked[0] not in names)
        return PreparedStatement(
            denies=self._denies,
            alone=self._alone,
            decide=self._decide,
            resource=self._resource(names) if self._resource else None,
            conditions=tuple(condition(names) for condition in self._conditions),
            lacking=in_resource + tuple(asked for asked in self._asks if asked[0] not in names),
            hangs=bool(in_resource),
        )


def _decisions(statement: Statement, by_grant: tuple[Decision, ...]) -> tuple[Decision | None, DecisionOf]:
    """The one decision for all callers, or None; and the one for each."""
    if statement.principals is not None:
        grant_of = grant_test(statement.principals)
        always = Grant.EVERYONE if set(statement.principals) == {_EVERYONE} else None
    elif statement.not_principals is not None:
        grant_of, always = exemption_test(statement.not_principals), None
    else:
        grant_of, always = lambda _principal: Grant.ABSENT, Grant.ABSENT

    def decide(principal: Principal) -> Decision | None:
        grant = grant_of(principal)
        return None if grant is None else by_grant[grant]

    return None if always is None else by_grant[always], decide


def _condition_keys(statement: Statement, variables: bool) -> list[str]:
    """What the conditions ask for: their keys, and the variables in their values."""
    keys = [condition.key for condition in statement.conditions]
    for condition in statement.conditions:
        if variables and condition.operator.comparison.variables:
            keys += template_variables(condition.values)
    return keys


def _asked(keys: Iterable[str]) -> Lacking:
    return tuple((canonical_key(key), key) for key in keys)


class PolicySet:
    """Policies of one layer (all identity policies of a caller, or one auth policy), compiled."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._statements = tuple(CompiledStatement(policy, statement) for policy in self.policies for statement in policy.statements)
        self._prepared: dict[tuple[str, ...], tuple[PreparedStatement, ...]] = {}

    def evaluate(self, request: Request) -> Decision:
        """An explicit deny before any allow before nothing."""
        context, principal, resource = request.context, request.principal, request.resource
        statements = self._prepared.get((request.action, *context))
        if statements is None:
            context, statements = self._prepare(request.action, context)
        segments = resource.split(":", 5)
        denies: list[Decision] = []
        allows: list[Decision] = []
        lacking: Lacking = ()
        for statement in statements:
            decision = statement.alone or statement.decide(principal)
            if decision is None:
                continue
            if statement.resource is not None and not statement.resource(resource, segments, context):
                if statement.hangs:
                    lacking += statement.lacking
                continue
            if statement.lacking:
                lacking += statement.lacking
            for holds in statement.conditions:
                if not holds(context):
                    break
            else:
                (denies if statement.denies else allows).append(decision)
        missing = _spelled(lacking) if lacking else ()
        decided = denies or allows
        if len(decided) == 1 and not missing:
            return decided[0]
        if decided:
            return Decision(decided[0].outcome, tuple([match for one in decided for match in one.statements]), missing)
        return Decision(Outcome.NONE, (), missing) if missing else IMPLICIT_DENY

    def _prepare(self, action: str, context: Context) -> tuple[Context, tuple[PreparedStatement, ...]]:
        """The statements that speak of an action, prepared for the context's keys, and remembered. A context that spells one key in two ways comes
        back with both in one, and its statements are prepared for that."""
        names = spellings(context)
        if len(names) < len(context):
            context = together(context)
            names = {key: key for key in context}
        lowered = action.lower()
        found = tuple(statement.prepared(names) for statement in self._statements if statement.has_action(lowered))
        if len(names) == len(context) <= _MOST_KEYS and all(len(key) <= _LONGEST_KEY for key in context):
            if len(self._prepared) >= _REMEMBERED:
                self._prepared.clear()
            self._prepared[action, *context] = found
        return context, found


def _spelled(lacking: Lacking) -> tuple[str, ...]:
    """One spelling of each key, sorted."""
    spelled: dict[str, str] = {}
    for key, written in lacking:
        spelled[key] = min(written, spelled.get(key, written))
    return tuple(sorted(spelled.values()))


NO_POLICIES = PolicySet(())
