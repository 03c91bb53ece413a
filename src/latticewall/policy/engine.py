"""The fast evaluation: policies compiled once, statements found by action. `spec` defines what it must answer."""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.policy.decision import IMPLICIT_DENY, Decision, Grant, Match, Outcome
from latticewall.policy.document import Effect, Policy, Statement
from latticewall.policy.match import action_test, condition_test, exemption_test, grant_test, not_resource_test, resource_test, template_variables
from latticewall.policy.request import Request, canonical_key

_MAX_ACTIONS = 1024


class CompiledStatement:
    """A statement with all its texts prepared. resource, grant: None where the statement does not limit them. alone: by grant, the
    decision that the statement brings about when it is the only one of its effect. asks, asks_in_resource: condition
    keys, canonical and as written."""

    __slots__ = ("_action", "_action_listed", "alone", "asks", "asks_in_resource", "conditions", "denies", "grant", "resource")

    def __init__(self, policy: Policy, statement: Statement) -> None:
        variables = policy.variables
        self.denies = statement.effect is Effect.DENY
        self._action_listed = statement.actions is not None
        self._action = action_test(statement.actions if statement.actions is not None else statement.not_actions or ())
        self.grant = None
        if statement.principals is not None:
            self.grant = grant_test(statement.principals)
        elif statement.not_principals is not None:
            self.grant = exemption_test(statement.not_principals)
        outcome = Outcome.DENY if self.denies else Outcome.ALLOW
        self.alone = tuple(Decision(outcome, (Match(policy.name, statement.index, statement.sid, grant),)) for grant in Grant)
        self.resource = None
        if statement.resources is not None and "*" not in statement.resources:
            self.resource = resource_test(statement.resources, variables)
        elif statement.not_resources is not None:
            self.resource = not_resource_test(statement.not_resources, variables, statement.effect)
        listed = statement.resources if statement.resources is not None else statement.not_resources
        self.asks_in_resource = _asked(template_variables(listed or ())) if variables else ()
        self.conditions = tuple(condition_test(condition, variables, statement.effect) for condition in statement.conditions)
        self.asks = _asked(_condition_keys(statement, variables))

    def has_action(self, action_lower: str) -> bool:
        """Whether the statement speaks of the action."""
        return self._action(action_lower) is self._action_listed


def _condition_keys(statement: Statement, variables: bool) -> list[str]:
    """What the conditions ask for: their keys, and the variables in their values."""
    keys = [condition.key for condition in statement.conditions]
    for condition in statement.conditions:
        if variables and condition.operator.comparison.variables:
            keys += template_variables(condition.values)
    return keys


def _asked(keys: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((canonical_key(key), key) for key in keys)


class PolicySet:
    """Policies of one layer (all identity policies of a caller, or one auth policy), compiled."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._statements = tuple(CompiledStatement(policy, statement) for policy in self.policies for statement in policy.statements)
        self._by_action: dict[str, tuple[CompiledStatement, ...]] = {}

    def evaluate(self, request: Request) -> Decision:
        """An explicit deny before any allow before nothing."""
        statements = self._by_action.get(request.action)
        if statements is None:
            statements = self._having(request.action)
        denies: list[Decision] = []
        allows: list[Decision] = []
        lacking: list[tuple[str, str]] = []
        for statement in statements:
            grant = Grant.ABSENT if statement.grant is None else statement.grant(request.principal)
            if grant is None:
                continue
            applies = statement.resource is None or statement.resource(request)
            if statement.asks_in_resource:
                absent = [asked for asked in statement.asks_in_resource if asked[0] not in request.values]
                lacking += absent
                if not applies and not absent:
                    continue
            elif not applies:
                continue
            if statement.asks:
                values = request.values
                for asked in statement.asks:
                    if asked[0] not in values:
                        lacking.append(asked)
                for holds in statement.conditions:
                    if not holds(values):
                        applies = False
                        break
            if not applies:
                continue
            if statement.denies:
                denies.append(statement.alone[grant])
            else:
                allows.append(statement.alone[grant])
        missing = _spelled(lacking) if lacking else ()
        decided = denies or allows
        if len(decided) == 1 and not missing:
            return decided[0]
        if decided:
            return Decision(decided[0].outcome, tuple(match for one in decided for match in one.statements), missing)
        return Decision(Outcome.NONE, (), missing) if missing else IMPLICIT_DENY

    def _having(self, action: str) -> tuple[CompiledStatement, ...]:
        """The statements that speak of an action, remembered; a service has some hundred actions, so the memory is bounded only for safety."""
        if len(self._by_action) >= _MAX_ACTIONS:
            self._by_action.clear()
        found = tuple(statement for statement in self._statements if statement.has_action(action.lower()))
        self._by_action[action] = found
        return found


def _spelled(lacking: list[tuple[str, str]]) -> tuple[str, ...]:
    """One spelling of each key, sorted."""
    spellings: dict[str, str] = {}
    for key, written in lacking:
        spellings[key] = min(written, spellings.get(key, written))
    return tuple(sorted(spellings.values()))


NO_POLICIES = PolicySet(())
