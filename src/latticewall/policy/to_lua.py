"""Policies compiled to Lua for the proxy; `spec` defines what a compiled policy must answer, `dataplane/envoy/lua/policy.lua` is what it calls.

The text of a set of policies is a chunk: `loadstring(text)()(library)` gives the evaluator, a function of the question q that returns an outcome
(0 nothing said, 1 allow, 2 explicit deny) and the number of the first statement that brought it about, counted over all statements of the set,
-1 if none did. It makes no closure or table per question, and contains nothing of a policy but quoted literals.

The question: {action (lower case), resource, principal = {type, arn, account, role_arn, role_id, userid}, p = keys of the principal, c = keys of route and
resource owner, method, path (without query), query, head, now (seconds since 1970), source_ip, values = nil or all keys there are (tests)}. p, c and
values map canonical keys to a text or a table of texts; keys that AWS defines as single-valued are never a table, but tags of a resource may
be. Callers of the data plane are never AWS services or identity providers themselves, so Service, Federated and CanonicalUser principals name nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.policy import spec
from latticewall.policy.document import Effect, Policy, PrincipalName, Statement
from latticewall.policy.lua.chunk import ARGUMENTS, CHAIN, FALSE, LONGEST, TRUE, Chunk
from latticewall.policy.lua.conditions import Test, condition_test
from latticewall.policy.lua.keys import variable
from latticewall.policy.lua.literals import literal, quote
from latticewall.policy.lua.patterns import listed
from latticewall.policy.match import account_of
from latticewall.policy.pattern import Variable, parse_template

__all__ = ["compile_set", "literal", "quote"]

_OUTCOMES = {Effect.ALLOW: 1, Effect.DENY: 2}
_BODY = "local a,r,P,p,c,v,x=q.action,q.resource,q.principal,q.p,q.c,q.values if v then p=v c=v end {steps} return 0,-1"


def compile_set(policies: Iterable[Policy], actions: Iterable[str] | None = None) -> str:
    """The Lua text of a set of policies. actions: the only ones that will ever be asked about; statements about others are left out (but counted)."""
    asked = None if actions is None else tuple(actions)
    chunk = Chunk()
    numbered = enumerate((policy, statement) for policy in policies for statement in policy.statements)
    kept = [(number, *own) for number, own in numbered if asked is None or any(spec.action_applies(own[1], action) for action in asked)]
    denies_first = sorted(kept, key=lambda own: own[2].effect is not Effect.DENY)
    steps = [step for number, policy, statement in denies_first if (step := _statement(chunk, number, policy, statement, asked))]
    steps = chunk.fitted(steps, "", lambda call: f"do local o,n={call} if o then return o,n end end")
    return chunk.text(_BODY.format(steps=" ".join(steps)))


def _statement(chunk: Chunk, number: int, policy: Policy, statement: Statement, asked: tuple[str, ...] | None) -> str:
    """The step that answers if the statement applies and else goes on; "" if it never applies."""
    elements = [Test("", _action(chunk, statement, asked)), Test("", _principal(chunk, statement)), Test("", _resource(chunk, policy, statement))]
    conditions = [condition_test(chunk, condition, statement.effect, policy.variables) for condition in statement.conditions]
    tests = [test for test in (*elements, *conditions) if test.holds != TRUE]
    if any(test.holds == FALSE for test in tests):
        return ""
    leave = f"goto s{number}"
    steps = [test.step(leave) for test in tests]
    if sum(map(len, steps)) > LONGEST:
        inside = chunk.fitted([test.step("return false") for test in tests], "return true", lambda call: f"if not {call} then return false end")
        whole = chunk.function(" ".join((*inside, "return true")))
        steps = [f"if not {whole}({ARGUMENTS})then {leave} end"]
    return f"{' '.join(steps)} do return {_OUTCOMES[statement.effect]},{number} end ::s{number}::"


def _negation(test: str) -> str:
    return {TRUE: FALSE, FALSE: TRUE}.get(test, f"not {test}" if test.startswith("(") else f"not({test})")


def _action(chunk: Chunk, statement: Statement, asked: tuple[str, ...] | None) -> str:
    """Action holds if a pattern matches, NotAction if none does; case does not count."""
    if asked is not None and all(spec.action_applies(statement, action) for action in asked):
        return TRUE
    patterns = statement.actions if statement.actions is not None else statement.not_actions or ()
    templates = [parse_template(pattern.lower(), wildcards=True, variables=False) for pattern in patterns]
    test = listed(chunk, "a", templates, always_text=True)
    return test if statement.actions is not None else _negation(test)


def _resource(chunk: Chunk, policy: Policy, statement: Statement) -> str:
    """Resource holds if a pattern matches, NotResource if none does; a statement without either speaks of any resource. What an Allow leaves out must be
    known: NotResource of an Allow does not hold while a variable in it has no value."""
    patterns = statement.resources if statement.resources is not None else statement.not_resources
    if patterns is None:
        return TRUE
    templates = [parse_template(pattern, wildcards=True, variables=policy.variables) for pattern in patterns]
    test = listed(chunk, "r", templates, always_text=True)
    if statement.resources is not None:
        return test
    unknown = []
    if statement.effect is Effect.ALLOW:
        required = [piece.key for template in templates for piece in template if isinstance(piece, Variable) and piece.default is None]
        unknown = [f"{variable(chunk, key, None)}==nil" for key in required]
    return _negation(chunk.any_of([test, *unknown]))


def _principal(chunk: Chunk, statement: Statement) -> str:
    """Principal holds for whom an entry names; NotPrincipal for everyone whom no entry exempts, an account exempting only its root user."""
    if statement.principals is not None:
        return _named(chunk, statement.principals, "of")
    if statement.not_principals is not None:
        return _negation(_named(chunk, statement.not_principals, "is_root_of"))
    return TRUE


def _named(chunk: Chunk, names: tuple[PrincipalName, ...], by_account: str) -> str:
    """Whether an entry names the caller. by_account: what an account's entry asks."""
    aws = [name.value for name in names if name.kind == "AWS"]
    if "*" in aws:
        return TRUE
    accounts = sorted({quote(account) for name in aws if (account := account_of(name))})
    others = sorted({quote(name) for name in aws if not account_of(name)})
    return chunk.any_of([*_one_of(chunk, by_account, accounts), *_one_of(chunk, "is", others)])


def _one_of(chunk: Chunk, test: str, names: list[str]) -> list[str]:
    if len(names) > CHAIN:
        return [chunk.call(f"{test}_any", "P", chunk.set_of(names))]
    return [chunk.call(test, "P", name) for name in names]
