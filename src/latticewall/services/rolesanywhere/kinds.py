"""Roles Anywhere's kinds. All are of one region; ids are UUIDs. A certificate revocation list goes with its trust anchor."""

from __future__ import annotations

from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Kind, Ref

ANCHOR, PROFILE, CRL, SUBJECT = "rolesanywhere:TrustAnchor", "rolesanywhere:Profile", "rolesanywhere:Crl", "rolesanywhere:Subject"


def times(_: Context, row: Row) -> Document:
    return {"createdAt": row.created_at, "updatedAt": row.updated_at}


def _kind(name: str, word: str, member: str, **more: Any) -> Kind:
    return Kind(
        name=name, arn=f"arn:aws:rolesanywhere:{{region}}:{{account}}:{word}/{{id}}", id_member=f"{member}Id", arn_member=f"{member}Arn", view=times, **more
    )


KINDS = (
    _kind(ANCHOR, "trust-anchor", "trustAnchor", name_member="name"),
    _kind(PROFILE, "profile", "profile", name_member="name"),
    _kind(CRL, "crl", "crl", name_member="name", refs={"trustAnchorArn": Ref(ANCHOR, "cascade")}),
    _kind(SUBJECT, "subject", "subject"),
)
