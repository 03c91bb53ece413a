"""Signature Version 4 made with the private key of an X.509 certificate, as IAM Roles Anywhere takes it.

Page: "The IAM Roles Anywhere authentication signing process" (IAM Roles Anywhere User Guide). The certificate travels in the request, so that a
signature proves who holds its key, and nothing about whom the certificate is trusted by: that is decided where the trust anchor is known.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from latticewall.auth.canonical import Head, canonical_request, digest, generic_uri, has_bad_escape
from latticewall.auth.signature import TERMINATOR, Signature, check_amz_headers, check_time, incomplete, mismatch, parse_date, scope_faults
from latticewall.auth.sigv4 import CONTROL_PLANE_SKEW
from latticewall.base.faults import Denied

SERVICE = "rolesanywhere"
CERTIFICATE = "Certificate"
"""The type of a caller that is known by his certificate alone; no policy speaks for him."""
ALGORITHMS = {"AWS4-X509-RSA-SHA256": rsa.RSAPublicKey, "AWS4-X509-ECDSA-SHA256": ec.EllipticCurvePublicKey}
UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What reading a strange certificate, or a part of it, raises."""
_PREFIX = "AWS4-X509-"
_ONCE = ("authorization", "x-amz-date", "x-amz-x509", "x-amz-x509-chain", "x-amz-content-sha256")
_SIGNED = frozenset({"content-type", "host", "x-amz-date", "x-amz-x509"})
_LONGEST_SIGNATURE = 2048
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class CertifiedRequest:
    """Who signed. fingerprint: SHA-256 of the certificate, hexadecimal."""

    fingerprint: str
    region: str
    service: str


def has_certificate_signature(head: Head) -> bool:
    """Whether the request claims to be signed with a certificate's key."""
    return any(value.strip(" \t").startswith(_PREFIX) for value in head.by_name.get("authorization", ()))


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def read_certificate(text: str) -> x509.Certificate:
    """A certificate as the headers carry it: base64 of its DER form. Raises Denied for anything else."""
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except UNREADABLE as error:
        raise Denied("The X.509 certificate of the request cannot be read.", code="AccessDeniedException") from error


def verify_certificate_signature(head: Head, body: bytes, now: datetime) -> CertifiedRequest:
    """Check that the request was signed, now and for Roles Anywhere, with the key of the certificate it carries. now: aware, UTC.

    Raises Denied or Invalid as `auth.sigv4.verify` does.
    """
    if not head.is_bytes or has_bad_escape(head.target):
        raise incomplete("The request's target holds an incomplete percent escape, or its head is not a sequence of bytes.")
    for name in _ONCE:
        if len(head.by_name.get(name, ())) > 1:
            raise incomplete(f"The request has more than one '{name}' header.")
    algorithm, signature = _parse(head)
    _check_scope(signature)
    check_amz_headers(head, signature)
    check_time(signature, now, CONTROL_PLANE_SKEW)
    certificate = read_certificate(head.first("x-amz-x509") or "")
    if signature.access_key_id != str(certificate.serial_number):
        raise mismatch("The Credential does not name the serial number of the certificate.")
    payload = hashlib.sha256(body).hexdigest()
    if head.first("x-amz-content-sha256") not in (None, payload):
        raise mismatch()
    request = canonical_request(head, generic_uri(head.path), signature.signed_headers, payload)
    _check_signature(certificate, algorithm, signature.value, _string_to_sign(algorithm, signature.stamp, signature.scope, request))
    return CertifiedRequest(fingerprint(certificate), signature.region, signature.service)


