"""Trust anchors, profiles and revocation lists as resources."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.region import ACCOUNT, NAME, Region, client

from .authority import Authority, scene

ARN = f"arn:aws:rolesanywhere:{NAME}:{ACCOUNT}:"
MISSING = "00000000-0000-4000-a000-000000000000"


@pytest.fixture
def api(region: Region) -> Any:
    """A client whose requests go to the region."""
    return client("rolesanywhere")


def source(pem: str) -> dict[str, Any]:
    return {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": pem}}


def test_a_trust_anchor_from_making_to_deleting(region: Region, api: Any) -> None:
    first, second = Authority("One"), Authority("Two")
    made = api.create_trust_anchor(name="ours", source=source(first.pem), tags=[{"key": "team", "value": "net"}])["trustAnchor"]
    identity, arn = made["trustAnchorId"], made["trustAnchorArn"]
    assert arn == f"{ARN}trust-anchor/{identity}"
    assert (made["name"], made["enabled"], made["source"]) == ("ours", False, source(first.pem))
    assert api.enable_trust_anchor(trustAnchorId=identity)["trustAnchor"]["enabled"]
    assert not api.disable_trust_anchor(trustAnchorId=arn)["trustAnchor"]["enabled"]
    changed = api.update_trust_anchor(trustAnchorId=identity, name="theirs", source=source(first.pem + second.pem))["trustAnchor"]
    assert (changed["name"], changed["source"]) == ("theirs", source(first.pem + second.pem))
    assert changed["createdAt"] < changed["updatedAt"]
    assert api.get_trust_anchor(trustAnchorId=identity)["trustAnchor"] == changed
    assert api.list_trust_anchors()["trustAnchors"] == [changed]
    assert api.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "team", "value": "net"}]
    assert api.delete_trust_anchor(trustAnchorId=identity)["trustAnchor"] == changed
    with region.refused("ResourceNotFoundException"):
        api.get_trust_anchor(trustAnchorId=identity)


def test_what_is_no_trust_anchor(region: Region, api: Any) -> None:
    authority = Authority()
    leaf = authority.issue().certificate.public_bytes(Encoding.PEM).decode()
    for given, words in (
        (source("nothing"), "Unable to parse"),
        (source(leaf), "basic constraints"),
        (source(authority.pem * 11), "at most 10"),
        ({**source(authority.pem), "sourceType": "SELF_SIGNED_REPOSITORY"}, "CERTIFICATE_BUNDLE"),
        ({"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": "arn:aws:acm-pca:x"}}, "not supported"),
    ):
        with region.refused("ValidationException", words):
            api.create_trust_anchor(name="ours", source=given)
    more: dict[str, Any]
    for more in ({"crlDpRevocationEnabled": True}, {"aliasName": "a"}, {"notificationSettings": [{"enabled": True, "event": "CA_CERTIFICATE_EXPIRY"}]}):
        with region.refused("ValidationException", "not supported"):
            api.create_trust_anchor(name="ours", source=source(authority.pem), **more)
    for name in ("", "a/b"):
        with region.refused("ValidationException"):
            api.create_trust_anchor(name=name, source=source(authority.pem))


def test_a_profile_from_making_to_deleting(region: Region, api: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/outside"
    made = api.create_profile(name="all", roleArns=[role])["profile"]
    identity = made["profileId"]
    assert made["profileArn"] == f"{ARN}profile/{identity}"
    wanted = {"name": "all", "roleArns": [role], "enabled": False, "durationSeconds": 3600, "createdBy": ACCOUNT, "acceptRoleSessionName": False}
    assert {member: made[member] for member in wanted} == wanted
    specifiers = {one["certificateField"]: [rule["specifier"] for rule in one["mappingRules"]] for one in made["attributeMappings"]}
    assert specifiers == {"x509Issuer": ["*"], "x509SAN": ["DNS", "URI", "Name/*"], "x509Subject": ["*"]}
    changed = api.update_profile(profileId=identity, name="some", durationSeconds=900, roleArns=[])["profile"]
    assert (changed["name"], changed["durationSeconds"], changed["roleArns"]) == ("some", 900, [])
    assert api.enable_profile(profileId=identity)["profile"]["enabled"]
    assert [one["profileId"] for one in api.list_profiles()["profiles"]] == [identity]
    api.delete_profile(profileId=identity)
    assert api.list_profiles()["profiles"] == []


def test_attribute_mappings(region: Region, api: Any) -> None:
    identity = api.create_profile(name="all", roleArns=[])["profile"]["profileId"]

    def put(field: str, *specifiers: str) -> dict[str, list[str]]:
        rules = [{"specifier": specifier} for specifier in specifiers]
        return shown(api.put_attribute_mapping(profileId=identity, certificateField=field, mappingRules=rules))

    def shown(answer: Any) -> dict[str, list[str]]:
        return {one["certificateField"]: [rule["specifier"] for rule in one["mappingRules"]] for one in answer["profile"]["attributeMappings"]}

    assert put("x509Subject", "CN", "OU/1")["x509Subject"] == ["CN", "OU/1"]
    assert put("x509SAN", "URI", "Name/CN")["x509SAN"] == ["URI", "Name/CN"]
    left = shown(api.delete_attribute_mapping(profileId=identity, certificateField="x509Subject", specifiers=["CN"]))
    assert left["x509Subject"] == ["OU/1"]
    assert "x509SAN" not in shown(api.delete_attribute_mapping(profileId=identity, certificateField="x509SAN"))
    for field, specifier in (("x509Subject", "C/N"), ("x509SAN", "*"), ("x509SAN", "CN")):
        with region.refused("ValidationException", "Invalid specifier"):
            put(field, specifier)


def test_what_is_no_profile(region: Region, api: Any) -> None:
    more: dict[str, Any]
    for more in (
        {"roleArns": ["arn:aws:iam::1:user/a"]}, {"durationSeconds": 60}, {"managedPolicyArns": ["policy"]}, {"requireInstanceProperties": True},
    ):  # fmt: skip
        with region.refused("ValidationException"):
            api.create_profile(**{"name": "all", "roleArns": [], **more})
    with region.refused("ValidationException", "Syntax errors in policy"):
        api.create_profile(name="all", roleArns=[], sessionPolicy=json.dumps({"Statement": []}))


def test_a_revocation_list_from_import_to_deleting(region: Region, api: Any) -> None:
    ours = scene(region)
    text = ours.authority.revoke(7)
    made = api.import_crl(name="gone", crlData=text.encode(), trustAnchorArn=ours.anchor)["crl"]
    identity = made["crlId"]
    assert (made["crlArn"], made["enabled"], made["crlData"]) == (f"{ARN}crl/{identity}", False, text.encode())
    assert api.enable_crl(crlId=identity)["crl"]["enabled"]
    assert api.update_crl(crlId=identity, name="revoked")["crl"]["name"] == "revoked"
    assert not api.disable_crl(crlId=identity)["crl"]["enabled"]
    shown = api.get_crl(crlId=identity)["crl"]
    assert (shown["name"], shown["enabled"], shown["crlData"], shown["trustAnchorArn"]) == ("revoked", False, text.encode(), ours.anchor)
    assert api.list_crls()["crls"] == [shown]
    with region.refused("ResourceNotFoundException"):
        api.import_crl(name="gone", crlData=text.encode(), trustAnchorArn=ours.anchor[:-12] + "0" * 12)
    indirect = ours.authority.revoke(critical=x509.DeltaCRLIndicator(1))
    for data, words in ((b"nothing", "Unable to parse"), (indirect.encode(), "critical extension")):
        with region.refused("ValidationException", words):
            api.import_crl(name="bad", crlData=data, trustAnchorArn=ours.anchor)
    api.delete_trust_anchor(trustAnchorId=ours.anchor_id())
    with region.refused("ResourceNotFoundException"):
        api.get_crl(crlId=identity)


def test_tags(region: Region, api: Any) -> None:
    arn = api.create_profile(name="all", roleArns=[])["profile"]["profileArn"]
    api.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    api.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert api.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    with region.refused("TooManyTagsException"):
        api.tag_resource(resourceArn=arn, tags=[{"key": f"k{number}", "value": ""} for number in range(200)])
    role = region.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]  # fmt: skip
    for missing in (f"{ARN}profile/{MISSING}", role):
        with region.refused("ResourceNotFoundException"):
            api.list_tags_for_resource(resourceArn=missing)


def test_another_account_and_region_see_nothing(region: Region, api: Any) -> None:
    identity = api.create_profile(name="all", roleArns=[])["profile"]["profileId"]
    for stranger in (client("rolesanywhere", "999988887777"), client("rolesanywhere", region="eu-south-9")):
        assert stranger.list_profiles()["profiles"] == []
        with region.refused("ResourceNotFoundException"):
            stranger.get_profile(profileId=identity)


def test_policies_decide_about_them(region: Region, api: Any) -> None:
    made = [api.create_profile(name=name, roleArns=[])["profile"] for name in ("one", "two")]
    statement = {"Effect": "Allow", "Action": "rolesanywhere:GetProfile", "Resource": made[0]["profileArn"]}
    alice = region.as_user("rolesanywhere", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert alice.get_profile(profileId=made[0]["profileId"])["profile"]["name"] == "one"
    for call, members in ((alice.get_profile, {"profileId": made[1]["profileId"]}), (alice.list_profiles, {})):
        with region.refused("AccessDeniedException", "is not authorized to perform: rolesanywhere:"):
            call(**members)
