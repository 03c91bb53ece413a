"""Refusals in VPC Lattice's words ("Common errors" and the errors of each action in the Amazon VPC Lattice API Reference)."""

from __future__ import annotations

from latticewall.base.faults import Conflict, Denied, Invalid, NotFound, Unsupported

STATUS = {
    "creating": "CREATE_IN_PROGRESS", "ready": "ACTIVE", "updating": "UPDATE_IN_PROGRESS", "deleting": "DELETE_IN_PROGRESS", "failed": "CREATE_FAILED",
    "failing": "CREATE_FAILED", "impaired": "UPDATE_FAILED",
}  # fmt: skip
"""The engine's status words as Lattice spells them."""

VPC_TAKEN = "VPC has already been associated to a service network."
"""AWS's own sentence, seen in published output."""


def invalid(member: str, message: str) -> Invalid:
    """A parameter that is wrong; member: its name in the request."""
    return Invalid(message, fields=((member, message),))


def unsupported(member: str, message: str) -> Unsupported:
    """An option of AWS's that latticewall does not have; said openly."""
    return Unsupported(message, fields=((member, message),))


def not_found(kind: str, identifier: str) -> NotFound:
    """A resource of any service; unlike `Context.missing` never with another service's error code."""
    return NotFound(f"{kind.partition(':')[2]} {identifier} not found", kind=kind, id=identifier)


def conflict(kind: str, identifier: str, message: str) -> Conflict:
    return Conflict(message, kind=kind, id=identifier)


def in_progress(kind: str, identifier: str, status: str) -> Conflict:
    """A state that does not permit the call; clients read the status out of the sentence."""
    return conflict(kind, identifier, f"{kind.partition(':')[2]} {identifier} is in status {STATUS[status]}")


def denied(caller_arn: str, operation: str, arn: str) -> Denied:
    return Denied(f"User: {caller_arn} is not authorized to perform: vpc-lattice:{operation} on resource: {arn}")
