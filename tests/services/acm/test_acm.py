"""Certificates: imported with real checks, requested and validated by DNS, used and deleted ("AWS Certificate Manager API Reference")."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.region import ACCOUNT, NAME, Region, authority, client

from latticewall.auth.certificate_authority import new_key, pem

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RECORDS = "DomainValidationOptions"


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def private(key: Any, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL if password else PrivateFormat.PKCS8, encryption))


def self_signed(key: Any, *names: str, common: str = "", days: tuple[int, int] = (-1, 100)) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common or names[0])])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(0x0ABC)
    builder = builder.not_valid_before(NOW + timedelta(days=days[0])).not_valid_after(NOW + timedelta(days=days[1]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def issued(key: Any, *names: str) -> bytes:
    return pem(authority().issue(names, key.public_key(), NOW)).encode()


def arn_of(acm: Any, *names: str, **more: Any) -> str:
    return str(acm.import_certificate(Certificate=self_signed(rsa_key(), *names), PrivateKey=private(rsa_key()), **more)["CertificateArn"])


def detail(acm: Any, arn: str) -> dict[str, Any]:
    return dict(acm.describe_certificate(CertificateArn=arn)["Certificate"])


@pytest.fixture
def acm(region: Region) -> Any:
    return client("acm")


def test_an_imported_certificate_shows_what_is_in_it(acm: Any) -> None:
    body = issued(rsa_key(), "api.example.com", "*.example.com")
    arn = acm.import_certificate(Certificate=body, PrivateKey=private(rsa_key()), CertificateChain=authority().root.encode())["CertificateArn"]
    found = detail(acm, arn)
    assert arn.startswith(f"arn:aws:acm:{NAME}:{ACCOUNT}:certificate/")
    assert {name: found[name] for name in ("DomainName", "SubjectAlternativeNames", "Status", "Type", "KeyAlgorithm", "SignatureAlgorithm", "Issuer")} == {
        "DomainName": "api.example.com", "SubjectAlternativeNames": ["api.example.com", "*.example.com"], "Status": "ISSUED", "Type": "IMPORTED",
        "KeyAlgorithm": "RSA_2048", "SignatureAlgorithm": "SHA256WITHRSA", "Issuer": "latticewall",
    }  # fmt: skip
    assert found["KeyUsages"] == [{"Name": "DIGITAL_SIGNATURE"}, {"Name": "KEY_ENCIPHERMENT"}]
    assert found["ExtendedKeyUsages"] == [{"Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1"}]
    assert found["InUseBy"] == []
    assert acm.get_certificate(CertificateArn=arn)["Certificate"].encode() == body
    assert acm.get_certificate(CertificateArn=arn)["CertificateChain"] == authority().root


def test_only_a_certificate_without_alternative_names_is_known_by_its_common_name(acm: Any) -> None:
    plain = acm.import_certificate(Certificate=self_signed(rsa_key(), common="old.example.com"), PrivateKey=private(rsa_key()))["CertificateArn"]
    both = acm.import_certificate(Certificate=self_signed(rsa_key(), "new.example.com", common="x"), PrivateKey=private(rsa_key()))["CertificateArn"]
    assert detail(acm, plain)["SubjectAlternativeNames"] == ["old.example.com"]
    assert detail(acm, both)["SubjectAlternativeNames"] == ["new.example.com"]
    assert detail(acm, plain)["Serial"] == "0a:bc"


def _bad() -> dict[str, tuple[dict[str, bytes], str]]:
    good, key = self_signed(rsa_key(), "a.example.com"), private(rsa_key())
    other = private(rsa_key(1))
    signed = issued(rsa_key(), "a.example.com")
    stranger = self_signed(rsa_key(1), "ca.example.com")
    ed = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n"
    return {
        "no certificate": ({"Certificate": b"hello", "PrivateKey": key}, "Unable to parse certificate"),
        "two certificates": ({"Certificate": good + good, "PrivateKey": key}, "contains more than one certificate"),
        "another key": ({"Certificate": good, "PrivateKey": other}, "does not match"),
        "no key": ({"Certificate": good, "PrivateKey": b"-----BEGIN PRIVATE KEY-----\n\n"}, "private key is not supported"),
        "an encrypted key": ({"Certificate": good, "PrivateKey": private(rsa_key(), b"secret")}, "must not be encrypted"),
        "a key of another kind": ({"Certificate": good, "PrivateKey": ed}, "private key is not supported"),
        "expired": ({"Certificate": self_signed(rsa_key(), "a.example.com", days=(-9, -1)), "PrivateKey": key}, "has expired"),
        "not yet valid": ({"Certificate": self_signed(rsa_key(), "a.example.com", days=(8, 9)), "PrivateKey": key}, "not valid yet"),
        "a chain of somebody else": ({"Certificate": signed, "PrivateKey": key, "CertificateChain": stranger}, "Could not validate the certificate"),
        "no chain at all": ({"Certificate": signed, "PrivateKey": key, "CertificateChain": b"x"}, "Unable to parse certificate chain"),
    }


@pytest.mark.parametrize("case", _bad(), ids=str)
def test_what_is_no_pair_of_certificate_and_key_is_refused(region: Region, acm: Any, case: str) -> None:
    given, words = _bad()[case]
    with region.refused("ValidationException", words):
        acm.import_certificate(**given)


def test_a_certificate_in_the_place_of_another_keeps_its_arn(region: Region, acm: Any) -> None:
    arn = arn_of(acm, "a.example.com", Tags=[{"Key": "team", "Value": "x"}])
    first = detail(acm, arn)
    acm.import_certificate(CertificateArn=arn, Certificate=self_signed(rsa_key(1), "a.example.com", days=(-1, 200)), PrivateKey=private(rsa_key(1)))
    second = detail(acm, arn)
    assert second["NotAfter"] > first["NotAfter"]
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "team", "Value": "x"}]
    with region.refused("InvalidTagException"):
        arn_of(acm, "a.example.com", CertificateArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    with region.refused("ResourceNotFoundException", "Could not find certificate"):
        arn_of(acm, "a.example.com", CertificateArn=arn[:-4] + "0000")


def test_a_requested_certificate_is_issued_when_its_records_are_there(region: Region, acm: Any) -> None:
    zone = region.route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    names = {"DomainName": "example.com", "SubjectAlternativeNames": ["*.example.com", "api.example.com"]}
    arn = acm.request_certificate(**names, ValidationMethod="DNS", IdempotencyToken="t1")["CertificateArn"]
    assert acm.request_certificate(**names, ValidationMethod="DNS", IdempotencyToken="t1")["CertificateArn"] == arn
    pending = detail(acm, arn)
    assert pending["Status"] == "PENDING_VALIDATION"
    records = {one["DomainName"]: one["ResourceRecord"] for one in pending[RECORDS]}
    assert records["example.com"] == records["*.example.com"] != records["api.example.com"]
    with region.refused("RequestInProgressException"):
        acm.get_certificate(CertificateArn=arn)
    for record in (records["example.com"], records["api.example.com"]):
        assert detail(acm, arn)["Status"] == "PENDING_VALIDATION"
        change = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
        region.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": change}]})
    found = detail(acm, arn)
    assert (found["Status"], found["Type"], found["Issuer"]) == ("ISSUED", "AMAZON_ISSUED", "Amazon")
    assert {one["ValidationStatus"] for one in found[RECORDS]} == {"SUCCESS"}
    answer = acm.get_certificate(CertificateArn=arn)
    made, root = (x509.load_pem_x509_certificate(answer[name].encode()) for name in ("Certificate", "CertificateChain"))
    made.verify_directly_issued_by(root)
    again = acm.request_certificate(DomainName="*.example.com", ValidationMethod="DNS")["CertificateArn"]
    assert detail(acm, again)["Status"] == "ISSUED"  # the record is there already


def test_records_elsewhere_validate_nothing(region: Region, acm: Any) -> None:
    arn = acm.request_certificate(DomainName="example.com", ValidationMethod="DNS")["CertificateArn"]
    record = detail(acm, arn)[RECORDS][0]["ResourceRecord"]
    change = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": change}]}
    private_zone = {"VPCRegion": NAME, "VPCId": region.vpc()}
    for route53, more in ((region.route53, {"VPC": private_zone}), (region.of("444455556666", "route53"), {})):
        zone = route53.create_hosted_zone(Name="example.com", CallerReference="1", **more)["HostedZone"]["Id"]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    assert detail(acm, arn)["Status"] == "PENDING_VALIDATION"
    region.clock.moment += timedelta(hours=73)
    assert detail(acm, arn)["Status"] == "VALIDATION_TIMED_OUT"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ValidationMethod": "EMAIL"}, "InvalidParameterException"),
        ({"KeyAlgorithm": "RSA_4096"}, "InvalidParameterException"),
        ({"Options": {"Export": "ENABLED"}}, "InvalidParameterException"),
        ({"CertificateAuthorityArn": f"arn:aws:acm-pca:{NAME}:{ACCOUNT}:certificate-authority/x"}, "InvalidParameterException"),
        ({"DomainName": "web-1.7d67968.vpc-lattice-svcs.eu-north-7.on.aws"}, "InvalidParameterException"),
        ({"SubjectAlternativeNames": [f"a{n}.example.com" for n in range(10)]}, "LimitExceededException"),
        ({"DomainValidationOptions": [{"DomainName": "example.com", "ValidationDomain": "b.org"}]}, "InvalidDomainValidationOptionsException"),
    ],
    ids=str,
)
def test_what_cannot_be_requested_is_said(region: Region, acm: Any, given: dict[str, Any], code: str) -> None:
    with region.refused(code):
        acm.request_certificate(**{"DomainName": "example.com", **given})


def test_lists_show_rsa_unless_asked(acm: Any) -> None:
    first = arn_of(acm, "a.example.com")
    key = new_key("EC_prime256v1")
    second = acm.import_certificate(Certificate=self_signed(key, "b.example.com"), PrivateKey=private(key))["CertificateArn"]
    pending = acm.request_certificate(DomainName="c.example.com", ValidationMethod="DNS")["CertificateArn"]

    def listed(**given: Any) -> set[str]:
        pages = acm.get_paginator("list_certificates").paginate(**given, PaginationConfig={"PageSize": 1})
        return {one["CertificateArn"] for page in pages for one in page["CertificateSummaryList"]}

    assert listed() == {first, pending}
    assert listed(Includes={"keyTypes": ["EC_prime256v1"]}) == {second}
    assert listed(CertificateStatuses=["PENDING_VALIDATION"]) == {pending}
    assert isinstance(key, ec.EllipticCurvePrivateKey)


def test_tags(region: Region, acm: Any) -> None:
    arn = arn_of(acm, "a.example.com")
    acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}, {"Key": "c"}])
    acm.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": "a"}, {"Key": "b", "Value": "other"}])
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}, {"Key": "c", "Value": ""}]
    with region.refused("TooManyTagsException"):
        acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": str(n), "Value": ""} for n in range(50)])


def test_a_deleted_certificate_is_gone_and_a_stranger_never_saw_it(region: Region, acm: Any) -> None:
    arn = arn_of(acm, "a.example.com")
    for stranger in (client("acm", "999988887777"), client("acm", region="eu-south-9")):
        with region.refused("ResourceNotFoundException"):
            stranger.describe_certificate(CertificateArn=arn)
    acm.delete_certificate(CertificateArn=arn)
    with region.refused("ResourceNotFoundException", f"Could not find certificate {arn}."):
        acm.describe_certificate(CertificateArn=arn)


def test_an_expired_certificate_says_so(region: Region, acm: Any) -> None:
    arn = arn_of(acm, "a.example.com")
    region.clock.moment += timedelta(days=101)
    assert detail(acm, arn)["Status"] == "EXPIRED"


def test_no_answer_holds_a_private_key(region: Region, acm: Any) -> None:
    arn = arn_of(acm, "a.example.com")
    for call in (acm.describe_certificate, acm.get_certificate):
        call(CertificateArn=arn)
        assert b"PRIVATE" not in region.last_body
    acm.list_certificates()
    assert b"PRIVATE" not in region.last_body
    with region.refused("ValidationException"):
        acm.export_certificate(CertificateArn=arn, Passphrase=b"secret")


def test_policies_can_name_domains_and_certificates(region: Region, acm: Any) -> None:
    arn = arn_of(acm, "a.example.com")
    statements = [
        {
            "Effect": "Allow", "Action": "acm:RequestCertificate", "Resource": "*",
            "Condition": {"ForAllValues:StringLike": {"acm:DomainNames": ["*.example.com"]}, "StringEquals": {"acm:ValidationMethod": "DNS"}},
        },
        {"Effect": "Allow", "Action": "acm:DescribeCertificate", "Resource": arn},
    ]  # fmt: skip
    alice = region.as_user("acm", json.dumps({"Version": "2012-10-17", "Statement": statements}))
    made = alice.request_certificate(DomainName="b.example.com", ValidationMethod="DNS")["CertificateArn"]
    assert alice.describe_certificate(CertificateArn=arn)["Certificate"]["DomainName"] == "a.example.com"
    for call in (
        lambda: alice.request_certificate(DomainName="b.example.org", ValidationMethod="DNS"),
        lambda: alice.request_certificate(DomainName="b.example.com"),
        lambda: alice.describe_certificate(CertificateArn=made),
        lambda: alice.delete_certificate(CertificateArn=arn),
    ):
        with pytest.raises(alice.exceptions.ClientError, match="AccessDenied"):
            call()


def test_options(region: Region, acm: Any) -> None:
    requested = acm.request_certificate(DomainName="b.example.com", ValidationMethod="DNS")["CertificateArn"]
    disabled = {"CertificateTransparencyLoggingPreference": "DISABLED"}
    acm.update_certificate_options(CertificateArn=requested, Options=disabled)
    assert detail(acm, requested)["Options"] == {**disabled, "Export": "DISABLED"}
    with region.refused("ValidationException"):
        acm.update_certificate_options(CertificateArn=requested, Options={"Export": "ENABLED"})
    imported = arn_of(acm, "a.example.com")
    with region.refused("InvalidStateException"):
        acm.update_certificate_options(CertificateArn=imported, Options=disabled)
