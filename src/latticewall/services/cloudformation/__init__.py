"""AWS CloudFormation: stacks of resources, made by the operations of the other services ("AWS CloudFormation User Guide").

template, intrinsics, parameters, graph: reading and checking a template. resource_types: one row per resource type. work, deployment, outcome: what is
done to resources, one turn at a time. runner: the thread that takes the turns. stacks, describe, change_sets: the operations. May import resources,
apimodel, store's types and base; other services are met through their operations only. Not there: nested stacks, stack sets, macros, imports of
existing resources, drift, stack policies, hooks, service roles; each is refused by name.
"""

from __future__ import annotations

from latticewall.resources.kind import Service
from latticewall.services.cloudformation import change_sets, describe, stacks
from latticewall.services.cloudformation.kinds import KINDS

SERVICE = Service("cloudformation", KINDS, {**stacks.OPERATIONS, **describe.OPERATIONS, **change_sets.OPERATIONS})

__all__ = ["SERVICE"]
