"""Auth policies ("Control access to VPC Lattice services using auth policies").

On resource configurations they are latticewall's own: AWS's API admits the identifiers, its guide gives them no effect. There they are always
active. A service network can require that its policy passes tests (docs/features/policy-tests.md).
"""

from __future__ import annotations

from latticewall.base.faults import Invalid
from latticewall.base.policy_tests import KIND
from latticewall.base.policy_tests import TAG as POLICY_TESTS
from latticewall.base.rows import Row
from latticewall.policy.document import Form, Policy, minify, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.expectations import check, failed
from latticewall.policy.expectations_file import Misread, read_expectations
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import text
from latticewall.services.vpc_lattice.access_log import kind_of
from latticewall.services.vpc_lattice.find import usable
from latticewall.services.vpc_lattice.nouns import RESOURCE_CONFIGURATION, SERVICE_NETWORK


def put_auth_policy(ctx: Context, params: Document) -> Document:
    """PutAuthPolicy: stored without insignificant whitespace, otherwise as written."""
    row = usable(ctx, kind_of(params["resourceIdentifier"]), params["resourceIdentifier"])
    if row.document.get("type") == "CIDR":
        raise text.unsupported("resourceIdentifier", f"Resource configuration {row.id} is of type CIDR: nothing decides by an auth policy in a tunnel")
    policy = parse_policy(params["policy"], Form.AUTH, "the policy")
    if row.kind == SERVICE_NETWORK and POLICY_TESTS in row.tags:
        _require(ctx, row, policy)
    times = {"_policyCreatedAt": row.document.get("_policyCreatedAt", ctx.now), "_policyUpdatedAt": ctx.now}
    changed = ctx.change(row, {"_policy": minify(params["policy"]), **times})
    return {"policy": changed.document["_policy"], "state": state(changed)}


def _require(ctx: Context, network: Row, policy: Policy) -> None:
    """The tests that the network's tag names must pass with this policy. Without readable tests nothing passes."""
    name = network.tags[POLICY_TESTS]
    kept = ctx.tx.get(KIND, name, network.account, network.region)
    if kept is None:
        raise _refused(f"Service network {network.id} requires the policy tests `{name}`, which are not there: see `latticewall policy tests put`")
    try:
        results = failed(check(read_expectations(kept.document["_text"]), PolicySet([policy])))
    except Misread as problem:
        raise _refused(f"Service network {network.id} requires the policy tests `{name}`, which cannot be read: {problem}") from None
    if results:
        first, more = results[0], f" ({len(results) - 1} more fail)" if len(results) > 1 else ""
        expected = f"`{first.expectation.name}` (line {first.expectation.line}) expects {first.expectation.wanted}, the policy would {first.got}"
        raise _refused(f"The policy fails the policy tests `{name}` that service network {network.id} requires: {expected}{more}")


def _refused(message: str) -> Invalid:
    return Invalid(message, code="ValidationException", fields=(("policy", message),), members={"reason": "fieldValidationFailed"})


def get_auth_policy(ctx: Context, params: Document) -> Document:
    """GetAuthPolicy; without a policy the answer is empty."""
    row = ctx.resolve(kind_of(params["resourceIdentifier"]), params["resourceIdentifier"])
    if "_policy" not in row.document:
        return {}
    return {
        "policy": row.document["_policy"], "state": state(row), "createdAt": row.document["_policyCreatedAt"],
        "lastUpdatedAt": row.document["_policyUpdatedAt"],
    }  # fmt: skip


def delete_auth_policy(ctx: Context, params: Document) -> Document:
    """DeleteAuthPolicy: with AWS_IAM everything is denied from then on."""
    row = usable(ctx, kind_of(params["resourceIdentifier"]), params["resourceIdentifier"])
    if "_policy" in row.document:
        ctx.change(row, {"_policy": None, "_policyCreatedAt": None, "_policyUpdatedAt": None})
    return {}


def state(row: Row) -> str:
    active = row.kind == RESOURCE_CONFIGURATION or row.document["authType"] == "AWS_IAM"
    return "Active" if active else "Inactive"
