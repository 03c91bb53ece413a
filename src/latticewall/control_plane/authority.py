"""The region's certificate authority in its state folder, and the certificate of each region's generated names."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from latticewall.auth.certificate_authority import CertificateAuthority, is_to_renew, load_key, new_authority, new_key, pem, private_pem
from latticewall.base.ports import Clock
from latticewall.base.secret import Secret
from latticewall.plan.https import Certificate

FOLDER = "certificate-authority"
CERTIFICATE, KEY = "certificate.pem", "key.pem"
Pair = tuple[str, Secret]
"""A certificate with its chain, PEM, and its private key."""


def open_authority(folder: Path, now: datetime) -> CertificateAuthority:
    """The authority in the folder, made when there is none. Raises OSError, and ValueError or TypeError for files that are no such pair."""
    if not (folder / CERTIFICATE).exists():
        key, certificate = new_authority(now)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(folder / KEY, private_pem(key).reveal())  # first: a certificate is only there when its key is
        _write(folder / CERTIFICATE, pem(certificate))
    return CertificateAuthority(load_key((folder / KEY).read_bytes()), x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes()))


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(path)


class Certificates:
    """What the proxy serves: the certificates of ACM, out of the store, and Lattice's own for generated names, made here and kept in memory.

    stored: ARN -> (chain, key), None for one that is unknown.
    """

    def __init__(self, authority: CertificateAuthority, stored: Callable[[str], Pair | None], clock: Clock) -> None:
        self._authority = authority
        self._stored = stored
        self._clock = clock
        self._generated: dict[str, tuple[x509.Certificate | None, Pair]] = {}

    @property
    def root(self) -> str:
        """The certificate (PEM) that clients must trust."""
        return self._authority.root

    def pair(self, wanted: Certificate) -> Pair | None:
        """The certificate (with its chain) and key to be served; None for one that has gone."""
        return self._stored(wanted.arn) if wanted.arn else self.own(wanted.domain)

    def own(self, domain: str) -> Pair:
        """A certificate of the region's own authority for a domain (Lattice's generated names, databases): a new one well before the last one ends."""
        now = self._clock.now().astimezone(UTC)
        known, pair = self._generated.get(domain, (None, ("", Secret(""))))
        if known is None or is_to_renew(known, now):
            key = new_key("RSA_2048")
            certificate = self._authority.issue([domain], key.public_key(), now)
            pair = pem(certificate) + self._authority.root, private_pem(key)
            self._generated[domain] = (certificate, pair)
        return pair
