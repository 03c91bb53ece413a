"""The region's own certificate, and the signatures of instance identity documents.

AWS: "Instance identity documents for Amazon EC2 instances", "Verify the instance identity document ...". Made once per region and kept in its state
folder: whoever verifies a document takes the certificate from there. Both PKCS #7 forms carry an RSA 2048 signature (AWS signs `pkcs7` with DSA).
"""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

CERTIFICATE, KEY = "certificate.pem", "key.pem"
_LIFETIME = timedelta(days=36500)
_LINE = 64
_KNOWN = 4096
"""Documents whose signatures are remembered, so that an unchanged instance costs nothing."""


class IdentitySigner:
    """Signs with the key in `folder`; makes key and certificate when there is none. Raises OSError, and ValueError for files that are no such pair."""

    def __init__(self, folder: Path) -> None:
        if not (folder / CERTIFICATE).exists():
            _make(folder)
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{folder / KEY}: not an RSA key")
        self._key = key
        self._certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        self._signed_once = lru_cache(maxsize=_KNOWN)(self._signed)

    def sign(self, document: str) -> dict[str, str]:
        """What stands beside the document, by name: signature (of its bytes), pkcs7 and rsa2048 (which hold it too), without PEM's first and last line."""
        return self._signed_once(document)

    def _signed(self, document: str) -> dict[str, str]:
        content = document.encode()
        signature = self._key.sign(content, padding.PKCS1v15(), hashes.SHA256())
        builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(self._certificate, self._key, hashes.SHA256())
        # without attributes nothing but the document is signed, and equal documents have equal signatures
        enveloped = builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes])
        return {"signature": _lines(signature), "pkcs7": _lines(enveloped), "rsa2048": _lines(enveloped)}


def _lines(content: bytes) -> str:
    text = base64.b64encode(content).decode()
    return "\n".join(text[start : start + _LINE] for start in range(0, len(text), _LINE))


def _make(folder: Path) -> None:
    """The key first: a certificate is only there when its key is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "latticewall"), x509.NameAttribute(NameOID.COMMON_NAME, "instance identity")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
    certificate = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + _LIFETIME).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for file, content in ((KEY, private), (CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))):
        draft = folder / f".{file}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(content)
        draft.replace(folder / file)
