"""Auth policies ("Control access to VPC Lattice services using auth policies").

On resource configurations they are latticewall's own: AWS's API admits the identifiers, its guide gives them no effect. There they are always
active. A service network can require that its policy passes tests (docs/features/policy-tests.md).
"""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.policy.document import Form, minify, parse_policy
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import required_tests, text
from latticewall.services.vpc_lattice.access_log import kind_of
from latticewall.services.vpc_lattice.find import usable
from latticewall.services.vpc_lattice.nouns import RESOURCE_CONFIGURATION, SERVICE_NETWORK


def put_auth_policy(ctx: Context, params: Document) -> Document:
    """PutAuthPolicy: stored without insignificant whitespace, otherwise as written."""
    row = usable(ctx, kind_of(params["resourceIdentifier"]), params["resourceIdentifier"])
    if row.document.get("type") == "CIDR":
        raise text.unsupported("resourceIdentifier", f"Resource configuration {row.id} is of type CIDR: nothing decides by an auth policy in a tunnel")
    policy = parse_policy(params["policy"], Form.AUTH, "the policy")
    if row.kind == SERVICE_NETWORK:
        required_tests.require(ctx, row, policy, "policy")
    times = {"_policyCreatedAt": row.document.get("_policyCreatedAt", ctx.now), "_policyUpdatedAt": ctx.now}
    changed = ctx.change(row, {"_policy": minify(params["policy"]), **times})
    return {"policy": changed.document["_policy"], "state": state(changed)}


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
