"""Credentials for the holder of a certificate's key, and for nobody else."""

from __future__ import annotations

import json

from tests.region import ACCOUNT, Region, client

from .authority import SPIFFE, Authority, rsa_key, scene, spiffe, subject, trust


def test_a_session_of_the_role_under_the_serial_number(region: Region) -> None:
    ours = scene(region)
    entry = ours.session(ours.authority.issue())
    assert entry["assumedRoleUser"]["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/outside/1f71c5114a"
    assert entry["roleArn"] == ours.role
    assert entry["sourceIdentity"] == "CN=alice"
    who = client("sts", entry["credentials"]["accessKeyId"]).get_caller_identity()
    assert who["Arn"] == entry["assumedRoleUser"]["arn"]


def test_rsa_keys_sign_too(region: Region) -> None:
    ours = scene(region, Authority(key=rsa_key()))
    assert ours.session(ours.authority.issue(key=rsa_key(1)))["credentials"]["sessionToken"]


def test_a_spiffe_identity_is_a_principal_tag(region: Region) -> None:
    ours = scene(region, document=trust(StringEquals={"aws:PrincipalTag/x509SAN/URI": SPIFFE}))
    statement = {"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/x509SAN/URI": SPIFFE}}}
    region.iam.put_role_policy(RoleName="outside", PolicyName="look", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    key = ours.session(spiffe(ours.authority))["credentials"]["accessKeyId"]
    client("ec2", key).describe_vpcs()
    assert "Unable to assume role" in ours.refusal(spiffe(ours.authority, "spiffe://example.org/ns/shop/sa/other"))
    assert "Unable to assume role" in ours.refusal(ours.authority.issue(subject(COMMON_NAME="bob")))
