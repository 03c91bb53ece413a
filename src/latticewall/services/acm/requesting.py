"""RequestCertificate, and the validation by DNS that it waits for ("AWS Certificate Manager DNS validation").

The region's authority signs as soon as a public hosted zone of the certificate's account holds the CNAME record of every name. The key is made at the
request. A record that has been shown for a name stays the same for the account, as in AWS, so that one record validates every later request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from latticewall.auth.certificate_authority import CertificateAuthority, load_key, new_key, private_pem
from latticewall.base.faults import Invalid
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.acm import x509
from latticewall.services.acm.importing import check_quota
from latticewall.services.acm.kinds import CERTIFICATE, HOSTED_ZONE

MOST_NAMES = 10
"""Of one certificate ("AWS Certificate Manager quotas": the default)."""
REPLAY = timedelta(hours=1)
"""How long an idempotency token stands for the same request."""
WAITING = timedelta(hours=72)
"""How long the records may be missing before the request fails."""
ALGORITHMS = ("RSA_2048", "EC_prime256v1", "EC_secp384r1")
RESERVED = ".on.aws"


def request_certificate(ctx: Context, params: Document) -> Document:
    """RequestCertificate: PENDING_VALIDATION until the records are there."""
    _refuse_unsupported(params)
    names = list(dict.fromkeys(name.lower() for name in (params["DomainName"], *(params.get("SubjectAlternativeNames") or ()))))
    if len(names) > MOST_NAMES:
        raise Invalid(f"The limit of {MOST_NAMES} domain names in one certificate has been reached", code="LimitExceededException")
    for name in names:
        if name.endswith(RESERVED):
            raise Invalid(f"The domain name {name} is reserved: nobody may ask for a certificate of a generated name", code="InvalidParameterException")
    if known := _replayed(ctx, str(params.get("IdempotencyToken") or ""), names):
        return {"CertificateArn": known.arn}
    check_quota(ctx)
    key = new_key(params.get("KeyAlgorithm") or "RSA_2048")
    options = params.get("Options") or {}
    document = {
        "DomainName": names[0], "SubjectAlternativeNames": names, "Type": "AMAZON_ISSUED", "Status": "PENDING_VALIDATION",
        "DomainValidationOptions": [_validation(ctx.caller.account, ctx.caller.region, name) for name in names],
        "KeyAlgorithm": params.get("KeyAlgorithm") or "RSA_2048", "CertificateKeyPairOrigin": "AWS_MANAGED", "KeyUsages": [], "ExtendedKeyUsages": [],
        "Options": {"CertificateTransparencyLoggingPreference": options.get("CertificateTransparencyLoggingPreference") or "ENABLED", "Export": "DISABLED"},
        "_private_key": private_pem(key).reveal(), "_token": params.get("IdempotencyToken"),
    }  # fmt: skip
    row = ctx.create(CERTIFICATE, document, id=ctx.new_uuid(), tags=tags.read(params.get("Tags")))
    return {"CertificateArn": issue_if_valid(ctx, row).arn}


def _refuse_unsupported(params: Document) -> None:
    if params.get("CertificateAuthorityArn"):
        raise Invalid("CertificateAuthorityArn is not supported by latticewall: there is no AWS Private CA", code="InvalidParameterException")
    if params.get("ManagedBy"):
        raise Invalid("ManagedBy is not supported by latticewall: there is no CloudFront", code="InvalidParameterException")
    if (method := params.get("ValidationMethod") or "DNS") != "DNS":
        raise Invalid(f"ValidationMethod {method} is not supported by latticewall: only DNS is", code="InvalidParameterException")
    if (params.get("Options") or {}).get("Export") == "ENABLED":
        raise Invalid("Options.Export is not supported by latticewall: private keys do not leave the region", code="InvalidParameterException")
    if (algorithm := params.get("KeyAlgorithm")) and algorithm not in ALGORITHMS:
        raise Invalid(f"KeyAlgorithm {algorithm} cannot be requested; {', '.join(ALGORITHMS)} can", code="InvalidParameterException")
    for option in params.get("DomainValidationOptions") or ():
        domain, parent = option["DomainName"].lower(), option["ValidationDomain"].lower()
        if domain != parent and not domain.endswith("." + parent):
            raise Invalid(f"ValidationDomain {parent} is not {domain} or above it", code="InvalidDomainValidationOptionsException")


def _replayed(ctx: Context, token: str, names: Sequence[str]) -> Row | None:
    """What the same request made within the last hour."""
    for row in ctx.live(CERTIFICATE) if token else ():
        recent = datetime.fromisoformat(row.created_at) > ctx.now_datetime - REPLAY
        if recent and row.document.get("_token") == token and row.document["SubjectAlternativeNames"] == list(names):
            return row
    return None


def _validation(account: str, region: str, name: str) -> Document:
    """What proves that a name is the account's: a wildcard is proved by the record of the name below it."""
    plain = name.removeprefix("*.")
    left, right = (hashlib.sha256(f"{side}/{account}/{region}/{plain}".encode()).hexdigest()[:32] for side in ("name", "value"))
    record = {"Name": f"_{left}.{plain}.", "Type": "CNAME", "Value": f"_{right}.acm-validations.aws."}
    return {"DomainName": name, "ValidationDomain": plain, "ValidationStatus": "PENDING_VALIDATION", "ResourceRecord": record, "ValidationMethod": "DNS"}


