"""The kinds of AWS RAM, all stored under the account that shares.

`_permissions` of a share: resource type -> ARN of the permission. An association's name is the ARN of a resource or a principal, its parent the share; an
invitation's parent is the share, its name the account invited.
"""

from __future__ import annotations

from latticewall.base.resource_shares import ASSOCIATION, INVITATION, PERMISSION, SHARE
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Kind
from latticewall.services.ram.invitations import association_status


def _times(_: Context, row: Row) -> Document:
    return {"creationTime": row.created_at, "lastUpdatedTime": row.updated_at}


def _tagged(ctx: Context, row: Row) -> Document:
    return {**_times(ctx, row), "tags": [{"key": key, "value": value} for key, value in sorted(row.tags.items())]}


def _association(ctx: Context, row: Row) -> Document:
    share = ctx.tx.get(SHARE, row.parent)
    about = {"resourceShareArn": share.arn, "resourceShareName": share.name} if share else {}
    return {**_times(ctx, row), **about, "associatedEntity": row.name, **association_status(ctx, row)}


KINDS = (
    Kind(
        SHARE, arn_member="resourceShareArn", arn="arn:aws:ram:{region}:{account}:resource-share/{id}", name_member="name",
        owns=(ASSOCIATION, INVITATION), view=_tagged,
    ),
    Kind(ASSOCIATION, view=_association),
    Kind(INVITATION, arn_member="resourceShareInvitationArn", arn="arn:aws:ram:{region}:{account}:resource-share-invitation/{id}"),
    Kind(
        PERMISSION, arn_member="arn", arn="arn:aws:ram:{region}:{account}:permission/{id}", name_member="name", unique="region", view=_tagged,
    ),
)  # fmt: skip
