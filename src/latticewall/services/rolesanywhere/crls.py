"""Certificate revocation lists of trust anchors ("ImportCrl"; RFC 5280 section 5)."""

from __future__ import annotations

from cryptography import x509

from latticewall.auth.certificate_signature import UNREADABLE
from latticewall.base.faults import Invalid
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.rolesanywhere.kinds import CRL
from latticewall.services.rolesanywhere.shared import about, refuse_unsupported


def import_crl(ctx: Context, params: Document) -> Document:
    refuse_unsupported(params)
    document = {
        "name": params["name"], "enabled": bool(params.get("enabled")), "crlData": _text(params["crlData"]), "trustAnchorArn": params["trustAnchorArn"],
    }  # fmt: skip
    refs = {"trustAnchorArn": params["trustAnchorArn"]}
    row = ctx.create(CRL, document, id=ctx.new_uuid(), name=params["name"], tags=tags.read(params.get("tags")), refs=refs)
    return {"crl": ctx.view(row)}


def update(ctx: Context, params: Document) -> Document:
    refuse_unsupported(params)
    row = ctx.resolve(CRL, params["crlId"])
    members: Document = {"crlData": _text(params["crlData"])} if params.get("crlData") else {}
    if params.get("name"):
        row.name = members["name"] = params["name"]
    return {"crl": ctx.view(ctx.change(row, members))}


def _text(given: bytes | str) -> str:
    """A list in PEM form. Raises ValidationException, also for lists that speak of other certificates than their issuer's, or of changes only."""
    data = given.encode() if isinstance(given, str) else given
    try:
        critical = [extension.oid.dotted_string for extension in x509.load_pem_x509_crl(data).extensions if extension.critical]
        text = data.decode("ascii")
    except UNREADABLE as error:
        raise Invalid("Unable to parse the certificate revocation list: it must be in PEM form") from error
    if critical:
        raise Invalid(f"The certificate revocation list has a critical extension that is not supported: {critical[0]}")
    return text


OPERATIONS: dict[str, Handler] = {**about(CRL, "crl", "Crls"), "ImportCrl": import_crl, "UpdateCrl": update}
