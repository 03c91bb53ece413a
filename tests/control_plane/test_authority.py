"""The region's certificate authority: made once, private, and the certificates of generated names renewed in time."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from latticewall.base.secret import Secret
from latticewall.control_plane.authority import Certificates, open_authority
from latticewall.dataplane.envoy.secrets import Gone, Secrets
from latticewall.plan.https import Certificate

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DOMAIN = "*.7d67968.vpc-lattice-svcs.eu-north-7.on.aws"
OWN = Certificate("lattice-eu-north-7", domain=DOMAIN)
ARN = "arn:aws:acm:eu-north-7:111122223333:certificate/x"


class Clock:
    moment = NOW

    def now(self) -> datetime:
        return self.moment


def test_it_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    first, again = open_authority(folder, NOW), open_authority(folder, NOW + timedelta(days=1))
    assert first.root == again.root == (folder / "certificate.pem").read_text()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    (folder / "key.pem").write_text("nonsense")
    with pytest.raises((ValueError, TypeError)):
        open_authority(folder, NOW)


def test_generated_names_are_verified_against_the_root_and_nothing_else_is(tmp_path: Path) -> None:
    certificates = Certificates(open_authority(tmp_path, NOW), lambda _: None, Clock())
    pair = certificates.pair(OWN)
    assert pair is not None
    leaf, root = x509.load_pem_x509_certificates(pair[0].encode())
    verifier = PolicyBuilder().store(Store([root])).time(NOW.replace(tzinfo=None))
    verifier.build_server_verifier(x509.DNSName(DOMAIN.replace("*", "web-1"))).verify(leaf, [])
    with pytest.raises(VerificationError):
        verifier.build_server_verifier(x509.DNSName("web-1.example.com")).verify(leaf, [])
    assert load_pem_private_key(pair[1].reveal().encode(), None).public_key() == leaf.public_key()


def test_a_generated_certificate_stays_until_sixty_days_before_its_end(tmp_path: Path) -> None:
    clock = Clock()
    secrets = Secrets(Certificates(open_authority(tmp_path, NOW), lambda _: None, clock).pair)
    first = secrets.resources({OWN.name: OWN})[OWN.name]
    clock.moment = NOW + timedelta(days=334)
    assert secrets.resources({OWN.name: OWN})[OWN.name] is first
    clock.moment = NOW + timedelta(days=336)
    assert secrets.resources({OWN.name: OWN})[OWN.name].version != first.version


def test_certificates_that_begin_tomorrow_are_made_anew(tmp_path: Path) -> None:
    """The clock has been set back: nobody would take what was made before."""
    clock = Clock()
    authority = open_authority(tmp_path, NOW)
    certificates = Certificates(authority, lambda _: None, clock)
    first = certificates.own(DOMAIN)
    clock.moment = NOW - timedelta(minutes=50)
    assert certificates.own(DOMAIN) is first
    clock.moment = NOW - timedelta(hours=3)
    leaf, root = x509.load_pem_x509_certificates(certificates.own(DOMAIN)[0].encode())
    verifier = PolicyBuilder().store(Store([root])).time(clock.moment.replace(tzinfo=None))
    verifier.build_server_verifier(x509.DNSName(DOMAIN.replace("*", "web-1"))).verify(leaf, [])


def test_a_certificate_is_read_again_when_its_version_changes(tmp_path: Path) -> None:
    kept = {ARN: ("first", Secret("key"))}
    asked = []

    def stored(arn: str) -> tuple[str, Secret] | None:
        asked.append(arn)
        return kept.get(arn)

    secrets = Secrets(Certificates(open_authority(tmp_path, NOW), stored, Clock()).pair)
    wanted = Certificate("certificate-svc-1", arn=ARN, version="1")
    first = secrets.resources({wanted.name: wanted})[wanted.name]
    kept[ARN] = ("second", Secret("key"))
    assert secrets.resources({wanted.name: wanted})[wanted.name] is first
    changed = Certificate("certificate-svc-1", arn=ARN, version="2")
    assert secrets.resources({wanted.name: changed})[wanted.name].version != first.version
    assert len(asked) == 2
    assert "key" not in repr(first)
    kept.clear()
    with pytest.raises(Gone):
        secrets.resources({wanted.name: Certificate("certificate-svc-1", arn=ARN, version="3")})
