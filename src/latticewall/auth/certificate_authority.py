"""The region's own certificate authority: a root and the server certificates it signs.

It stands where AWS has Amazon Trust Services: behind certificates that ACM issues, and behind the certificate of Lattice's generated names. Serial numbers
and keys are the operating system's randomness; time is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from latticewall.base.secret import Secret

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=395)
"""Thirteen months, as ACM's certificates have had ("Managed certificate renewal in AWS Certificate Manager")."""
SKEW = timedelta(hours=1)
"""How much earlier than now a certificate begins: clocks differ."""
ROOT_SKEW = timedelta(days=365)
"""The same of the root, which is made once: the clock may have been wrong then."""
RENEW_BEFORE = timedelta(days=60)
"""As ACM renews ("Managed certificate renewal in AWS Certificate Manager")."""
LONGEST_COMMON_NAME = 64
RSA_BITS = 2048
_CURVES = {"EC_prime256v1": ec.SECP256R1, "EC_secp384r1": ec.SECP384R1}


class CertificateAuthority:
    """key, certificate: of the root. Never printed."""

    __slots__ = ("_certificate", "_key")

    def __init__(self, key: PrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @property
    def root(self) -> str:
        """The root's certificate, PEM."""
        return pem(self._certificate)

    def issue(self, names: Sequence[str], public_key: PublicKey, now: datetime) -> x509.Certificate:
        """A server certificate for these domain names (the first one is its subject, if short enough). now: aware, UTC."""
        common = [x509.NameAttribute(NameOID.COMMON_NAME, names[0])] if len(names[0]) <= LONGEST_COMMON_NAME else []
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(common))
            .issuer_name(self._certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True, key_encipherment=isinstance(public_key, rsa.RSAPublicKey)), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=not common)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def new_authority(now: datetime) -> tuple[PrivateKey, x509.Certificate]:
    """The key and certificate of a new root. now: aware, UTC."""
    key = new_key("RSA_2048")
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "latticewall"), x509.NameAttribute(NameOID.COMMON_NAME, "latticewall region root CA")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - ROOT_SKEW)
        .not_valid_after(now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return key, builder.sign(key, hashes.SHA256())


def is_to_renew(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether a certificate that this authority has issued ends soon, or has not begun yet: the clock was set back. now: aware, UTC."""
    return not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def new_key(algorithm: str) -> PrivateKey:
    """algorithm: ACM's word, one of RSA_2048, EC_prime256v1, EC_secp384r1."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm]())
    return rsa.generate_private_key(65537, RSA_BITS)


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: PrivateKey) -> Secret:
    """PKCS #8, PEM, not encrypted."""
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Secret(text.decode())


def load_key(text: bytes) -> PrivateKey:
    """A private key in PEM form that is not encrypted. Raises ValueError (with cryptography's kin) and TypeError for anything else."""
    found = serialization.load_pem_private_key(text, None)
    if not isinstance(found, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("neither an RSA nor an elliptic curve key")
    return found


def fingerprint(certificate: x509.Certificate) -> str:
    """What tells two certificates apart: SHA-256, hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _usage(**granted: bool) -> x509.KeyUsage:
    nothing = dict.fromkeys(
        (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
            "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip
    return x509.KeyUsage(**{**nothing, **granted})
