"""The fast evaluation: policies compiled once, statements found by action. `spec` defines what it must answer."""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.policy.decision import IMPLICIT_DENY, Decision, Grant, Match, Outcome
from latticewall.policy.document import Effect, Policy, Statement
from latticewall.policy.match import ActionMatcher, ConditionMatcher, PrincipalMatcher, ResourceMatcher
from latticewall.policy.request import Request


class CompiledStatement:
    """A statement with all its texts prepared."""

    __slots__ = ("_actions", "_conditions", "_effect", "_policy", "_principals", "_resources", "_statement")

    def __init__(self, policy: Policy, statement: Statement) -> None:
        variables = policy.variables
        self._policy = policy
        self._statement = statement
        self._effect = statement.effect
        self._actions = ActionMatcher(statement.actions if statement.actions is not None else statement.not_actions or ())
        names = statement.principals if statement.principals is not None else statement.not_principals
        self._principals = None if names is None else PrincipalMatcher(names)
        listed = statement.resources if statement.resources is not None else statement.not_resources
        self._resources = None if listed is None else tuple(ResourceMatcher(text, variables) for text in listed)
        self._conditions = tuple(ConditionMatcher(condition, variables) for condition in statement.conditions)

    @property
    def exact_actions(self) -> frozenset[str] | None:
        """The actions outside of which the statement cannot apply; None if it has wildcards or NotAction."""
        return self._actions.exact if self._statement.actions is not None and self._actions.only_exact else None

    def match(self, request: Request) -> Match | None:
        """The statement's part in the decision, None if it does not apply."""
        statement = self._statement
        if self._actions.matches(request.action_lower) is (statement.actions is None):
            return None
        grant = self._grant(request)
        if grant is None or not self._resource_applies(request):
            return None
        if not all(condition.holds(request, self._effect) for condition in self._conditions):
            return None
        return Match(self._policy.name, statement.index, statement.sid, grant)

    def _grant(self, request: Request) -> Grant | None:
        if self._principals is None:
            return Grant.ABSENT
        if self._statement.principals is None:
            return None if self._principals.exempts(request.principal) else Grant.EVERYONE
        return self._principals.grant(request.principal)

    def _resource_applies(self, request: Request) -> bool:
        if self._resources is None:
            return True
        return any(resource.matches(request) for resource in self._resources) is (self._statement.resources is not None)


class _Index:
    """Statements of one effect, found by action; the order of the policies is kept."""

    def __init__(self, statements: Iterable[CompiledStatement]) -> None:
        self._general: list[tuple[int, CompiledStatement]] = []
        self._exact: dict[str, list[tuple[int, CompiledStatement]]] = {}
        for entry in enumerate(statements):
            actions = entry[1].exact_actions
            if actions is None:
                self._general.append(entry)
            for action in actions or ():
                self._exact.setdefault(action, []).append(entry)

    def matches(self, request: Request) -> tuple[Match, ...]:
        entries = self._general
        if listed := self._exact.get(request.action_lower):
            entries = sorted(entries + listed, key=lambda entry: entry[0])
        return tuple(match for _, statement in entries if (match := statement.match(request)) is not None)


class PolicySet:
    """Policies of one layer (all identity policies of a caller, or one auth policy), compiled."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        compiled = [(statement.effect, CompiledStatement(policy, statement)) for policy in self.policies for statement in policy.statements]
        self._denies = _Index(statement for effect, statement in compiled if effect is Effect.DENY)
        self._allows = _Index(statement for effect, statement in compiled if effect is Effect.ALLOW)

    def evaluate(self, request: Request) -> Decision:
        """An explicit deny before any allow before nothing."""
        if denies := self._denies.matches(request):
            return Decision(Outcome.DENY, denies)
        if allows := self._allows.matches(request):
            return Decision(Outcome.ALLOW, allows)
        return IMPLICIT_DENY


NO_POLICIES = PolicySet(())
