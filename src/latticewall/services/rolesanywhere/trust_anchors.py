"""Trust anchors: the CA certificates that an account trusts ("CreateTrustAnchor", "The IAM Roles Anywhere trust model")."""

from __future__ import annotations

from typing import Any

from cryptography import x509

from latticewall.auth.certificate_signature import UNREADABLE
from latticewall.base.faults import Invalid, Unsupported
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.rolesanywhere.certificate_path import is_authority, limits_names
from latticewall.services.rolesanywhere.kinds import ANCHOR
from latticewall.services.rolesanywhere.shared import about, refuse_unsupported

MAX_CERTIFICATES = 10


def create(ctx: Context, params: Document) -> Document:
    refuse_unsupported(params)
    document = {"source": _source(params["source"]), "enabled": bool(params.get("enabled")), "name": params["name"]}
    row = ctx.create(ANCHOR, document, id=ctx.new_uuid(), name=params["name"], tags=tags.read(params.get("tags")))
    return {"trustAnchor": ctx.view(row)}


def update(ctx: Context, params: Document) -> Document:
    refuse_unsupported(params)
    row = ctx.resolve(ANCHOR, params["trustAnchorId"])
    members: Document = {"source": _source(params["source"])} if params.get("source") else {}
    if params.get("name"):
        row.name = members["name"] = params["name"]
    return {"trustAnchor": ctx.view(ctx.change(row, members))}


def _source(given: dict[str, Any]) -> Document:
    """The source as it is kept. Raises ValidationException unless it is a bundle of CA certificates."""
    kind, data = given.get("sourceType"), given.get("sourceData") or {}
    if kind == "AWS_ACM_PCA":
        raise Unsupported("trust anchors of type AWS_ACM_PCA are not supported by latticewall: there is no AWS Private CA")
    text = data.get("x509CertificateData")
    if kind != "CERTIFICATE_BUNDLE" or not text:
        raise Invalid("The source must be of type CERTIFICATE_BUNDLE, with x509CertificateData")
    certificates = bundle(text)
    if len(certificates) > MAX_CERTIFICATES:
        raise Invalid(f"A trust anchor holds at most {MAX_CERTIFICATES} certificates")
    for certificate in certificates:
        if not is_authority(certificate):
            raise Invalid("Incorrect basic constraints for CA certificate")
        if limits_names(certificate):
            raise Invalid("CA certificates with name constraints are not supported by latticewall: what they limit would not be")
    return {"sourceType": kind, "sourceData": {"x509CertificateData": text}}


def bundle(text: str) -> list[x509.Certificate]:
    """The certificates of a bundle in PEM form. Raises ValidationException."""
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except UNREADABLE as error:
        raise Invalid("Unable to parse the certificate bundle: it must hold X.509 certificates in PEM form") from error


OPERATIONS: dict[str, Handler] = {**about(ANCHOR, "trustAnchor", "TrustAnchors"), "CreateTrustAnchor": create, "UpdateTrustAnchor": update}
