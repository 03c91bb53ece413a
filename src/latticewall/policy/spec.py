"""The policy language defined slowly and obviously: every question is answered from the policy's text, nothing is prepared.

`engine` must give the same `Decision` for every input; the tests hold the two against each other. Shared with the engine are only the parsed
document, the table of operators and the template parser. To be read beside the IAM User Guide, "IAM JSON policy element reference"; the
page of each element is named where it is defined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from latticewall.policy.decision import Decision, Grant, Match, Outcome
from latticewall.policy.document import Condition, Effect, Policy, PrincipalName, Statement
from latticewall.policy.operators import Comparison, Quantifier, Reading
from latticewall.policy.pattern import Pattern, Template, Variable, Wild, parse_template, resolve, split_arn
from latticewall.policy.request import Principal, Request, canonical_key


def evaluate(policies: Sequence[Policy], request: Request) -> Decision:
    """What the policies of one layer say: an explicit deny before any allow before nothing ("Policy evaluation logic")."""
    applying = [
        (statement.effect, Match(policy.name, statement.index, statement.sid, grant))
        for policy in policies
        for statement in policy.statements
        if (grant := statement_grant(policy, statement, request)) is not None
    ]
    missing = missing_keys(policies, request)
    for effect, outcome in ((Effect.DENY, Outcome.DENY), (Effect.ALLOW, Outcome.ALLOW)):
        if matches := tuple(match for own, match in applying if own is effect):
            return Decision(outcome, matches, missing)
    return Decision(Outcome.NONE, (), missing)


def statement_grant(policy: Policy, statement: Statement, request: Request) -> Grant | None:
    """How the statement names the caller, if all of its elements apply; else None."""
    if not action_applies(statement, request.action):
        return None
    if not resource_applies(policy, statement, request):
        return None
    for condition in statement.conditions:
        if not condition_holds(policy, condition, request, statement.effect):
            return None
    return principal_grant(statement, request.principal)


def missing_keys(policies: Iterable[Policy], request: Request) -> tuple[str, ...]:
    """The keys that the request lacks although a statement asked for them, as `Decision` defines it."""
    spellings: dict[str, set[str]] = {}
    for policy in policies:
        for statement in policy.statements:
            for key in lacking(policy, statement, request):
                spellings.setdefault(canonical_key(key), set()).add(key)
    return tuple(sorted(min(spelled) for spelled in spellings.values()))


def lacking(policy: Policy, statement: Statement, request: Request) -> list[str]:
    """The keys that one statement asks for and the request does not have; none if it does not ask."""
    if not action_applies(statement, request.action) or principal_grant(statement, request.principal) is None:
        return []

    def absent(keys: Iterable[str]) -> list[str]:
        return [key for key in keys if request.value(canonical_key(key)) is None]

    in_resource = absent(variables(templates(policy, statement.resources or statement.not_resources or ())))
    if not in_resource and not resource_applies(policy, statement, request):
        return []
    in_conditions = [condition.key for condition in statement.conditions]
    for condition in statement.conditions:
        if condition.operator.comparison.variables and policy.variables:
            in_conditions += variables(parse_template(text, wildcards=False, variables=True) for text in condition.values)
    return in_resource + absent(in_conditions)


def variables(of: Iterable[Template]) -> list[str]:
    """The variables without default."""
    return [piece.key for template in of for piece in template if isinstance(piece, Variable) and piece.default is None]


def action_applies(statement: Statement, action: str) -> bool:
    """Action holds if a pattern matches, NotAction if none does; case does not count ("Action", "NotAction")."""

    def listed(patterns: tuple[str, ...]) -> bool:
        return any(glob(parse_template(pattern.lower(), wildcards=True, variables=False), action.lower()) for pattern in patterns)

    return listed(statement.actions) if statement.actions is not None else not listed(statement.not_actions or ())


def resource_applies(policy: Policy, statement: Statement, request: Request) -> bool:
    """Resource holds if a pattern matches, NotResource if none does; a statement without either speaks of any resource ("Resource", "NotResource")."""

    def listed(patterns: tuple[str, ...]) -> bool:
        return any(arn_or_text_matches(template, request.resource, request) for template in templates(policy, patterns))

    if statement.resources is not None:
        return listed(statement.resources)
    if statement.not_resources is None:
        return True
    # What an Allow leaves out must be known: with a variable that has no value it would leave out nothing.
    if statement.effect is Effect.ALLOW and any(unresolved(template, request) for template in templates(policy, statement.not_resources)):
        return False
    return not listed(statement.not_resources)


def templates(policy: Policy, patterns: Iterable[str]) -> list[Template]:
    """Patterns of a resource element with their wildcards and, from version 2012-10-17 on, variables."""
    return [parse_template(pattern, wildcards=True, variables=policy.variables) for pattern in patterns]


def unresolved(template: Template, request: Request) -> bool:
    """Whether a variable of the template has neither a value nor a default."""
    return resolve(template, request.variable) is None


def arn_or_text_matches(template: Template, text: str, request: Request) -> bool:
    """An ARN pattern is compared segment by segment, anything else as a whole."""
    segments = split_arn(template)
    return text_matches(template, text, request) if segments is None else arn_matches(segments, text, request)


def arn_matches(segments: tuple[Template, ...], text: str, request: Request) -> bool:
    """Each of the six segments against its counterpart."""
    given = text.split(":", 5)
    if len(given) != 6 or given[0] != "arn":
        return False
    return all(text_matches(segment, part, request) for segment, part in zip(segments, given, strict=True))


def text_matches(template: Template, text: str, request: Request) -> bool:
    """The template, with the request's values for its variables; a variable without value matches nothing ("Variables and tags")."""
    pattern = resolve(template, request.variable)
    return pattern is not None and glob(pattern, text)


