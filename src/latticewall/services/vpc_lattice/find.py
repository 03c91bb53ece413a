"""Finding what a request names: in the caller's account and region, and not being deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.verbs import Resolve
from latticewall.services.vpc_lattice import text
from latticewall.services.vpc_lattice.nouns import LISTENER, SECURITY_GROUP, SERVICE, VPC


def usable(ctx: Context, kind: str, identifier: str, resolve: Resolve = Context.resolve) -> Row:
    """The resource, to build upon: NotFound when there is none, Conflict when it is being deleted (NotFound where the operation models no conflict).
    resolve: how it is found."""
    row = resolve(ctx, kind, identifier)
    if row.status == "deleting":
        raise text.in_progress(kind, row.id, row.status) if models(ctx, "ConflictException") else text.not_found(kind, identifier)
    return row


def models(ctx: Context, error: str) -> bool:
    """Whether the operation has this error in AWS's model: clients know no other."""
    return any(modelled.name == error for modelled in ctx.ports["catalog"].operation(f"{ctx.service}:{ctx.operation}").errors)


def listener_of(ctx: Context, params: Mapping[str, Any]) -> Row:
    """The listener that serviceIdentifier and listenerIdentifier name together."""
    service = ctx.resolve(SERVICE, params["serviceIdentifier"])
    listener = ctx.find(LISTENER, params["listenerIdentifier"])
    if listener is None or listener.parent != service.id:
        raise text.not_found(LISTENER, params["listenerIdentifier"])
    return listener


def elsewhere(ctx: Context, kind: str, identifier: str) -> Row:
    """A resource of another service; missing is ResourceNotFoundException in Lattice's dialect. Cross-account ARNs do not count."""
    row = ctx.find(kind, identifier)
    if row is None or row.status == "deleting" or row.account != ctx.caller.account:
        raise text.not_found(kind, identifier)
    return row


def vpc_of(ctx: Context, identifier: str | None, member: str = "vpcIdentifier") -> Row:
    """The VPC of a `vpcIdentifier`. member: its path in the request."""
    if not identifier:
        raise text.invalid(member, "A VPC identifier is required")
    return elsewhere(ctx, VPC, identifier)


def security_groups_in(ctx: Context, vpc: Row, identifiers: Sequence[str]) -> list[str]:
    """The ids of security groups, each once, all of the VPC."""
    found = []
    for identifier in dict.fromkeys(identifiers):
        group = elsewhere(ctx, SECURITY_GROUP, identifier)
        if group.document["VpcId"] != vpc.id:
            raise text.invalid("securityGroupIds", f"Security group {group.id} does not belong to VPC {vpc.id}")
        found.append(group.id)
    return found


def relink(ctx: Context, row: Row, role: str, identifiers: Sequence[str]) -> None:
    """The row refers, in this role, to exactly these resources from now on."""
    ctx.forget(row, role)
    for identifier in identifiers:
        ctx.refer(row, role, identifier)
