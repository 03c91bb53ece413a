"""AWS's published service-authorization facts, out of cfn-lint's copy: what `control_plane/access/resource_types.json` must hold.

    python -m tests.control_plane.published_facts > src/latticewall/control_plane/access/resource_types.json
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from latticewall.apimodel.catalog import IN_SCOPE, Catalog

SERVICES = tuple(dict.fromkeys((*IN_SCOPE, "rolesanywhere")))
ANYTHING = 40
"""An action with more types than this is about anything of its service: "*"."""


@cache
def published() -> dict[str, Any]:
    """service prefix -> {"Actions": {action in lower case: {"Resources": [...]}}, "Resources": {...}}"""
    text = resources.files("cfnlint").joinpath("data/AdditionalSpecs/Policies.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def spelled(resource_type: str) -> str:
    """A type as kinds are compared with it: "route-table" and "RouteTable" are one, "function alias" and "FunctionAlias" too, "listener/app" is a listener."""
    return resource_type.partition("/")[0].replace("-", "").replace(" ", "").lower()


def resource_types() -> dict[str, dict[str, str]]:
    """service -> operation -> its resource types, space-separated; "" for an action without; operations that are no action are left out."""
    catalog, found = Catalog(), {}
    for name in SERVICES:
        service = catalog.service(name)
        actions = published()[service.action_prefix]["Actions"]
        known = {operation: actions[operation.lower()] for operation in sorted(service.operations) if operation.lower() in actions}
        found[name] = {operation: _joined(action.get("Resources") or []) for operation, action in known.items()}
    return found


def _joined(types: list[str]) -> str:
    return "*" if len(types) > ANYTHING else " ".join(sorted(set(map(spelled, types))))


if __name__ == "__main__":
    print(json.dumps(resource_types(), indent=1))
