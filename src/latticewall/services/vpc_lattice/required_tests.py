"""Policy tests that a service network requires by its tag (docs/features/policy-tests.md): of a policy that is put there, and of having none in force."""

from __future__ import annotations

from dataclasses import replace

from latticewall.base.faults import Invalid
from latticewall.base.policy_tests import KIND, TAG
from latticewall.base.rows import Row
from latticewall.policy.document import Policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.expectations import check, failed
from latticewall.policy.expectations_file import Misread, read_expectations
from latticewall.resources.context import Context


def require(ctx: Context, network: Row, policy: Policy | None, member: str) -> None:
    """The tests that the network's tag names, if it has one, must pass with this policy in force; None: with no policy of the network's in force. Without
    readable tests nothing passes. member: of the request, that would change it."""
    name = network.tags.get(TAG)
    if name is None:
        return
    kept = ctx.tx.get(KIND, name, network.account, network.region)
    if kept is None:
        message = f"Service network {network.id} requires the policy tests `{name}`, which are not there: see `latticewall policy tests put`"
        raise _refused(member, message)
    try:
        expectations = read_expectations(kept.document["_text"])
    except Misread as problem:
        raise _refused(member, f"Service network {network.id} requires the policy tests `{name}`, which cannot be read: {problem}") from None
    if results := failed(check(replace(expectations, network=PolicySet([policy]) if policy else None))):
        first, more = results[0], f" ({len(results) - 1} more fail)" if len(results) > 1 else ""
        subject, it = ("The policy", "the policy") if policy else (f"No policy in force ({member} NONE)", "it")
        expected = f"`{first.expectation.name}` (line {first.expectation.line}) expects {first.expectation.wanted}, {it} would {first.got}"
        raise _refused(member, f"{subject} fails the policy tests `{name}` that service network {network.id} requires: {expected}{more}")


def _refused(member: str, message: str) -> Invalid:
    return Invalid(message, code="ValidationException", fields=((member, message),), members={"reason": "fieldValidationFailed"})
