"""Domain verifications ("Custom domain names for VPC resources"): a TXT record proves that a domain is one's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import dns, quotas, text
from latticewall.services.vpc_lattice.nouns import DOMAIN_VERIFICATION, HOSTED_ZONE


def start_domain_verification(ctx: Context, params: Document) -> Document:
    """StartDomainVerification: says which TXT record to make."""
    existing = ctx.live(DOMAIN_VERIFICATION)
    domain = dns.check_name("domainName", params["domainName"].rstrip(".")).lower()
    for row in existing:
        if row.document["domainName"] == domain:
            raise text.conflict(DOMAIN_VERIFICATION, row.id, f"A domain verification of {domain} already exists: {row.id}")
    quotas.check(DOMAIN_VERIFICATION, len(existing) + 1)
    record = {"name": f"_{ctx.new_id(digits=32)}.{domain}", "value": f"vpc-lattice:{ctx.new_id(digits=32)}"}
    document = {"domainName": domain, "status": "PENDING", "txtMethodConfig": record}
    return ctx.view(ctx.create(DOMAIN_VERIFICATION, document, tags=tags.read(params.get("tags"))))


def get_domain_verification(ctx: Context, params: Document) -> Document:
    """GetDomainVerification, looking for the record first."""
    return ctx.view(verify(ctx, ctx.resolve(DOMAIN_VERIFICATION, params["domainVerificationIdentifier"])))


def list_domain_verifications(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of a handler
    """ListDomainVerifications."""
    return {"items": [ctx.view(verify(ctx, row)) for row in ctx.live(DOMAIN_VERIFICATION)]}


def verify_pending(ctx: Context) -> None:
    """Look for the records of all pending verifications of the store."""
    for row in ctx.tx.rows(DOMAIN_VERIFICATION):
        verify(ctx, row)


def verify(ctx: Context, row: Row) -> Row:
    """VERIFIED as soon as a public hosted zone of the verification's account holds the TXT record."""
    if row.document["status"] != "PENDING" or not _published(ctx, row):
        return row
    return ctx.tx.put(replace(row, document={**row.document, "status": "VERIFIED", "lastVerifiedTime": ctx.now}))


def _published(ctx: Context, row: Row) -> bool:
    record = row.document["txtMethodConfig"]
    zones = [zone for zone in ctx.tx.rows(HOSTED_ZONE, account=row.account) if not zone.document.get("_vpcs")]
    return any(_holds(item, record) for zone in zones for item in zone.document.get("_records") or ())


def _holds(item: dict[str, Any], record: dict[str, str]) -> bool:
    if item.get("Type") != "TXT" or str(item.get("Name", "")).lower().rstrip(".") != record["name"]:
        return False
    return any(str(value.get("Value", "")).strip('"') == record["value"] for value in item.get("ResourceRecords") or ())
