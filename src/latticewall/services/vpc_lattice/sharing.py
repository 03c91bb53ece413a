"""What a caller has to do with resources of other accounts ("Share your VPC Lattice entities").

Service networks, services and resource configurations can be shared; another account's are named by ARN, ids are an account's own. An association
belongs to the accounts of both its sides, each of which knows it by an ARN of its own; it is kept once, in the account that made it. Who shares a service
network sees the associations of others with it, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from latticewall.auth.resource_policies import POLICY, allows
from latticewall.base.resource_shares import ASSOCIATION, DEFAULTS
from latticewall.base.rows import Row
from latticewall.resources.context import GONE, Context
from latticewall.resources.kind import Document
from latticewall.resources.verbs import Own, Referring
from latticewall.services.vpc_lattice import text
from latticewall.services.vpc_lattice.nouns import RESOURCE_ASSOCIATION, RESOURCE_ENDPOINT_ASSOCIATION, SERVICE_ASSOCIATION, SERVICE_NETWORK, VPC_ASSOCIATION

WITH_NETWORKS = (SERVICE_ASSOCIATION, VPC_ASSOCIATION, RESOURCE_ASSOCIATION)
ASSOCIATIONS = (*WITH_NETWORKS, RESOURCE_ENDPOINT_ASSOCIATION)
SEEN_BY = "_accounts"
"""The private member of an association with the accounts of both sides."""


def refuse_foreign(ctx: Context, params: Mapping[str, Any]) -> None:
    """Refuse Lattice ARNs of other regions, and of other accounts unless their owner allows this account the operation."""
    for value in params.values():
        if not isinstance(value, str) or not value.startswith("arn:"):
            continue
        _, _, service, region, account, *_ = [*value.split(":", 5), "", "", "", ""]
        if service != "vpc-lattice":
            continue
        if account != ctx.caller.account and not _granted(ctx, value):
            raise text.denied(ctx.caller.arn, ctx.operation, value)
        if region != ctx.caller.region:
            raise text.not_found("vpc-lattice:Resource", value)


def _granted(ctx: Context, arn: str) -> bool:
    row = ctx.tx.by_arn(arn)
    if row is None or row.kind not in DEFAULTS or row.status in GONE:
        return False
    if ctx.operation.startswith("List") and ctx.operation != "ListTagsForResource":
        return is_visible(ctx, row)  # as the filter of a list, which shows only what is the caller's, too
    return allows(ctx.tx, row, ctx.caller.account, f"vpc-lattice:{ctx.operation}")


def is_visible(ctx: Context, row: Row) -> bool:
    return row.account == ctx.caller.account or allows(ctx.tx, row, ctx.caller.account, f"vpc-lattice:Get{row.kind.partition(':')[2]}")


# -- what is shared ---------------------------------------------------------------------------------------------------------------------------------------


def shared(ctx: Context, kind: str, identifier: str) -> Row:
    """The resource of the caller's account, or by ARN of another one's that is shared with it (`refuse_foreign` has seen to that)."""
    row = ctx.find(kind, identifier)
    if row is None and identifier.startswith("arn:"):
        other = ctx.tx.by_arn(identifier)
        row = other if other and other.kind == kind and other.region == ctx.caller.region and other.status not in GONE else None
    if row is None:
        raise ctx.missing(kind, identifier)
    return row


def visible(ctx: Context, kind: str) -> Sequence[Row]:
    """The caller's own resources of a kind, and those of others that are shared with his account."""
    others = [row for row in ctx.tx.others(kind, ctx.caller.account, ctx.caller.region) if row.status not in GONE]
    if not others:
        return Own(ctx, kind)
    associated = {row.name for row in ctx.tx.rows(ASSOCIATION, region=ctx.caller.region)}
    shared = (row for row in others if (row.arn in associated or POLICY in row.document) and is_visible(ctx, row))
    return sorted([*ctx.live(kind), *shared], key=lambda row: (row.created_at, row.id))


# -- associations -----------------------------------------------------------------------------------------------------------------------------------------


def sides(ctx: Context, *rows: Row) -> Document:
    """Whose an association of these two is to be. Refused when neither is the caller's."""
    accounts = sorted({row.account for row in rows})
    if ctx.caller.account not in accounts:
        raise text.denied(ctx.caller.arn, ctx.operation, rows[0].arn)
    return {SEEN_BY: sorted({*accounts, ctx.caller.account})}


def is_side(ctx: Context, row: Row) -> bool:
    return ctx.caller.account in row.document.get(SEEN_BY, (row.account,))


def sees(ctx: Context, row: Row) -> bool:
    """Whether an association is shown to the caller: a side is his, or the service network is shared with him."""
    if is_side(ctx, row):
        return True
    network = ctx.tx.get(SERVICE_NETWORK, row.document["serviceNetworkId"]) if row.kind in WITH_NETWORKS else None
    return network is not None and is_visible(ctx, network)


def joined(ctx: Context, kind: str) -> list[Row]:
    """The associations of a kind that the caller sees."""
    return [row for row in ctx.tx.rows(kind, region=ctx.caller.region) if row.status not in GONE and sees(ctx, row)]


def joined_to(ctx: Context, kind: str, role: str, identifier: str, without_role: str = "") -> Sequence[Row]:
    """Of those, the ones that refer in this role to the resource with this id or ARN, in order of creation. without_role: as in `Context.page_referring`."""
    side = ctx.tx.get(ctx.registry.kind(kind).refs[role].kind, identifier.rpartition("/")[2], "", ctx.caller.region)
    if side is None:
        return ()
    rows = Referring(ctx, side, kind, without_role)
    return rows if side.account == ctx.caller.account else [row for row in rows if sees(ctx, row)]


def association(ctx: Context, kind: str, identifier: str) -> Row:
    """An association that the caller sees by its id, or by its ARN in his account."""
    head, _, id_ = identifier.rpartition("/")
    row = ctx.tx.get(kind, id_, "", ctx.caller.region)
    if row is None or row.status in GONE or not sees(ctx, row) or (head and local_arn(ctx, row) != identifier):
        raise ctx.missing(kind, identifier)
    return row


def own_association(ctx: Context, kind: str, identifier: str) -> Row:
    """The same with a side in the caller's account, who may change it."""
    row = association(ctx, kind, identifier)
    if not is_side(ctx, row):
        raise text.denied(ctx.caller.arn, ctx.operation, row.arn)
    return row


def local_arn(ctx: Context, row: Row) -> str:
    """The ARN of an association in the caller's account; without a side there, in its maker's."""
    return ctx.registry.kind(row.kind).arn_of(row.region, ctx.caller.account, row.document, id=row.id) if is_side(ctx, row) else row.arn


def as_seen(ctx: Context, identifier: str) -> Row | None:
    """The association that an id or ARN names to the caller, as his account sees it when the other side made it: its ARN is local, its tags are hidden."""
    kind = ctx.registry.kind_of_id(identifier.rpartition("/")[2], "vpc-lattice")
    row = ctx.tx.get(kind.name, identifier.rpartition("/")[2], "", ctx.caller.region) if kind and kind.name in ASSOCIATIONS else None
    if row is None or row.account == ctx.caller.account or not is_side(ctx, row):
        return None
    seen = replace(row, account=ctx.caller.account, arn=local_arn(ctx, row), tags={})
    return seen if identifier in (seen.id, seen.arn) else None


def refuse_tags_of_others(ctx: Context, params: Mapping[str, Any]) -> None:
    """The tags of an association are for the account that made it."""
    arn = str(params["resourceArn"])
    if as_seen(ctx, arn):
        raise text.denied(ctx.caller.arn, ctx.operation, arn)
