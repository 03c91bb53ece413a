"""From a workload's certificate up to a trust anchor: RFC 5280 section 6, with what Roles Anywhere asks of end entities.

Page: "The IAM Roles Anywhere trust model" (signature validation). Stricter than AWS may be in two places: a critical extension that is not understood here is
refused, whatever it is; and a revocation list that is out of date says nothing good about anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from latticewall.auth.certificate_signature import UNREADABLE

LONGEST_PATH = 6
"""Certificates of a path, the workload's and the anchor's included."""
SMALLEST_RSA = 2048
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE, ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)  # fmt: skip
T = TypeVar("T", bound=x509.ExtensionType)
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class Untrusted(Exception):
    """Why a certificate is not trusted."""


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates."""
    try:
        usage = _extension(certificate, x509.KeyUsage)
        constraints = _extension(certificate, x509.BasicConstraints)
    except UNREADABLE:
        return False
    return constraints is not None and constraints.ca and (usage is None or usage.key_cert_sign)


def limits_names(certificate: x509.Certificate) -> bool:
    """Whether an authority may speak for some names only, be it said as critical or not."""
    return _extension(certificate, x509.NameConstraints) is not None


def trusted_path(
    certificate: x509.Certificate, chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime
) -> tuple[x509.Certificate, ...]:
    """The certificates from the workload's to an anchor's. now: aware, UTC. Raises Untrusted."""
    try:
        _check_end_entity(certificate)
        for one in (certificate, *chain):
            _check_each(one)
        _check_dates(certificate, now)
        path = _climb((certificate,), chain, anchors, now)
    except UNREADABLE as error:
        raise Untrusted("a certificate cannot be read") from error
    if path is None:
        raise Untrusted("no valid chain of certificates leads to the trust anchor")
    return path


def check_revocation(path: Sequence[x509.Certificate], lists: Iterable[x509.CertificateRevocationList], now: datetime) -> None:
    """Raises Untrusted if a list of an issuer in the path revokes the certificate it issued, or is out of date or unreadable."""
    try:
        _check_lists(path, tuple(lists), now)
    except UNREADABLE as error:
        raise Untrusted("a certificate revocation list cannot be read") from error


def _check_lists(path: Sequence[x509.Certificate], known: Sequence[x509.CertificateRevocationList], now: datetime) -> None:
    for certificate, issuer in pairwise(path):
        key = issuer.public_key()
        for crl in known:
            if crl.issuer != certificate.issuer or not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) or not crl.is_signature_valid(key):
                continue
            if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                raise Untrusted("Certificate revoked")
            if crl.next_update_utc is not None and now > crl.next_update_utc:
                raise Untrusted("the certificate revocation list of its issuer is out of date")


def _climb(
    path: tuple[x509.Certificate, ...], chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime
) -> tuple[x509.Certificate, ...] | None:
    """The path continued to an anchor, the first that holds; None if there is none."""
    if len(path) >= LONGEST_PATH:
        return None
    for anchor in anchors:
        if _issued(path, anchor) and _in_force(anchor, now):
            return (*path, anchor)
    for issuer in chain:
        if issuer not in path and _issued(path, issuer) and _in_force(issuer, now) and (found := _climb((*path, issuer), chain, anchors, now)):
            return found
    return None


def _issued(path: tuple[x509.Certificate, ...], issuer: x509.Certificate) -> bool:
    """Whether `issuer` may have signed, and signed, the last certificate of the path. One that limits names is not believed: its limits are not understood."""
    constraints = _extension(issuer, x509.BasicConstraints)
    if limits_names(issuer) or path[-1].issuer != issuer.subject or not is_authority(issuer) or constraints is None:
        return False
    between = sum(one.subject != one.issuer for one in path[1:])
    if constraints.path_length is not None and between > constraints.path_length:
        return False
    try:
        path[-1].verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, *UNREADABLE):
        return False
    return True


def _check_end_entity(certificate: x509.Certificate) -> None:
    constraints, usage = _extension(certificate, x509.BasicConstraints), _extension(certificate, x509.KeyUsage)
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    if certificate.version is not x509.Version.v3:
        raise Untrusted("the certificate is not of version 3")
    if constraints is None or constraints.ca:
        raise Untrusted("its basic constraints must say CA: false")
    if usage is None or not usage.digital_signature:
        raise Untrusted("its key usage must include digital signature")
    if extended is not None and not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(extended):
        raise Untrusted("its extended key usage must include client authentication")


def _check_each(certificate: x509.Certificate) -> None:
    """What holds for every certificate that somebody sends."""
    if not isinstance(certificate.signature_hash_algorithm, _STRONG):
        raise Untrusted("it is not signed with SHA-256 or stronger")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_RSA:
        raise Untrusted(f"its RSA key is shorter than {SMALLEST_RSA} bits")
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise Untrusted(f"it has a critical extension that is not supported: {extension.oid.dotted_string}")


def _check_dates(certificate: x509.Certificate, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        raise Untrusted("the certificate is not valid yet")
    if now > certificate.not_valid_after_utc:
        raise Untrusted("the certificate has expired")


def _in_force(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
