"""Trust policies as they are kept: users and roles by their unique ids, so that a grant ends with the identity it was given to.

Page followed: "AWS JSON policy elements: Principal", "IAM user principals" and "IAM role principals": on saving, the ARN of a user or role becomes
its principal id; a new identity of the same name has another id. Read back, the id of an identity that still exists shows as its ARN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from latticewall.policy.document import Form, parse_policy
from latticewall.resources.context import Context
from latticewall.services.iam import quotas, text

_IDENTITY = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(user|role)/")
_UNIQUE_ID = re.compile(r"A(IDA|ROA)[A-Z0-9]{8,}\Z")
KINDS = ("iam:Role", "iam:User")


def kept(ctx: Context, document: str) -> str:
    """A trust policy as it is stored. Raises MalformedPolicyDocument, also for a user or role that does not exist, and LimitExceeded."""
    parse_policy(document, Form.TRUST)
    quotas.fits("ACLSizePerRole", document)

    def identified(name: str) -> str:
        if _UNIQUE_ID.match(name) and _arn(ctx, name):
            return name
        if not _IDENTITY.match(name) and not _UNIQUE_ID.match(name):
            return name
        row = ctx.tx.by_arn(name)
        if row is None or row.kind not in KINDS:
            raise text.bad(f'Invalid principal in policy: "AWS":"{name}"', "MalformedPolicyDocument")
        return row.id

    return _replaced(document, identified)


def shown(ctx: Context, document: str) -> str:
    """A stored trust policy as GetRole answers it; ids of identities that are gone stay ids."""
    return _replaced(document, lambda name: (_UNIQUE_ID.match(name) and _arn(ctx, name)) or name)


def _arn(ctx: Context, unique_id: str) -> str:
    return next((row.arn for kind in KINDS if (row := ctx.tx.get(kind, unique_id))), "")


def _replaced(document: str, replace: Callable[[str], str]) -> str:
    """The policy with another name for each AWS principal; the very same text when no name changes."""
    policy: dict[str, Any] = json.loads(document, parse_int=str, parse_float=str)  # a number in a condition means what its text means
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    changed = False
    for statement in statements:
        for element in ("Principal", "NotPrincipal"):
            listed = statement.get(element)
            if not isinstance(listed, dict) or "AWS" not in listed:
                continue
            names = listed["AWS"]
            replaced = [replace(name) for name in names] if isinstance(names, list) else replace(names)
            changed = changed or replaced != names
            listed["AWS"] = replaced
    return json.dumps(policy, separators=(",", ":")) if changed else document
