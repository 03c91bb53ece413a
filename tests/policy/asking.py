"""Short ways to write policies and requests in tests."""

from __future__ import annotations

import json
from typing import Any

from latticewall.policy.document import Form, Policy, parse_policy
from latticewall.policy.request import Context, Principal, Request, principal_context

ACCOUNT, OTHER = "111122223333", "444455556666"
SERVICE = f"arn:aws:vpc-lattice:us-west-2:{ACCOUNT}:service/svc-0172f5b22a68d46bc"
WEB = Principal(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-0abc",
    ACCOUNT,
    "AssumedRole",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/apps/web",
    userid="AROAWEBWEBWEBWEBWEBWE:i-0abc",
    tags={"team": "blue"},
    org_id="o-exampleorg",
    org_paths=("o-exampleorg/r-ab12/ou-ab12-11111111/",),
)
ANN = Principal(f"arn:aws:iam::{ACCOUNT}:user/ann", ACCOUNT, "User", userid="AIDAANNANNANNANNANNAN", username="ann")
ROOT = Principal(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "Account", userid=ACCOUNT)
STRANGER = Principal(
    f"arn:aws:sts::{OTHER}:assumed-role/web/s", OTHER, "AssumedRole", role_arn=f"arn:aws:iam::{OTHER}:role/web", userid="AROASTRANGERSTRANGERS:s"
)
ANONYMOUS = Principal.anonymous()


def policy(*statements: dict[str, Any], form: Form = Form.AUTH, version: str = "2012-10-17", name: str = "p") -> Policy:
    """A policy of the statements; what an element of its form needs and a statement leaves out is filled in with "*"."""
    defaults: dict[str, Any] = {"Effect": "Allow", "Action": "sts:*" if form is Form.TRUST else "*"}
    if form is not Form.TRUST:
        defaults["Resource"] = "*"
    if form not in (Form.IDENTITY, Form.MANAGED, Form.SERVICE_CONTROL):
        defaults["Principal"] = "*"
    filled = []
    for statement in statements:
        absent = {key: value for key, value in defaults.items() if key not in statement and f"Not{key}" not in statement}
        filled.append(absent | statement)
    return parse_policy(json.dumps({"Version": version, "Statement": filled}), form, name)


def ask(principal: Principal = WEB, context: Context | None = None, action: str = "vpc-lattice-svcs:Invoke", resource: str = f"{SERVICE}/goodbye") -> Request:
    """A request with the principal's own keys and those given."""
    return Request(action, resource, principal, {**principal_context(principal), **(context or {})})
