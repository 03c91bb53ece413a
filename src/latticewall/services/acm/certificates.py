"""Reading, listing, deleting and tagging certificates."""

from __future__ import annotations

from typing import Any

from latticewall.base.faults import Conflict, InUse, Invalid
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.acm.kinds import CERTIFICATE
from latticewall.services.acm.requesting import issue_if_valid

MOST_TAGS = 50
LISTED_BY_DEFAULT = ("RSA_1024", "RSA_2048")
"""Without a filter, ListCertificates shows only these ("ListCertificates", Includes)."""
_SUMMARY = (
    "CertificateArn", "DomainName", "Status", "Type", "KeyAlgorithm", "RenewalEligibility", "NotBefore", "NotAfter", "CreatedAt", "IssuedAt", "ImportedAt",
    "CertificateKeyPairOrigin",
)  # fmt: skip


def _find(ctx: Context, params: Document) -> Row:
    return issue_if_valid(ctx, ctx.resolve(CERTIFICATE, params["CertificateArn"]))


def describe(ctx: Context, params: Document) -> Document:
    """DescribeCertificate, looking for the validation records first."""
    return {"Certificate": ctx.view(_find(ctx, params))}


def get(ctx: Context, params: Document) -> Document:
    """GetCertificate: what was issued or imported, and the chain up to the root."""
    row = _find(ctx, params)
    if not row.document.get("_certificate"):
        raise Conflict(f"Certificate {row.arn} has not been issued: its status is {row.document['Status']}", code="RequestInProgressException")
    chain = row.document.get("_chain")
    return {"Certificate": row.document["_certificate"], **({"CertificateChain": chain} if chain else {})}


def listing(ctx: Context, params: Document) -> Document:
    """ListCertificates."""
    includes = params.get("Includes") or {}
    wanted: dict[str, Any] = {
        "Status": params.get("CertificateStatuses"), "CertificateKeyPairOrigin": params.get("CertificateKeyPairOrigins"),
        "KeyAlgorithm": includes.get("keyTypes") or LISTED_BY_DEFAULT,
    }  # fmt: skip
    if includes.get("managedBy"):
        return {"CertificateSummaryList": []}  # CloudFront manages none here
    shown = [_summary(ctx.view(issue_if_valid(ctx, row))) for row in ctx.live(CERTIFICATE)]
    for member, values in wanted.items():
        shown = [one for one in shown if not values or one[member] in values]
    for member, usages in (("KeyUsages", includes.get("keyUsage")), ("ExtendedKeyUsages", includes.get("extendedKeyUsage"))):
        shown = [one for one in shown if not usages or set(usages) & set(one[member])]
    if export := includes.get("exportOption"):
        shown = [one for one in shown if one["ExportOption"] == export]
    if params.get("SortBy"):
        shown.sort(key=lambda one: one["CreatedAt"], reverse=params.get("SortOrder") == "DESCENDING")
    return {"CertificateSummaryList": shown}


def _summary(detail: Document) -> Document:
    names = detail.get("SubjectAlternativeNames") or []
    return {
        **{member: detail[member] for member in _SUMMARY if member in detail}, "SubjectAlternativeNameSummaries": names,
        "HasAdditionalSubjectAlternativeNames": False, "KeyUsages": [usage["Name"] for usage in detail["KeyUsages"]],
        "ExtendedKeyUsages": [usage["Name"] for usage in detail["ExtendedKeyUsages"]], "InUse": bool(detail["InUseBy"]), "Exported": False,
        "ExportOption": "DISABLED",
    }  # fmt: skip


def delete(ctx: Context, params: Document) -> Document:
    """DeleteCertificate: refused while something uses it."""
    row = ctx.resolve(CERTIFICATE, params["CertificateArn"])
    if ctx.referring(row):
        raise InUse(f"Certificate {row.arn} in account {row.account} is in use.", kind=CERTIFICATE, id=row.arn)
    ctx.remove(row)
    return {}


def update_options(ctx: Context, params: Document) -> Document:
    """UpdateCertificateOptions: whether it would be logged for transparency, which the region's authority does nowhere."""
    row = ctx.resolve(CERTIFICATE, params["CertificateArn"])
    if row.document["Type"] != "AMAZON_ISSUED":
        raise Conflict(f"Certificate {row.arn} is imported: its options cannot be changed", code="InvalidStateException")
    if params["Options"].get("Export") == "ENABLED" or params["Options"].get("ValidationMethod") not in (None, "DNS"):
        raise Invalid("Only CertificateTransparencyLoggingPreference can be changed", code="ValidationException")
    ctx.change(row, {"Options": {**row.document["Options"], **params["Options"]}})
    return {}


# -- tags ----------------------------------------------------------------------------------------------------------------------------------


def add_tags(ctx: Context, params: Document) -> Document:
    row, added = ctx.resolve(CERTIFICATE, params["CertificateArn"]), tags.read(params["Tags"])
    if len({**row.tags, **added}) > MOST_TAGS:
        raise Invalid(f"A certificate can have at most {MOST_TAGS} tags", code="TooManyTagsException")
    ctx.tag(row, added)
    return {}


def remove_tags(ctx: Context, params: Document) -> Document:
    """RemoveTagsFromCertificate: a tag that is given with a value goes only if it has that value."""
    row = ctx.resolve(CERTIFICATE, params["CertificateArn"])
    ctx.tag(row, removed=[tag["Key"] for tag in params["Tags"] if tag.get("Value") in (None, row.tags.get(tag["Key"]))])
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    return {"Tags": tags.as_list(ctx.resolve(CERTIFICATE, params["CertificateArn"]).tags)}


OPERATIONS: dict[str, Handler] = {
    "DescribeCertificate": describe,
    "GetCertificate": get,
    "ListCertificates": listing,
    "DeleteCertificate": delete,
    "UpdateCertificateOptions": update_options,
    "AddTagsToCertificate": add_tags,
    "RemoveTagsFromCertificate": remove_tags,
    "ListTagsForCertificate": list_tags,
}