def _parse(head: Head) -> tuple[str, Signature]:
    """(algorithm, the parts of the Authorization header)."""
    algorithm, _, rest = (head.first("authorization") or "").partition(" ")
    if algorithm not in ALGORITHMS:
        raise incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    parts: dict[str, str] = {}
    for item in rest.split(","):
        name, _, value = item.strip(" \t").partition("=")
        if name in parts:
            raise incomplete(f"Authorization header has more than one '{name}' parameter.")
        parts[name] = value
    missing = [f"Authorization header requires '{name}' parameter." for name in ("Credential", "Signature", "SignedHeaders") if not parts.get(name)]
    moment = parse_date(head.first("x-amz-date") or "")
    if moment is None:
        missing.append("Authorization header requires existence of a 'X-Amz-Date' header.")
    elements = parts.get("Credential", "").split("/")
    if missing or moment is None:
        raise incomplete(" ".join([*missing, f"Authorization={algorithm}"]))
    if len(elements) != 5:
        raise incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got " f"'{parts['Credential']}'")
    names = tuple(parts["SignedHeaders"].split(";"))
    if any(name != name.lower() for name in names) or list(names) != sorted(set(names)):
        raise mismatch()
    if absent := sorted((_SIGNED - set(names)) | {name for name in names if name not in head.by_name}):
        raise incomplete(f"'{absent[0]}' must be a 'SignedHeader' in the AWS Authorization, and a header of the request.")
    serial, day, region, service, terminator = elements
    return algorithm, Signature(serial, day, region, service, terminator, names, parts["Signature"], moment)


def _check_scope(signature: Signature) -> None:
    faults = [] if signature.service == SERVICE else [f"Credential should be scoped to correct service: '{SERVICE}'."]
    if not signature.region.replace("-", "").isalnum() or not signature.region.isascii():
        faults.append(f"Credential should be scoped to a valid region, not '{signature.region}'.")
    if faults := faults + scope_faults(signature):
        raise mismatch(" ".join(faults))


def _string_to_sign(algorithm: str, stamp: str, scope: str, request: str) -> bytes:
    return "\n".join((algorithm, stamp, scope, digest(request))).encode("latin-1")


def _check_signature(certificate: x509.Certificate, algorithm: str, value: str, signed: bytes) -> None:
    """Raises SignatureDoesNotMatch unless the certificate's key made the signature."""
    try:
        key = certificate.public_key()
        given = bytes.fromhex(value) if len(value) <= _LONGEST_SIGNATURE else b""
        if not isinstance(key, ALGORITHMS[algorithm]):
            raise mismatch()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(given, signed, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(given, signed, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, *UNREADABLE) as error:
        raise mismatch() from error


@dataclass(frozen=True)
class CertifiedKey:
    """What a workload signs with. chain: further certificates, from the certificate's issuer towards the root."""

    certificate: x509.Certificate
    key: PrivateKey
    chain: Sequence[x509.Certificate] = ()


def sign_with_certificate(url: str, headers: Mapping[str, str], body: bytes, holder: CertifiedKey, region: str, now: datetime) -> dict[str, str]:
    """The headers to send with a POST: those given, which must have a Content-Type, with date, certificates and Authorization."""
    certificate, key = holder.certificate, holder.key
    parts, stamp = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "Host": parts.netloc, "X-Amz-Date": stamp, "X-Amz-X509": _carried(certificate)}
    if holder.chain:
        sent["X-Amz-X509-Chain"] = ",".join(map(_carried, holder.chain))
    algorithm = "AWS4-X509-RSA-SHA256" if isinstance(key, rsa.RSAPrivateKey) else "AWS4-X509-ECDSA-SHA256"
    scope = f"{stamp[:8]}/{region}/{SERVICE}/{TERMINATOR}"
    names = sorted(name.lower() for name in sent)
    head = Head("POST", parts.path + (f"?{parts.query}" if parts.query else ""), tuple(sent.items()))
    signed = _string_to_sign(algorithm, stamp, scope, canonical_request(head, generic_uri(parts.path), names, hashlib.sha256(body).hexdigest()))
    value = _signature(key, signed)
    credential = f"Credential={certificate.serial_number}/{scope}"
    sent["Authorization"] = f"{algorithm} {credential}, SignedHeaders={';'.join(names)}, Signature={value.hex()}"
    return sent


def _signature(key: PrivateKey, signed: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(signed, ec.ECDSA(hashes.SHA256()))


def _carried(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
