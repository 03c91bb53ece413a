"""Domain verifications ("Custom domain names for VPC resources"): a TXT record proves that a domain is one's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import dns, quotas, text
from latticewall.services.vpc_lattice.nouns import DOMAIN_VERIFICATION, HOSTED_ZONE
from latticewall.store import Snapshot, Transaction

PENDING, VERIFIED, TIMED_OUT = "PENDING", "VERIFIED", "VERIFICATION_TIMED_OUT"
PATIENCE = timedelta(hours=72)
"""How long a record is looked for."""


def start_domain_verification(ctx: Context, params: Document) -> Document:
    """StartDomainVerification: says which TXT record to make."""
    existing = ctx.live(DOMAIN_VERIFICATION)
    domain = dns.check_name("domainName", params["domainName"].rstrip(".")).lower()
    for row in existing:
        if row.document["domainName"] == domain:
            raise text.conflict(DOMAIN_VERIFICATION, row.id, f"A domain verification of {domain} already exists: {row.id}")
    quotas.check(ctx, DOMAIN_VERIFICATION, len(existing) + 1)
    record = {"name": f"_{ctx.new_id(digits=32)}.{domain}", "value": f"vpc-lattice:{ctx.new_id(digits=32)}"}
    document = {"domainName": domain, "status": PENDING, "txtMethodConfig": record}
    return ctx.view(ctx.create(DOMAIN_VERIFICATION, document, tags=tags.read(params.get("tags"))))


def get_domain_verification(ctx: Context, params: Document) -> Document:
    """GetDomainVerification, looking for the record first."""
    return ctx.view(verify(ctx, ctx.resolve(DOMAIN_VERIFICATION, params["domainVerificationIdentifier"])))


def list_domain_verifications(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of a handler
    """ListDomainVerifications."""
    return {"items": [ctx.view(verify(ctx, row)) for row in ctx.live(DOMAIN_VERIFICATION)]}


def verify_all(ctx: Context) -> None:
    """Look for the records of all verifications of the store."""
    for row in ctx.tx.rows(DOMAIN_VERIFICATION):
        verify(ctx, row)


def is_due(rows: Snapshot) -> bool:
    """Whether a record has appeared or vanished."""
    return any(_published(rows, row) != (row.document["status"] == VERIFIED) for row in rows.rows(DOMAIN_VERIFICATION) if row.document["status"] != TIMED_OUT)


def verify(ctx: Context, row: Row) -> Row:
    """VERIFIED as soon as the TXT record is in a hosted zone of the region, and for as long as it is there; else PENDING, and after 72 hours of that
    VERIFICATION_TIMED_OUT, which is the end. `_lostAt`, `_since`: when it last ceased to be verified, and began to be looked for."""
    document, status = row.document, row.document["status"]
    if status == TIMED_OUT:
        return row
    if _published(ctx.tx, row):
        changes = {} if status == VERIFIED else {"status": VERIFIED, "lastVerifiedTime": ctx.now}
    elif status == VERIFIED:
        changes = {"status": PENDING, "_lostAt": ctx.now, "_since": ctx.now}
    else:
        since = datetime.fromisoformat(document.get("_since") or row.created_at)
        changes = {"status": TIMED_OUT} if ctx.now_datetime - since > PATIENCE else {}
    return ctx.tx.put(replace(row, document={**document, **changes})) if changes else row


def _published(rows: Snapshot | Transaction, row: Row) -> bool:
    """Whether the record is in public DNS, which is everybody's public zones, or in a private zone of the verification's account."""
    record = row.document["txtMethodConfig"]
    zones = (zone for zone in rows.rows(HOSTED_ZONE) if zone.account == row.account or not zone.document.get("_vpcs"))
    return any(_holds(item, record) for zone in zones for item in zone.document.get("_records") or ())


def _holds(item: dict[str, Any], record: dict[str, str]) -> bool:
    if item.get("Type") != "TXT" or str(item.get("Name", "")).lower().rstrip(".") != record["name"]:
        return False
    return any(str(value.get("Value", "")).strip('"') == record["value"] for value in item.get("ResourceRecords") or ())