def issue_pending(ctx: Context) -> None:
    """Look for the records of all pending certificates of the store."""
    for row in ctx.tx.rows(CERTIFICATE):
        issue_if_valid(ctx, row)


def issue_if_valid(ctx: Context, row: Row) -> Row:
    """The certificate as it is now: issued if all of its records are there, failed if they were missing for too long."""
    if row.document["Status"] != "PENDING_VALIDATION":
        return row
    published = _published(ctx, row)
    options = [
        {**one, "ValidationStatus": "SUCCESS" if _holds(published, one["ResourceRecord"]) else "PENDING_VALIDATION"}
        for one in row.document["DomainValidationOptions"]
    ]
    if all(one["ValidationStatus"] == "SUCCESS" for one in options):
        return ctx.change(row, {"DomainValidationOptions": options, **_issued(ctx, row)})
    if datetime.fromisoformat(row.created_at) + WAITING < ctx.now_datetime:
        failed = [{**one, "ValidationStatus": "FAILED" if one["ValidationStatus"] != "SUCCESS" else "SUCCESS"} for one in options]
        return ctx.change(row, {"DomainValidationOptions": failed, "Status": "VALIDATION_TIMED_OUT"})
    return ctx.change(row, {"DomainValidationOptions": options}) if options != row.document["DomainValidationOptions"] else row


def _issued(ctx: Context, row: Row) -> Document:
    authority: CertificateAuthority = ctx.ports["certificate_authority"]
    names = row.document["SubjectAlternativeNames"]
    certificate = authority.issue(names, load_key(row.document["_private_key"].encode()).public_key(), ctx.now_datetime)
    known = {**x509.facts(certificate), "SubjectAlternativeNames": names, "DomainName": row.document["DomainName"]}
    return {**known, "Issuer": "Amazon", "Status": "ISSUED", "IssuedAt": ctx.now, "_chain": authority.root}


def _published(ctx: Context, row: Row) -> dict[str, set[str]]:
    """The CNAME records in public hosted zones of the certificate's account: name -> values, without final dots."""
    found: dict[str, set[str]] = {}
    for zone in ctx.tx.rows(HOSTED_ZONE, account=row.account):
        for record in zone.document.get("_records") or () if not zone.document.get("_vpcs") else ():
            if record["Type"] == "CNAME":
                values = {str(value["Value"]).lower().rstrip(".") for value in record.get("ResourceRecords") or ()}
                found.setdefault(record["Name"].lower().rstrip("."), set()).update(values)
    return found


def _holds(published: dict[str, set[str]], record: dict[str, Any]) -> bool:
    return record["Value"].rstrip(".") in published.get(record["Name"].rstrip("."), ())


OPERATIONS: dict[str, Handler] = {"RequestCertificate": request_certificate}
