"""The policy of a function, which may let in users and roles of its account ("Viewing resource-based IAM policies in Lambda")."""

from __future__ import annotations

import json

from latticewall.auth.permissions import compiled
from latticewall.control_plane.access.named import Named
from latticewall.policy.document import Form
from latticewall.policy.engine import PolicySet


def function_policy(resource: Named) -> PolicySet | None:
    """The policy of the function that a question is about; None for all other resources, and where there is none."""
    row = resource.row
    if row is None or row.kind != "lambda:Function" or "" not in row.document["_policies"]:
        return None
    text = json.dumps({"Version": "2012-10-17", "Statement": row.document["_policies"][""]["statements"]}, separators=(",", ":"))
    return compiled((("", text),), Form.RESOURCE)