def glob(pattern: Pattern | Template, text: str) -> bool:
    """The definition of wildcards as a table: reachable[i] says that the pattern so far can cover the first i characters."""
    reachable = [True] + [False] * len(text)
    for piece in pattern:
        if piece is Wild.ANY:
            first = reachable.index(True) if True in reachable else len(reachable)
            reachable = [index >= first for index in range(len(text) + 1)]
        elif isinstance(piece, str):
            ends = [before and text.startswith(piece, index) for index, before in enumerate(reachable)]
            reachable = ([False] * len(piece) + ends)[: len(text) + 1]
        else:
            reachable = [False, *reachable[:-1]]
    return reachable[-1]


def principal_grant(statement: Statement, principal: Principal) -> Grant | None:
    """The closest entry that names the caller; for NotPrincipal, everyone whom no entry exempts ("Principal", "NotPrincipal")."""
    if statement.principals is None and statement.not_principals is None:
        return Grant.ABSENT
    if statement.principals is not None:
        return max((grant for name in statement.principals if (grant := name_grant(name, principal)) is not None), default=None)
    for name in statement.not_principals or ():
        grant = name_grant(name, principal)
        if grant is not None and (grant is not Grant.ACCOUNT or principal.type == "Account"):
            return None
    return Grant.EVERYONE


def name_grant(name: PrincipalName, principal: Principal) -> Grant | None:
    """How one entry names the caller, None if it does not."""
    if name.kind == "Service":
        return Grant.DIRECT if principal.services and (name.value == "*" or name.value in principal.services) else None
    if name.kind == "Federated":
        known = principal.type == "Federated" and principal.provider != ""
        return Grant.DIRECT if known and name.value in ("*", principal.provider) else None
    if name.kind == "CanonicalUser":
        return None
    if name.value == "*":
        return Grant.EVERYONE
    if principal.is_anonymous or not principal.arn:
        return None
    if name.value == principal.account or name.value.split(":")[2:] == ["iam", "", principal.account, "root"]:
        return Grant.ACCOUNT
    if name.value in (principal.arn, principal.userid):
        return Grant.DIRECT
    role_id = principal.userid.split(":")[0]
    return Grant.ROLE if principal.role_arn and name.value in (principal.role_arn, role_id) else None


def condition_holds(policy: Policy, condition: Condition, request: Request, effect: Effect) -> bool:
    """One operator on one key ("Condition operators", "Creating a condition that tests multiple key values").

    Null asks whether the key is there. Without the key, ForAllValues holds, ForAnyValue does not, and of the others those that are negated or end in
    IfExists do. With it, a value satisfies a positive operator if it matches one of the policy's values, a negated one if it matches none."""
    operator = condition.operator
    given = request.value(canonical_key(condition.key))
    if operator.name == "Null":
        return any((text.lower() == "true") == (given is None) for text in condition.values)
    if given is None:
        if operator.quantifier is Quantifier.ALL:
            return True
        if operator.quantifier is Quantifier.ANY:
            return False
        return operator.if_exists or operator.negated
    values = [given] if isinstance(given, str) else list(given)

    def satisfies(value: str) -> bool:
        matched = any(value_matches(policy, operator.comparison, text, value, request) for text in condition.values)
        return not matched if operator.negated else matched

    if operator.quantifier is Quantifier.ALL:
        blank = [value for value in values if value != ""] == [] and len(values) < 2
        return blank or all(satisfies(value) for value in values)
    if operator.quantifier is Quantifier.ANY:
        return any(satisfies(value) for value in values)
    if effect is Effect.DENY:
        return any(satisfies(value) for value in values)
    return len(values) == 1 and satisfies(values[0])


def value_matches(policy: Policy, comparison: Comparison, text: str, given: str, request: Request) -> bool:
    """One value of the policy against one value of the request, as the positive operator compares them."""
    wildcards = comparison.reading in (Reading.PATTERN, Reading.ARN)
    template = parse_template(text, wildcards=wildcards, variables=policy.variables and comparison.variables)
    if comparison.reading is Reading.PATTERN:
        return text_matches(template, given, request)
    if comparison.reading is Reading.ARN:
        segments = split_arn(template)
        return segments is not None and arn_matches(segments, given, request)
    pattern = resolve(template, request.variable)
    if pattern is None:
        return False
    asked = comparison.parse_policy("".join(str(piece) for piece in pattern))
    read = comparison.parse_request(given)
    return asked is not None and read is not None and comparison.holds(asked, read)
