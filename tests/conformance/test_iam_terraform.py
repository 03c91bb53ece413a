"""Terraform's identity resources: they come, are what they say, change, and go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from .lab import Lab
from .test_terraform import HERE, Terraform, pytestmark

__all__ = ["pytestmark"]


@pytest.fixture
def terraform(lab: Lab, tmp_path: Path) -> Iterator[Terraform]:
    made = Terraform(tmp_path, lab, HERE / "iam")
    try:
        yield made
    finally:
        made.run("destroy", "-auto-approve")


def test_identities_come_change_and_go(lab: Lab, terraform: Terraform) -> None:
    terraform.run("apply", "-auto-approve")
    terraform.run("plan", "-detailed-exitcode")
    found = terraform.outputs()
    assert (found["allowed"], found["members"]) == (True, ["tf-alice", "tf-bob"])

    keys = {"aws_access_key_id": found["key"], "aws_secret_access_key": found["secret"]}
    alice = {service: boto3.client(service, region_name=lab.region.name, endpoint_url=lab.region.session.endpoint, **keys) for service in ("iam", "sts")}
    assert alice["iam"].get_user()["User"]["Path"] == "/tf/"
    with pytest.raises(ClientError, match="no identity-based policy allows the iam:GetUser action"):
        alice["iam"].get_user(UserName="tf-bob")
    assert alice["sts"].assume_role(RoleArn=found["role"], RoleSessionName="mine")["AssumedRoleUser"]["Arn"].endswith("assumed-role/tf-role/mine")

    terraform.run("apply", "-auto-approve", "-var", "greeting=second")
    terraform.run("plan", "-detailed-exitcode", "-var", "greeting=second")
    iam = lab.client("iam")
    role = iam.get_role(RoleName="tf-role")["Role"]
    assert (role["Description"], role["Tags"]) == ("for second", [{"Key": "Owner", "Value": "conformance"}])
    terraform.run("destroy", "-auto-approve")
    left = [user["UserName"] for user in iam.list_users(PathPrefix="/tf/")["Users"]]
    left += [group["GroupName"] for group in iam.list_groups(PathPrefix="/tf/")["Groups"]]
    left += [policy["PolicyName"] for policy in iam.list_policies(PathPrefix="/tf/")["Policies"]]
    assert left + iam.list_account_aliases()["AccountAliases"] + iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
