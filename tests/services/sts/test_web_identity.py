"""A role for whoever the account's identity provider vouches for."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.region import ACCOUNT, WIRE, Region, client

from latticewall.wire.message import HttpRequest

from .identity_provider import ARN, CLIENT, ISSUER, NAME, SUBJECT, Provider, become, provider, trusting
from .words import OTHER, TRUSTING, allow, role, trust


@pytest.fixture
def ours(region: Region, tmp_path: Path) -> Provider:
    return provider(region, tmp_path)


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "ES256"])
def test_a_session_for_the_subject(region: Region, ours: Provider, algorithm: str) -> None:
    if algorithm == "RS512":
        ours.path.write_text(json.dumps({"keys": [{**key, "alg": algorithm} for key in ours.key_set()["keys"][:1]]}))
    answer = become(trusting(region), ours.token(algorithm=algorithm), DurationSeconds=900)
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/pod"
    assert (answer["SubjectFromWebIdentityToken"], answer["Audience"], answer["Provider"]) == (SUBJECT, CLIENT, ARN)
    assert (answer["Credentials"]["Expiration"] - region.clock.moment).total_seconds() <= 900
    who = client("sts", answer["Credentials"]["AccessKeyId"]).get_caller_identity()
    assert who["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


def test_claims_are_condition_keys(region: Region, ours: Provider) -> None:
    conditions: Any = {"StringEquals": {f"{NAME}:aud": CLIENT, f"{NAME}:sub": SUBJECT}, "ForAnyValue:StringEquals": {f"{NAME}:amr": "mfa"}}
    arn = trusting(region, **conditions)
    assert become(arn, ours.token(amr=["pwd", "mfa"]))
    for changed in ({"sub": "other", "amr": ["mfa"]}, {"aud": "other", "amr": ["mfa"]}, {"amr": ["pwd"]}, {}):
        with region.refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"):
            become(arn, ours.token(**changed))


def test_who_is_authorised_counts_before_the_audience(region: Region, ours: Provider) -> None:
    arn = trusting(region, StringEquals={f"{NAME}:aud": "other", f"{NAME}:oaud": CLIENT})
    assert become(arn, ours.token(azp="other"))["Audience"] == "other"
    with region.refused("InvalidIdentityToken", "Incorrect token audience"):
        become(arn, ours.token(azp="nobody"))


def test_roles_that_do_not_trust_the_provider(region: Region, ours: Provider) -> None:
    token = ours.token()
    missing = f"arn:aws:iam::{ACCOUNT}:role/none"
    for arn in (role(region, trust(TRUSTING)), trusting(region, "sts:TagSession", name="tag"), missing):
        with region.refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"):
            become(arn, token)
    theirs = role(region, trust({"Federated": "cognito-identity.amazonaws.com"}, "sts:AssumeRoleWithWebIdentity"), "cognito")
    with region.refused("AccessDenied"):
        become(theirs, token)


@pytest.mark.parametrize(
    ("code", "words", "changed"),
    [
        ("ExpiredTokenException", "Token expired", {"exp": 1_700_000_000}),
        ("ExpiredTokenException", "Token too old", {"iat": 1_700_000_000}),
        ("InvalidIdentityToken", "not valid yet", {"nbf": 1_900_000_000}),
        ("InvalidIdentityToken", "not valid yet", {"iat": 1_900_000_000}),
        ("InvalidIdentityToken", "Incorrect token audience", {"aud": "stranger"}),
        ("InvalidIdentityToken", "Incorrect token audience", {"aud": ["stranger", "strange"]}),
        ("InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://elsewhere", {"iss": "https://elsewhere"}),
        ("InvalidIdentityToken", "not an https URL", {"iss": f"http://{NAME}"}),
        ("InvalidIdentityToken", "not an https URL", {"iss": "id"}),
        ("InvalidIdentityToken", "Missing a required claim: iss", {"iss": None}),
        ("InvalidIdentityToken", "Missing a required claim: exp", {"exp": None}),
        ("InvalidIdentityToken", "Missing a required claim: iat", {"iat": None}),
        ("InvalidIdentityToken", "Missing a required claim: sub", {"sub": None}),
        ("InvalidIdentityToken", "Missing a required claim: aud", {"aud": None}),
        ("IDPRejectedClaim", "sub", {"sub": 7}),
        ("IDPRejectedClaim", "exp", {"exp": "tomorrow"}),
        ("IDPRejectedClaim", "exp", {"exp": 1e300}),
        ("IDPRejectedClaim", "amr", {"amr": "mfa"}),
        ("IDPRejectedClaim", "aws.amazon.com/tags", {"https://aws.amazon.com/tags": {"principal_tags": {"a": ["b", "c"]}}}),
        ("IDPRejectedClaim", "aws.amazon.com/tags", {"https://aws.amazon.com/tags": "a=b"}),
        ("IDPRejectedClaim", "source_identity", {"https://aws.amazon.com/source_identity": ["carol"]}),
    ],
)
def test_claims_that_do_not_do(region: Region, ours: Provider, code: str, words: str, changed: dict[str, Any]) -> None:
    arn = trusting(region)
    token = ours.token(**changed)
    with region.refused(code, words):
        become(arn, token)


def test_signatures_that_do_not_do(region: Region, ours: Provider) -> None:
    arn = trusting(region)
    good = ours.token()
    head, claims, signature = good.split(".")
    forged = base64.urlsafe_b64encode(json.dumps(ours.claims(sub="admin")).encode()).decode().rstrip("=")
    nothing = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    public = ours.rsa.public_key().public_numbers().n.to_bytes(256, "big")
    stranger = rsa.generate_private_key(65537, 2048)
    for token, words in (
        (f"{head}.{forged}.{signature}", "signature does not match"),
        (f"{nothing}.{claims}.", "algorithm is not supported: none"),
        (ours.token(key=stranger), "signature does not match"),
        (ours.token(headers={"kid": "gone"}), "does not hold the token's key"),
        (ours.token(algorithm="HS256", key=public, headers={}), "algorithm is not supported: HS256"),
        (ours.token(algorithm="RS384"), "does not hold the token's key"),
        ("text.that.is no token", "not a valid JWT"),
        ("abcd", "not a valid JWT"),
        (good[:-5], "not a valid JWT"),
    ):
        with region.refused("InvalidIdentityToken", words):
            become(arn, token)
    assert become(arn, ours.token(headers={}))


def test_key_sets_that_do_not_do(region: Region, ours: Provider) -> None:
    arn = trusting(region)
    keys = ours.key_set()["keys"]
    encrypting = [{**key, "use": "enc"} for key in keys]
    for content in ("", "[]", '{"keys": 7}', json.dumps({"keys": encrypting}), json.dumps({"keys": [{"kty": "RSA", "kid": "r"}]}), "[" * 100_000):
        ours.path.write_text(content)
        with region.refused("InvalidIdentityToken", "Couldn't retrieve verification key"):
            become(arn, ours.token())
    ours.path.write_text(json.dumps({"keys": [{"kty": "RSA", "kid": "r"}, 7, *keys]}))
    assert become(arn, ours.token())
    ours.path.unlink()
    with region.refused("IDPCommunicationError", "cannot be read"):
        become(arn, ours.token())


def test_a_provider_without_a_key_set_is_asked_itself(region: Region, ours: Provider) -> None:
    arn = trusting(region)
    region.iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=ARN, TagKeys=["latticewall:jwks"])
    with region.refused("IDPCommunicationError", f"{ISSUER}/.well-known/openid-configuration cannot be read"):
        become(arn, ours.token())


def test_tags_and_source_identity_of_the_token(region: Region, ours: Provider) -> None:
    claims: dict[str, Any] = {
        "https://aws.amazon.com/tags": {"principal_tags": {"team": ["net"], "stage": ["dev"]}, "transitive_tag_keys": ["team"]},
        "https://aws.amazon.com/source_identity": "carol",
    }
    token = ours.token(**claims)
    for missing in ("sts:TagSession", "sts:SetSourceIdentity"):
        others = {"sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"} - {missing}
        arn = trusting(region, *sorted(others), name=missing[4:])
        with region.refused("AccessDenied"):
            become(arn, token)
    arn = trusting(region, "sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity")
    answer = become(arn, token)
    assert answer["SourceIdentity"] == "carol"
    with region.store.read() as snapshot:
        row = snapshot.get("sts:Session", answer["Credentials"]["AccessKeyId"])
    assert row
    assert (row.tags, row.document["_transitive"]) == ({"team": "net", "stage": "dev"}, ["team"])
    assert row.document["_keys"]["aws:SourceIdentity"] == "carol"


def test_the_session_knows_its_provider(region: Region, ours: Provider) -> None:
    arn = trusting(region)
    region.iam.put_role_policy(
        RoleName="web", PolicyName="only", PolicyDocument=allow("ec2:DescribeVpcs", StringEquals={"aws:FederatedProvider": ARN})
    )
    client("ec2", become(arn, ours.token())["Credentials"]["AccessKeyId"]).describe_vpcs()


def test_session_policies_and_duration(region: Region, ours: Provider) -> None:
    arn = trusting(region)
    region.iam.put_role_policy(RoleName="web", PolicyName="only", PolicyDocument=allow("ec2:*"))
    ec2 = client("ec2", become(arn, ours.token(), Policy=allow("ec2:DescribeVpcs"))["Credentials"]["AccessKeyId"])
    ec2.describe_vpcs()
    with region.refused("UnauthorizedOperation"):
        ec2.describe_subnets()
    with region.refused("ValidationError", "MaxSessionDuration"):
        become(arn, ours.token(), DurationSeconds=7200)


def test_the_provider_of_another_account_vouches_for_nobody(region: Region, ours: Provider) -> None:
    theirs = region.of(OTHER, "iam").create_role(
        RoleName="web", AssumeRolePolicyDocument=trust({"Federated": ARN}, "sts:AssumeRoleWithWebIdentity")
    )["Role"]["Arn"]  # fmt: skip
    with region.refused("InvalidIdentityToken", "No OpenIDConnect provider"):
        become(theirs, ours.token())


def test_no_other_call_goes_without_a_signature(region: Region, ours: Provider, tmp_path: Path) -> None:
    arn = trusting(region)
    token = ours.token()
    WIRE.endpoint = Region(tmp_path, clock=region.clock, open_mode=False).endpoint
    assert become(arn, token)["Credentials"]

    def ask(method: str, path: str, query: str = "", body: str = "", **headers: str) -> tuple[int, str]:
        assert WIRE.endpoint
        given = (("host", "127.0.0.1"), ("content-type", "application/x-www-form-urlencoded"), *headers.items())
        answer = WIRE.endpoint.answer(HttpRequest(method, path, query, given, body.encode()), "127.0.0.1")
        return answer.status, answer.body.decode()

    web = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
    for status, body in (
        ask("POST", "/", body="Action=GetCallerIdentity&Version=2011-06-15"),
        ask("POST", "/", body="Action=AssumeRole&Version=2011-06-15"),
        ask("POST", "/", body="Action=ListUsers&Version=2010-05-08"),
        ask("POST", "/", query="Action=GetCallerIdentity", body=web),
        ask("POST", "/", body=web, **{"x-amz-target": "AmazonSSM.GetParameter"}),
        ask("GET", "/services"),
        ask("POST", "/sessions", body="{}"),
    ):
        assert status in (400, 403)
        assert "Missing" in body or "missing" in body or "Unknown" in body, body
    status, body = ask("GET", "/", query=f"{web}&RoleArn={arn}&RoleSessionName=pod&WebIdentityToken={token}")
    assert (status, "<AssumeRoleWithWebIdentityResult>" in body) == (200, True)
    bad = ask("POST", "/", body=f"{web}&RoleArn={arn}&RoleSessionName=pod&WebIdentityToken={token}", authorization="AWS4-HMAC-SHA256 x")
    assert bad[0] == 400
