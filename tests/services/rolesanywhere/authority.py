"""A certificate authority of the test, workloads' certificates, and requests signed with their keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.region import NAME, Region, client

from latticewall.auth.certificate_signature import CertifiedKey, PrivateKey, sign_with_certificate
from latticewall.wire.message import HttpRequest, HttpResponse

BORN, DIES = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
SPIFFE = "spiffe://example.org/ns/shop/sa/cart"
TRUSTING = {"Service": "rolesanywhere.amazonaws.com"}
ACTIONS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
ENDPOINT = "http://127.0.0.1:4566"


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """Keys take long to make: one per number for the whole run."""
    return rsa.generate_private_key(65537, 2048)


def subject(**parts: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(getattr(NameOID, key), value) for key, value in parts.items()])


def digital_signature(*, signs: bool = True, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        key_cert_sign=certificates, crl_sign=certificates, encipher_only=False, decipher_only=False,
    )  # fmt: skip


@dataclass
class Authority:
    """issuer: the authority above, None for a root."""

    name: str = "Test CA"
    issuer: Authority | None = None
    path_length: int | None = None
    ca: bool = True
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = ()
    key: PrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        signer = self.issuer or self
        name = subject(COMMON_NAME=self.name)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(signer.certificate.subject if self.issuer else name)
        builder = builder.public_key(self.key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(BORN).not_valid_after(DIES)
        builder = builder.add_extension(x509.BasicConstraints(self.ca, self.path_length if self.ca else None), critical=True)
        builder = builder.add_extension(digital_signature(certificates=True), critical=True)
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical=critical)
        self.certificate = builder.sign(signer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def issue(
        self,
        name: x509.Name | None = None,
        *,
        key: PrivateKey | None = None,
        serial: int = 0x1F71C5114A,
        usage: x509.KeyUsage | None = None,
        ca: bool | None = False,
        alternatives: Sequence[x509.GeneralName] = (),
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
        dates: tuple[datetime, datetime] = (BORN, DIES),
        hashed: hashes.SHA256 | hashes.SHA224 | None = None,
    ) -> CertifiedKey:
        """A workload's certificate with its key; intermediates up to (not including) the root as its chain."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        name = name if name is not None else subject(COMMON_NAME="alice", ORGANIZATION_NAME="Shop")
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.certificate.subject).public_key(key.public_key())
        builder = builder.serial_number(serial).not_valid_before(dates[0]).not_valid_after(dates[1])
        builder = builder.add_extension(usage or digital_signature(), critical=True)
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        chain: list[x509.Certificate] = []
        above: Authority | None = self
        while above and above.issuer:
            chain.append(above.certificate)
            above = above.issuer
        return CertifiedKey(builder.sign(self.key, hashed or hashes.SHA256()), key, chain)

    def revoke(self, *serials: int, until: datetime = DIES, critical: x509.ExtensionType | None = None) -> str:
        """A revocation list, PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject).last_update(BORN).next_update(until)
        for serial in serials:
            builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(BORN).build())
        if critical is not None:
            builder = builder.add_extension(critical, critical=True)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def spiffe(authority: Authority, uri: str = SPIFFE) -> CertifiedKey:
    """An X.509-SVID as SPIRE makes it: no common name, its identity in the URI."""
    return authority.issue(subject(COUNTRY_NAME="US", ORGANIZATION_NAME="SPIRE"), alternatives=[x509.UniformResourceIdentifier(uri)])


@dataclass
class Scene:
    """A trust anchor, a profile and a role in a region."""

    region: Region
    authority: Authority
    anchor: str
    profile: str
    role: str

    @property
    def api(self) -> Any:
        return client("rolesanywhere")

    def profile_id(self) -> str:
        return self.profile.rsplit("/", 1)[1]

    def anchor_id(self) -> str:
        return self.anchor.rsplit("/", 1)[1]

    def ask(self, who: CertifiedKey, *, region: str = NAME, now: datetime | None = None, **members: Any) -> HttpResponse:
        body = {"trustAnchorArn": self.anchor, "profileArn": self.profile, "roleArn": self.role, **members}
        content = json.dumps({key: value for key, value in body.items() if value is not None}).encode()
        url = f"{ENDPOINT}/sessions"
        headers = sign_with_certificate(url, {"Content-Type": "application/json"}, content, who, region, now or self.region.clock.now())
        return self.send(headers, content)

    def send(self, headers: dict[str, str], content: bytes, path: str = "/sessions", query: str = "") -> HttpResponse:
        return self.region.endpoint.answer(HttpRequest("POST", path, query, tuple(headers.items()), content), "127.0.0.1")

    def session(self, who: CertifiedKey, **members: Any) -> dict[str, Any]:
        """The one entry of the credential set."""
        answer = self.ask(who, **members)
        assert answer.status == 201, answer.body
        (entry,) = json.loads(answer.body)["credentialSet"]
        return dict(entry)

    def refusal(self, who: CertifiedKey, **members: Any) -> str:
        """What the refusal says; nothing was changed by it."""
        before = self.region.store.revision
        answer = self.ask(who, **members)
        assert answer.status in (400, 403, 404), answer.body
        assert self.region.store.revision == before
        return f"{answer.header('x-amzn-errortype')}: {json.loads(answer.body)['message']}"


def trust(*, actions: Sequence[str] = ACTIONS, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": TRUSTING, "Action": list(actions), **({"Condition": condition} if condition else {})}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def scene(region: Region, authority: Authority | None = None, document: str | None = None, **profile: Any) -> Scene:
    authority = authority or Authority()
    api = client("rolesanywhere")
    source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": authority.pem}}
    anchor = api.create_trust_anchor(name="ours", source=source, enabled=True)["trustAnchor"]["trustAnchorArn"]
    role = region.iam.create_role(RoleName="outside", AssumeRolePolicyDocument=document or trust())["Role"]["Arn"]
    made = api.create_profile(**{"name": "all", "roleArns": [role], "enabled": True, **profile})["profile"]["profileArn"]
    return Scene(region, authority, anchor, made, role)
