"""What ACM reads in a certificate, and what it refuses to import ("Prerequisites for importing certificates", "Certificate import problems")."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from latticewall.auth.certificate_authority import PrivateKey, fingerprint, load_key, pem
from latticewall.auth.certificate_signature import UNREADABLE
from latticewall.base.faults import Invalid
from latticewall.resources.kind import Document

RSA_BITS = (1024, 2048, 3072, 4096)
CURVES = {"secp256r1": "EC_prime256v1", "secp384r1": "EC_secp384r1", "secp521r1": "EC_secp521r1"}
BEGIN = b"-----BEGIN CERTIFICATE-----"
_USAGES = {
    "digital_signature": "DIGITAL_SIGNATURE", "content_commitment": "NON_REPUDIATION", "key_encipherment": "KEY_ENCIPHERMENT",
    "data_encipherment": "DATA_ENCIPHERMENT", "key_agreement": "KEY_AGREEMENT", "key_cert_sign": "CERTIFICATE_SIGNING", "crl_sign": "CRL_SIGNING",
}  # fmt: skip
_EXTENDED = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS_WEB_SERVER_AUTHENTICATION", ExtendedKeyUsageOID.CLIENT_AUTH: "TLS_WEB_CLIENT_AUTHENTICATION",
    ExtendedKeyUsageOID.CODE_SIGNING: "CODE_SIGNING", ExtendedKeyUsageOID.EMAIL_PROTECTION: "EMAIL_PROTECTION",
    ExtendedKeyUsageOID.TIME_STAMPING: "TIME_STAMPING", ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP_SIGNING", ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "ANY",
}  # fmt: skip
T = TypeVar("T", bound=x509.ExtensionType)


def invalid(message: str) -> Invalid:
    return Invalid(message, code="ValidationException")


def read_certificate(text: bytes, now: datetime) -> x509.Certificate:
    """The one certificate in PEM form, in force at `now`. Raises ValidationException."""
    if text.count(BEGIN) > 1:
        raise invalid("The certificate field contains more than one certificate. You can specify only one certificate in this field.")
    try:
        found = x509.load_pem_x509_certificate(text)
        names_of(found)  # a certificate whose names cannot be read is of no use either
        if found.version is not x509.Version.v3:
            raise invalid("The certificate must be an X.509 version 3 certificate.")
    except UNREADABLE as error:
        raise invalid("Unable to parse certificate. Please ensure the certificate is in PEM format.") from error
    if now < found.not_valid_before_utc:
        raise invalid("The certificate is not valid yet.")
    if now > found.not_valid_after_utc:
        raise invalid("The certificate has expired.")
    key_algorithm(found)
    return found


def read_key(text: bytes, certificate: x509.Certificate) -> PrivateKey:
    """The certificate's private key: PEM, not encrypted. Raises ValidationException."""
    if b"ENCRYPTED" in text:
        raise invalid("The private key must not be encrypted.")
    try:
        found = load_key(text)
    except (*UNREADABLE, TypeError) as error:
        raise invalid("The private key is not supported.") from error
    if found.public_key() != certificate.public_key():
        raise invalid("The private key does not match the certificate.")
    return found


def read_chain(text: bytes, certificate: x509.Certificate) -> list[x509.Certificate]:
    """The certificates that sign it, each the one before. Raises ValidationException: also for a certificate that needs a chain and has none."""
    try:
        found = x509.load_pem_x509_certificates(text) if text.strip() else []
    except UNREADABLE as error:
        raise invalid("Unable to parse certificate chain. Please ensure the certificate chain is in PEM format.") from error
    if not found and certificate.issuer == certificate.subject and not _signed_by(certificate, certificate):
        raise invalid("Provided certificate is not a valid self signed. Please provide either a valid self-signed certificate or certificate chain.")
    for signed, issuer in zip([certificate, *found], found, strict=False):
        if not _signed_by(signed, issuer):
            raise invalid("Could not validate the certificate with the certificate chain.")
    return found


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, *UNREADABLE):
        return False
    return True


def names_of(certificate: x509.Certificate) -> list[str]:
    """Its DNS names, lower case; the common name only when it has no subject alternative name."""
    alternative = _extension(certificate, x509.SubjectAlternativeName)
    if alternative is not None:
        return [name.lower() for name in alternative.get_values_for_type(x509.DNSName)]
    return [name.lower() for name in _common_names(certificate)]


def _common_names(certificate: x509.Certificate) -> list[str]:
    return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def key_algorithm(certificate: x509.Certificate) -> str:
    """ACM's word for its key. Raises ValidationException for a key that ACM does not take."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in RSA_BITS:
            return f"RSA_{key.key_size}"
        raise invalid("The private key length is not supported for key algorithm.")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return CURVES[key.curve.name]
    raise invalid("The key algorithm of the certificate is not supported.")


def facts(certificate: x509.Certificate) -> Document:
    """The members of CertificateDetail that are read out of the certificate, and what is kept for the data plane."""
    names = names_of(certificate)
    serial = f"{certificate.serial_number:x}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    algorithm = "ECDSA" if isinstance(certificate.public_key(), ec.EllipticCurvePublicKey) else "RSA"
    digest = certificate.signature_hash_algorithm
    found: Document = {
        "SubjectAlternativeNames": names, "Serial": ":".join(serial[at : at + 2] for at in range(0, len(serial), 2)),
        "Subject": certificate.subject.rfc4514_string(), "Issuer": _issuer(certificate), "NotBefore": _iso(certificate.not_valid_before_utc),
        "NotAfter": _iso(certificate.not_valid_after_utc), "KeyAlgorithm": key_algorithm(certificate),
        "SignatureAlgorithm": f"{digest.name.upper() if digest else ''}WITH{algorithm}",
        "KeyUsages": [{"Name": name} for name in _usages(certificate)],
        "ExtendedKeyUsages": [
            {"Name": _EXTENDED.get(usage, "CUSTOM"), "OID": usage.dotted_string} for usage in _extension(certificate, x509.ExtendedKeyUsage) or ()
        ],
        "_certificate": pem(certificate), "_fingerprint": fingerprint(certificate),
    }  # fmt: skip
    if domain := next(iter([*names, *_common_names(certificate)]), ""):
        found["DomainName"] = domain
    return found


def chain_text(chain: Sequence[x509.Certificate]) -> str:
    return "".join(map(pem, chain))


def _usages(certificate: x509.Certificate) -> list[str]:
    usage = _extension(certificate, x509.KeyUsage)
    return [word for name, word in _USAGES.items() if usage is not None and getattr(usage, name)]


def _issuer(certificate: x509.Certificate) -> str:
    """The issuer's organization, as ACM shows it, else its name."""
    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        if found := certificate.issuer.get_attributes_for_oid(oid):
            return str(found[0].value)
    return certificate.issuer.rfc4514_string()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
