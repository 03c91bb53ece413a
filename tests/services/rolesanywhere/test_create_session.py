"""Credentials for the holder of a certificate's key, and for nobody else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.auth.callers import root
from latticewall.auth.certificate_signature import CertifiedKey, sign_with_certificate

from .authority import ACTIONS, BORN, DIES, ENDPOINT, SPIFFE, Authority, Scene, digital_signature, rsa_key, scene, spiffe, subject, trust

UNTRUSTED = "AccessDeniedException: Untrusted signing certificate"
UNABLE = "AccessDeniedException: Unable to assume role for"


def policy(*actions: str, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*", **({"Condition": condition} if condition else {})}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# -- what comes of it ---------------------------------------------------------------------------------------------------------------------


def test_a_session_of_the_role_under_the_serial_number(region: Region) -> None:
    ours = scene(region)
    entry = ours.session(ours.authority.issue())
    assert entry["assumedRoleUser"]["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/outside/1f71c5114a"
    assert entry["roleArn"] == ours.role
    assert entry["sourceIdentity"] == "CN=alice"
    who = client("sts", entry["credentials"]["accessKeyId"]).get_caller_identity()
    assert (who["Arn"], who["UserId"]) == (entry["assumedRoleUser"]["arn"], entry["assumedRoleUser"]["assumedRoleId"])


def test_rsa_keys_sign_too(region: Region) -> None:
    ours = scene(region, Authority(key=rsa_key()))
    assert ours.session(ours.authority.issue(key=rsa_key(1)))["credentials"]["sessionToken"]


def test_arns_may_stand_in_the_query_as_the_signing_helper_sends_them(region: Region) -> None:
    ours = scene(region)
    query = urlencode({"profileArn": ours.profile, "roleArn": ours.role, "trustAnchorArn": ours.anchor})
    body, who = b'{"durationSeconds": 900}', ours.authority.issue()
    headers = sign_with_certificate(f"{ENDPOINT}/sessions?{query}", {"Content-Type": "application/json"}, body, who, NAME, region.clock.now())
    assert ours.send(headers, body, query=query).status == 201
    assert ours.send(headers, body, query=query.replace("outside", "inside")).status == 403


def test_a_spiffe_identity_is_a_principal_tag_in_trust_and_use(region: Region) -> None:
    ours = scene(region, document=trust(StringEquals={"aws:PrincipalTag/x509SAN/URI": SPIFFE}))
    allowed = policy("ec2:DescribeVpcs", StringEquals={"aws:PrincipalTag/x509SAN/URI": SPIFFE})
    region.iam.put_role_policy(RoleName="outside", PolicyName="look", PolicyDocument=allowed)
    entry = ours.session(spiffe(ours.authority))
    assert "sourceIdentity" not in entry
    client("ec2", entry["credentials"]["accessKeyId"]).describe_vpcs()
    assert UNABLE in ours.refusal(spiffe(ours.authority, "spiffe://example.org/ns/shop/sa/other"))
    assert UNABLE in ours.refusal(ours.authority.issue(subject(COMMON_NAME="bob")))


def test_tags_of_subject_issuer_and_alternative_names(region: Region) -> None:
    ours = scene(region)
    names = [x509.DNSName("cart.example.org"), x509.DNSName("shop.example.org"), x509.DirectoryName(subject(COMMON_NAME="dir"))]
    name = x509.Name([*subject(COMMON_NAME="alice", ORGANIZATION_NAME="Shop"), *subject(ORGANIZATIONAL_UNIT_NAME="a"), *subject(ORGANIZATIONAL_UNIT_NAME="b")])
    key = ours.session(ours.authority.issue(name, alternatives=names))["credentials"]["accessKeyId"]
    with region.store.read() as snapshot:
        row = snapshot.get("sts:Session", key)
    assert row
    assert row.tags == {
        "x509Issuer/CN": "Test CA", "x509Subject/CN": "alice", "x509Subject/O": "Shop", "x509Subject/OU": "a", "x509Subject/OU/1": "b",
        "x509SAN/DNS": "cart.example.org", "x509SAN/Name/CN": "dir",
    }  # fmt: skip
    assert row.document["_keys"]["aws:SourceIdentity"] == "CN=alice"


def test_mappings_choose_what_becomes_a_tag(region: Region) -> None:
    ours = scene(region)
    comma = ours.authority.issue(subject(COMMON_NAME="alice", ORGANIZATION_NAME="Shop, Inc."))
    assert "failed to be mapped into session tags. Issuer: [  ]; Subject: [ O ]; SAN: [  ]" in ours.refusal(comma)
    ours.api.put_attribute_mapping(profileId=ours.profile_id(), certificateField="x509Subject", mappingRules=[{"specifier": "CN"}])
    assert ours.session(comma)


def test_conditions_of_the_trust_policy(region: Region) -> None:
    ours = scene(region)
    who = ours.authority.issue()
    other = ours.anchor.replace("trust-anchor/", "trust-anchor/f")
    condition: Any
    for condition, works in (
        ({"ArnEquals": {"aws:SourceArn": ours.anchor}}, True),
        ({"ArnEquals": {"aws:SourceArn": other}}, False),
        ({"StringEquals": {"sts:SourceIdentity": "CN=alice"}}, True),
        ({"StringEquals": {"sts:SourceIdentity": "CN=bob"}}, False),
        ({"StringEquals": {"aws:PrincipalTag/x509Issuer/CN": "Test CA", "aws:SourceAccount": ACCOUNT}}, True),
        ({"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "bob"}}, False),
    ):
        region.iam.update_assume_role_policy(RoleName="outside", PolicyDocument=trust(**condition))
        assert ours.session(who) if works else UNABLE in ours.refusal(who)


@pytest.mark.parametrize("missing", ACTIONS)
def test_every_action_must_be_trusted(region: Region, missing: str) -> None:
    ours = scene(region, document=trust(actions=[action for action in ACTIONS if action != missing]))
    assert UNABLE in ours.refusal(ours.authority.issue())


def test_session_policies_of_the_profile_limit(region: Region) -> None:
    managed = region.iam.create_policy(PolicyName="vpcs", PolicyDocument=policy("ec2:DescribeVpcs"))["Policy"]["Arn"]
    ours = scene(region, sessionPolicy=policy("ec2:DescribeSubnets"), managedPolicyArns=[managed])
    region.iam.put_role_policy(RoleName="outside", PolicyName="all", PolicyDocument=policy("ec2:*"))
    ec2 = client("ec2", ours.session(ours.authority.issue())["credentials"]["accessKeyId"])
    ec2.describe_vpcs()
    ec2.describe_subnets()
    with region.refused("UnauthorizedOperation"):
        ec2.describe_route_tables()


def test_how_long_and_under_which_name(region: Region) -> None:
    ours = scene(region, durationSeconds=1800)
    who = ours.authority.issue()
    assert "Not authorized to set roleSessionName" in ours.refusal(who, roleSessionName="deploy")
    ours.api.update_profile(profileId=ours.profile_id(), acceptRoleSessionName=True)
    for asked, seconds in ((None, 1800), (900, 900), (3600, 1800)):
        entry = ours.session(who, durationSeconds=asked, roleSessionName="deploy")
        assert entry["assumedRoleUser"]["arn"].endswith("/outside/deploy")
        with region.store.read() as snapshot:
            row = snapshot.get("sts:Session", entry["credentials"]["accessKeyId"])
        assert row
        ends, begins = (row.document[member][:19] for member in ("Expiration", "_issued"))
        assert timedelta(seconds=seconds) == datetime.fromisoformat(ends) - datetime.fromisoformat(begins)
    ours.api.update_profile(profileId=ours.profile_id(), durationSeconds=7200)
    assert "MaxSessionDuration" in ours.refusal(who, durationSeconds=7200)


def test_who_asked_is_remembered(region: Region) -> None:
    ours = scene(region)
    who = ours.authority.issue()
    ours.session(who)
    ours.session(who)
    (shown,) = ours.api.list_subjects()["subjects"]
    found = ours.api.get_subject(subjectId=shown["subjectId"])["subject"]
    assert (found["x509Subject"], len(found["credentials"])) == ("O=Shop,CN=alice", 1)
    assert found["credentials"][0]["serialNumber"] == "1f71c5114a"


# -- who is refused -----------------------------------------------------------------------------------------------------------------------


def test_chains_of_authorities(region: Region) -> None:
    root = Authority("Root", path_length=1)
    middle = Authority("Middle", root)
    low = Authority("Low", middle)
    ours = scene(region, root)
    assert ours.session(middle.issue())
    assert UNTRUSTED in ours.refusal(low.issue()), "the root allows one authority below it"
    lonely = middle.issue()
    assert UNTRUSTED in ours.refusal(CertifiedKey(lonely.certificate, lonely.key))
    pretender = Authority("Pretender", root, ca=False)
    assert UNTRUSTED in ours.refusal(pretender.issue())
    assert UNTRUSTED in ours.refusal(Authority("Root").issue()), "the same name is not the same key"
    assert "more than 5" in ours.refusal(CertifiedKey(lonely.certificate, lonely.key, [middle.certificate] * 6))


@pytest.mark.parametrize("critical", [True, False])
def test_an_authority_for_some_names_only_is_not_believed(region: Region, critical: bool) -> None:
    limits = [(x509.NameConstraints([x509.UniformResourceIdentifier("other.example.org")], None), critical)]
    root = Authority("Root")
    ours = scene(region, root)
    limited = Authority("Limited", root, extensions=limits)
    assert UNTRUSTED in ours.refusal(limited.issue())
    with region.refused("ValidationException", "name constraints"):
        ours.api.create_trust_anchor(name="limited", source={"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": limited.pem}})


def test_an_authority_in_the_middle_may_be_the_anchor(region: Region) -> None:
    ours = scene(region, Authority("Middle", Authority("Root")))
    who = ours.authority.issue()
    assert ours.session(CertifiedKey(who.certificate, who.key))


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("CA: false", {"ca": True}),
        ("CA: false", {"ca": None}),
        ("digital signature", {"usage": digital_signature(signs=False)}),
        ("client authentication", {"extensions": [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)]}),
        ("has expired", {"dates": (BORN - timedelta(days=2), BORN - timedelta(days=1))}),
        ("not valid yet", {"dates": (DIES - timedelta(days=1), DIES)}),
        ("SHA-256 or stronger", {"hashed": hashes.SHA224()}),
        ("critical extension", {"extensions": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]}),
    ],
)
def test_certificates_that_do_not_do(region: Region, words: str, more: dict[str, Any]) -> None:
    ours = scene(region)
    refused = ours.refusal(ours.authority.issue(**more))
    assert refused.startswith(UNTRUSTED)
    assert words in refused


def test_what_need_not_be_understood_does_no_harm(region: Region) -> None:
    ours = scene(region)
    known = [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), True)]
    unknown = [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False)]
    assert ours.session(ours.authority.issue(extensions=[*known, *unknown]))


def test_revocation_lists(region: Region) -> None:
    ours = scene(region)
    good, bad = ours.authority.issue(serial=7), ours.authority.issue(serial=8)
    stranger = Authority()
    forged = ours.api.import_crl(name="forged", crlData=stranger.revoke(7).encode(), trustAnchorArn=ours.anchor, enabled=True)["crl"]["crlId"]
    crl = ours.api.import_crl(name="ours", crlData=ours.authority.revoke(8).encode(), trustAnchorArn=ours.anchor)["crl"]["crlId"]
    assert ours.session(bad), "the list is not enabled"
    ours.api.enable_crl(crlId=crl)
    assert "Certificate revoked" in ours.refusal(bad)
    assert ours.session(good), "another authority of the same name signed the list that names it"
    ours.api.disable_crl(crlId=crl)
    assert ours.session(bad), "the list is not enabled any more"
    ours.api.enable_crl(crlId=crl)
    ours.api.update_crl(crlId=crl, crlData=ours.authority.revoke(until=BORN + timedelta(hours=1)).encode())
    assert "out of date" in ours.refusal(good)
    ours.api.delete_crl(crlId=crl)
    ours.api.delete_crl(crlId=forged)
    assert ours.session(bad)


def test_disabled_deleted_and_foreign_things(region: Region) -> None:
    ours = scene(region)
    who = ours.authority.issue()
    ours.api.disable_profile(profileId=ours.profile_id())
    assert "Profile is disabled" in ours.refusal(who)
    ours.api.enable_profile(profileId=ours.profile_id())
    ours.api.disable_trust_anchor(trustAnchorId=ours.anchor_id())
    assert "TrustAnchor is disabled" in ours.refusal(who)
    ours.api.enable_trust_anchor(trustAnchorId=ours.anchor_id())
    assert "ResourceNotFoundException" in ours.refusal(who, region="eu-south-9")
    assert "does not allow the role" in ours.refusal(who, roleArn=ours.role.replace("outside", "other"))
    assert "must be given" in ours.refusal(who, roleArn=None)
    assert "ValidationException" in ours.refusal(who, durationSeconds=60)
    assert "not supported" in ours.refusal(who, instanceProperties={"a": "b"})
    ours.api.update_profile(profileId=ours.profile_id(), roleArns=[ours.role.replace("outside", "none")])
    assert UNABLE in ours.refusal(who, roleArn=ours.role.replace("outside", "none"))
    other = client("rolesanywhere", "999988887777").create_profile(name="theirs", roleArns=[ours.role], enabled=True)["profile"]["profileArn"]
    assert "does not allow the role" in ours.refusal(who, profileArn=other)


def test_sessions_end_with_their_role(region: Region) -> None:
    ours = scene(region)
    key = ours.session(ours.authority.issue())["credentials"]["accessKeyId"]
    region.iam.delete_role(RoleName="outside")
    with region.store.read() as snapshot:
        assert snapshot.get("sts:Session", key) is None


# -- the signature ------------------------------------------------------------------------------------------------------------------------


def signed(ours: Scene, who: CertifiedKey, **more: Any) -> tuple[dict[str, str], bytes]:
    body = json.dumps({"trustAnchorArn": ours.anchor, "profileArn": ours.profile, "roleArn": ours.role}).encode()
    url, region, now = f"{ENDPOINT}/sessions", more.get("region", NAME), more.get("now", ours.region.clock.now())
    return sign_with_certificate(url, {"Content-Type": "application/json"}, body, who, region, now), body


def test_what_is_not_what_was_signed(region: Region) -> None:
    ours = scene(region)
    who, other = ours.authority.issue(), ours.authority.issue(serial=9)
    headers, body = signed(ours, who)
    assert ours.send(headers, body).status == 201
    theirs, _ = signed(ours, other)
    authorization = headers["Authorization"]
    before = region.store.revision
    for changed, content in (
        (headers, body + b" "),
        ({**headers, "X-Amz-X509": theirs["X-Amz-X509"]}, body),
        ({**headers, "X-Amz-X509-Chain": theirs["X-Amz-X509"]}, body),
        ({**headers, "x-amz-x509": theirs["X-Amz-X509"]}, body),
        ({**headers, "X-Amz-X509": "AAAA"}, body),
        ({**headers, "Host": "elsewhere"}, body),
        ({**headers, "Authorization": authorization[:-2] + ("00" if authorization[-2:] != "00" else "11")}, body),
        ({**headers, "Authorization": authorization[:-2]}, body),
        ({**headers, "Authorization": authorization.replace("ECDSA", "RSA")}, body),
        ({**headers, "Authorization": authorization.replace("ECDSA", "PLAIN")}, body),
        ({**headers, "Authorization": authorization.replace("rolesanywhere", "sts")}, body),
        ({**headers, "Authorization": authorization.replace(";x-amz-x509,", ",")}, body),
        ({**headers, "Authorization": authorization.replace(f"Credential={who.certificate.serial_number}", "Credential=1")}, body),
        ({**headers, "Authorization": authorization.partition(" ")[0]}, body),
        ({name: value for name, value in headers.items() if name != "X-Amz-Date"}, body),
        ({name: value for name, value in headers.items() if name != "X-Amz-X509"}, body),
    ):
        assert ours.send(changed, content).status in (400, 403), changed
    assert region.store.revision == before


def damaged(certificate: x509.Certificate) -> Iterator[bytes]:
    """The certificate with one bit changed, in every second byte in turn; not in the byte before the signature, which counts unused bits and says nothing."""
    der = certificate.public_bytes(Encoding.DER)
    silent = len(der) - len(certificate.signature) - 1
    for place in sorted(set(range(0, len(der), 2)) - {silent}):
        yield der[:place] + bytes([der[place] ^ (1 << place % 8)]) + der[place + 1 :]


def resigned(ours: Scene, who: CertifiedKey, certificate: bytes, chain: tuple[bytes, ...]) -> int:
    """The status of a request with these certificates; where they can be read, it is signed as if they were the holder's."""
    try:
        others = [x509.load_der_x509_certificate(one) for one in chain]
        headers, body = signed(ours, CertifiedKey(x509.load_der_x509_certificate(certificate), who.key, others))
    except (ValueError, x509.InvalidVersion):
        headers, body = signed(ours, who)
        sent = [base64.b64encode(one).decode() for one in (certificate, *chain)]
        headers |= {"X-Amz-X509": sent[0], "X-Amz-X509-Chain": ",".join(sent[1:])}
    return ours.send(headers, body).status


