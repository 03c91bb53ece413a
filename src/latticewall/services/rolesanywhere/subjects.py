"""Subjects: who has asked for credentials, by the subject of the certificate ("GetSubject")."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.rolesanywhere.kinds import SUBJECT

KEPT_CREDENTIALS = 10
"""Certificates remembered of one subject, the latest first."""


def seen(ctx: Context, certificate: x509.Certificate) -> Row:
    """Note that the certificate was used; returns its subject. ctx: of the account."""
    name = certificate.subject.rfc4514_string()
    credential = {
        "seenAt": ctx.now, "serialNumber": format(certificate.serial_number, "x"), "issuer": certificate.issuer.rfc4514_string(), "enabled": True,
        "x509CertificateData": certificate.public_bytes(Encoding.PEM).decode(), "failed": False,
    }  # fmt: skip
    row = next((row for row in ctx.rows(SUBJECT) if row.document["x509Subject"] == name), None)
    if row is None:
        document = {"x509Subject": name, "enabled": True, "lastSeenAt": ctx.now, "credentials": [credential]}
        return ctx.create(SUBJECT, document, id=ctx.new_uuid())
    others = [one for one in row.document["credentials"] if one["x509CertificateData"] != credential["x509CertificateData"]]
    return ctx.change(row, {"lastSeenAt": ctx.now, "credentials": [credential, *others][:KEPT_CREDENTIALS]})


def get(ctx: Context, params: Document) -> Document:
    return {"subject": ctx.view(ctx.resolve(SUBJECT, params["subjectId"]))}


def listing(ctx: Context, _: Document) -> Document:
    return {"subjects": [ctx.view(row) for row in ctx.rows(SUBJECT)]}


OPERATIONS: dict[str, Handler] = {"GetSubject": get, "ListSubjects": listing}
