"""CloudFormation is a table: one row per resource type, of the operations of its service.

`TABLE` is the list of what stacks can hold. `row` is the form of a row, `tagging` how services take tags; the other modules hold the rows, with
functions only where a type needs a true exception.
"""

from __future__ import annotations

from collections.abc import Mapping

from latticewall.services.cloudformation.resource_types import (
    certificates,
    databases,
    ec2,
    endpoints,
    firewall,
    functions,
    identity,
    instances,
    lattice,
    load_balancing,
    organizations,
    others,
    roles_anywhere,
    sharing,
    storage,
    transit,
)
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work, at

_MODULES = (
    ec2, endpoints, transit, instances, firewall, lattice, load_balancing, identity, roles_anywhere, organizations, sharing, storage, functions, certificates,
    databases, others,
)  # fmt: skip
TABLE: Mapping[str, ResourceType] = {row.type: row for module in _MODULES for row in module.TYPES}

__all__ = ["TABLE", "Made", "Properties", "ResourceType", "Work", "at"]