def test_a_damaged_certificate_opens_nothing(region: Region) -> None:
    ours = scene(region)
    who = ours.authority.issue(alternatives=[x509.UniformResourceIdentifier(SPIFFE)])
    before = region.store.revision
    assert {resigned(ours, who, changed, ()) for changed in damaged(who.certificate)} <= {400, 403}
    assert region.store.revision == before


def test_a_damaged_chain_leads_nowhere(region: Region) -> None:
    middle = Authority("Middle", Authority("Root"))
    assert middle.issuer
    ours = scene(region, middle.issuer)
    who = middle.issue()
    der = who.certificate.public_bytes(Encoding.DER)
    assert resigned(ours, who, der, (middle.certificate.public_bytes(Encoding.DER),)) == 201
    assert {resigned(ours, who, der, (changed,)) for changed in damaged(middle.certificate)} <= {400, 403}


def test_old_and_future_signatures(region: Region) -> None:
    ours = scene(region)
    for minutes in (-16, 16):
        headers, body = signed(ours, ours.authority.issue(), now=region.clock.now() + timedelta(minutes=minutes))
        answer = ours.send(headers, body)
        assert (answer.status, answer.header("x-amzn-errortype")) == (403, "InvalidSignatureException")


def test_a_certificate_opens_nothing_else(region: Region, tmp_path: Path) -> None:
    ours = scene(region)
    url, who = f"{ENDPOINT}/trustanchors", ours.authority.issue()
    headers = sign_with_certificate(url, {"Content-Type": "application/json"}, b"{}", who, NAME, region.clock.now())
    answer = ours.send(headers, b"{}", path="/trustanchors")
    assert answer.status in (400, 403)
    region = Region(tmp_path, open_mode=False)
    inner = sign_with_certificate(f"{ENDPOINT}/_latticewall/echo", {"Content-Type": "application/json"}, b"{}", who, NAME, region.clock.now())
    closed = Scene(region, ours.authority, ours.anchor, ours.profile, ours.role)
    assert closed.send(inner, b"{}", path="/_latticewall/echo").status in (400, 403)


def test_an_access_key_cannot_present_somebody_elses_certificate(region: Region) -> None:
    ours = scene(region)
    certificate, _ = signed(ours, ours.authority.issue())
    params = {"certificate": certificate["X-Amz-X509"], "trustAnchorArn": ours.anchor, "profileArn": ours.profile, "roleArn": ours.role}
    with pytest.raises(Exception, match="must be signed with the private key"):
        region.app.call(root(ACCOUNT, NAME), "rolesanywhere:CreateSession", params)
