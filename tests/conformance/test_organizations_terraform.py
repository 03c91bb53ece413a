"""Terraform's organization: units, an account, control policies; they decide, change, move and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from bench.region import running
from botocore.exceptions import ClientError

from .lab import Lab
from .terraform_folder import Terraform, terraform_tests

pytestmark = terraform_tests("organizations")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A region of its own: an account is in one organization only."""
    with running("mx-north-4") as region:
        yield Lab(region)


def member_client(lab: Lab, account: str, service: str) -> Any:
    role = f"arn:aws:iam::{account}:role/Administrator"
    session = lab.client("sts").assume_role(RoleArn=role, RoleSessionName="terraform")["Credentials"]
    keys = {"aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"], "aws_session_token": session["SessionToken"]}
    return boto3.client(service, region_name=lab.region.name, endpoint_url=lab.region.session.endpoint, **keys)


def test_an_organization_comes_decides_changes_and_goes(lab: Lab, terraform: Terraform) -> None:
    terraform.apply()
    terraform.unchanged()
    found = terraform.outputs()
    assert found["units"] == ["production", "sandbox"]
    ec2 = member_client(lab, found["member"], "ec2")
    with pytest.raises(ClientError, match=r"ec2:CreateVpc .* with an explicit deny in a service control policy: arn:aws:organizations::"):
        ec2.create_vpc(CidrBlock="10.77.0.0/16", DryRun=True)
    ec2.describe_vpcs()

    terraform.apply(action="ec2:DescribeVpcs")
    with pytest.raises(ClientError, match="explicit deny in a service control policy"):
        ec2.describe_vpcs()
    terraform.apply(action="ec2:DescribeVpcs", home="sandbox")
    terraform.unchanged()
    ec2.describe_vpcs()
    parents = lab.client("organizations").list_parents(ChildId=found["member"])["Parents"]
    assert [parent["Type"] for parent in parents] == ["ORGANIZATIONAL_UNIT"]
    terraform.destroy()
    with pytest.raises(ClientError, match="not a member of an organization"):
        lab.client("organizations").describe_organization()
