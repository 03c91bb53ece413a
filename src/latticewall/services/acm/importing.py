"""ImportCertificate: a certificate from elsewhere, also in the place of one imported before ("Reimporting a certificate")."""

from __future__ import annotations

from latticewall.auth.certificate_authority import private_pem
from latticewall.base.faults import Invalid, LimitExceeded
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.acm import x509
from latticewall.services.acm.kinds import CERTIFICATE

MOST = 2500
"""Certificates of an account and region ("AWS Certificate Manager quotas")."""
MUST_STAY = ("KeyAlgorithm", "DomainName")


def import_certificate(ctx: Context, params: Document) -> Document:
    """ImportCertificate. Onto an ARN: whoever uses the certificate has the new one from now on."""
    certificate = x509.read_certificate(params["Certificate"], ctx.now_datetime)
    key = x509.read_key(params["PrivateKey"], certificate)
    chain = x509.read_chain(params.get("CertificateChain") or b"", certificate)
    document = {
        **x509.facts(certificate), "Type": "IMPORTED", "Status": "ISSUED", "ImportedAt": ctx.now, "CertificateKeyPairOrigin": "CUSTOMER_PROVIDED",
        "Options": {"CertificateTransparencyLoggingPreference": "DISABLED"}, "_chain": x509.chain_text(chain), "_private_key": private_pem(key).reveal(),
    }  # fmt: skip
    if not params.get("CertificateArn"):
        check_quota(ctx)
        return {"CertificateArn": ctx.create(CERTIFICATE, document, id=ctx.new_uuid(), tags=tags.read(params.get("Tags"))).arn}
    if params.get("Tags"):
        raise Invalid("You cannot apply tags when reimporting a certificate.", code="InvalidTagException")
    row = ctx.resolve(CERTIFICATE, params["CertificateArn"])
    if row.document["Type"] != "IMPORTED":
        raise x509.invalid(f"Certificate {row.arn} is not an imported certificate and cannot be reimported.")
    for member in MUST_STAY:
        if ctx.referring(row) and document.get(member) != row.document.get(member):
            raise x509.invalid(f"The certificate is in use; its {member} cannot change from {row.document.get(member)} to {document.get(member)}.")
    ctx.change(row, {**dict.fromkeys(row.document), **document})
    return {"CertificateArn": row.arn}


def check_quota(ctx: Context) -> None:
    """Raises LimitExceededException when there cannot be one more certificate."""
    if len(ctx.live(CERTIFICATE)) >= MOST:
        raise LimitExceeded("You have reached the maximum number of certificates. Delete certificates that are not in use.", kind=CERTIFICATE)


OPERATIONS: dict[str, Handler] = {"ImportCertificate": import_certificate}
