"""Who may call the API: signatures, users and roles with policies, roles of other accounts, boundaries; and `up --open`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from bench.region import Region, running
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from .lab import Lab

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def client(region: Region, service: str, key: str, secret: str, token: str | None = None, **config: Any) -> Any:
    return boto3.client(
        service, region_name=region.name, endpoint_url=region.session.endpoint, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )  # fmt: skip


def session(lab: Lab, service: str, credentials: dict[str, Any]) -> Any:
    return client(lab.region, service, credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials.get("SessionToken"))


def code(call: Any, **params: Any) -> str:
    """The error code of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal: str, **more: Any) -> str:
    return policy({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"} | more)


def test_signatures(lab: Lab) -> None:
    right = lab.region.session.credentials
    key, secret = right.access_key_id, right.secret_access_key.reveal()
    assert code(client(lab.region, "ec2", key, "wrong" * 8).describe_vpcs) == "AuthFailure"
    assert code(client(lab.region, "vpc-lattice", key, "wrong" * 8).list_services) == "InvalidSignatureException"
    assert code(client(lab.region, "sts", key, "wrong" * 8).get_caller_identity) == "SignatureDoesNotMatch"
    assert code(client(lab.region, "ec2", "AKIAIOSFODNN7EXAMPLE", secret).describe_vpcs) == "AuthFailure"
    assert code(client(lab.region, "sts", "AKIAIOSFODNN7EXAMPLE", secret).get_caller_identity) == "InvalidClientTokenId"
    assert code(client(lab.region, "vpc-lattice", "AKIAIOSFODNN7EXAMPLE", secret).list_services) == "UnrecognizedClientException"
    assert code(client(lab.region, "sts", key, secret, "no such token").get_caller_identity) == "InvalidClientTokenId"
    assert code(client(lab.region, "vpc-lattice", key, secret, signature_version=UNSIGNED).list_services) == "MissingAuthenticationTokenException"
    assert code(client(lab.region, "ec2", key, secret, signature_version=UNSIGNED).describe_vpcs) == "MissingAuthenticationToken"
    assert code(client(lab.region, "logs", key, secret, signature_version=UNSIGNED).describe_log_groups) == "MissingAuthenticationTokenException"
    assert code(client(lab.region, "iam", key, secret, signature_version=UNSIGNED).list_users) == "MissingAuthenticationToken"
    assert code(client(lab.region, "route53", key, secret, signature_version=UNSIGNED).list_hosted_zones) == "MissingAuthenticationToken"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(lab.region.session.endpoint + "/services", timeout=5)
    assert caught.value.code == 403
    caught.value.close()


def test_a_user_may_what_its_policies_say(lab: Lab) -> None:
    iam = lab.client("iam")
    iam.create_user(UserName="reader", Path="/staff/")
    credentials = iam.create_access_key(UserName="reader")["AccessKey"]
    ec2 = session(lab, "ec2", credentials)
    assert code(ec2.describe_vpcs) == "UnauthorizedOperation"
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy({"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}))
    ec2.describe_vpcs()
    assert code(ec2.create_vpc, CidrBlock="10.0.0.0/16") == "UnauthorizedOperation"
    lattice = session(lab, "vpc-lattice", credentials)
    with pytest.raises(ClientError) as caught:
        lattice.create_service_network(name="mine")
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert ":user/staff/reader is not authorized to perform: vpc-lattice:CreateServiceNetwork" in error["Message"]
    managed = iam.create_policy(
        PolicyName="networks",
        PolicyDocument=policy(
            {"Effect": "Allow", "Action": ["vpc-lattice:*", "iam:CreateServiceLinkedRole"], "Resource": "*"},
            {"Effect": "Deny", "Action": "vpc-lattice:DeleteServiceNetwork", "Resource": "*"},
        ),
    )["Policy"]["Arn"]
    iam.attach_user_policy(UserName="reader", PolicyArn=managed)
    made = lattice.create_service_network(name="mine")["id"]
    with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
        lattice.delete_service_network(serviceNetworkIdentifier=made)
    identity = session(lab, "sts", credentials).get_caller_identity()
    assert identity["Arn"].endswith(":user/staff/reader")
    assert identity["UserId"].startswith("AIDA")
    iam.update_access_key(UserName="reader", AccessKeyId=credentials["AccessKeyId"], Status="Inactive")
    assert code(ec2.describe_vpcs) == "AuthFailure"
    assert code(iam.delete_user, UserName="reader") == "DeleteConflict"
    iam.delete_access_key(UserName="reader", AccessKeyId=credentials["AccessKeyId"])
    iam.detach_user_policy(UserName="reader", PolicyArn=managed)
    iam.delete_user_policy(UserName="reader", PolicyName="read")
    iam.delete_user(UserName="reader")
    iam.delete_policy(PolicyArn=managed)
    lab.client("vpc-lattice").delete_service_network(serviceNetworkIdentifier=made)


def test_a_role_of_another_account(lab: Lab) -> None:
    """A member account's role is assumed from there and comes here by an external id; each session sees its own account's resources."""
    organizations, sts, iam = lab.client("organizations"), lab.client("sts"), lab.client("iam")
    organization = organizations.create_organization(FeatureSet="ALL")["Organization"]
    created = organizations.create_account(Email="branch@example.com", AccountName="branch")["CreateAccountStatus"]
    state = organizations.describe_create_account_status(CreateAccountRequestId=created["Id"])["CreateAccountStatus"]
    assert state["State"] == "SUCCEEDED"
    member, home = state["AccountId"], sts.get_caller_identity()["Account"]
    assert member != home
    assert organization["MasterAccountId"] == home
    role = f"arn:aws:iam::{member}:role/OrganizationAccountAccessRole"
    there = sts.assume_role(RoleArn=role, RoleSessionName="admin")
    assert there["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{member}:assumed-role/OrganizationAccountAccessRole/admin"
    branch = there["Credentials"]
    lab.vpc("10.70.0.0/16")
    vpc = session(lab, "ec2", branch).create_vpc(CidrBlock="10.70.0.0/16")["Vpc"]
    assert vpc["OwnerId"] == member
    assert [found["VpcId"] for found in session(lab, "ec2", branch).describe_vpcs()["Vpcs"]] == [vpc["VpcId"]]
    assert code(lab.ec2.describe_vpcs, VpcIds=[vpc["VpcId"]]) == "InvalidVpcID.NotFound"
    arn = iam.create_role(
        RoleName="visitor", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{member}:root", Condition={"StringEquals": {"sts:ExternalId": "blue"}})
    )["Role"]["Arn"]
    iam.put_role_policy(RoleName="visitor", PolicyName="see", PolicyDocument=policy({"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*"}))
    from_branch = session(lab, "sts", branch)
    assert code(from_branch.assume_role, RoleArn=arn, RoleSessionName="v1") == "AccessDenied"
    assert code(from_branch.assume_role, RoleArn=arn, RoleSessionName="v1", ExternalId="red") == "AccessDenied"
    visitor = from_branch.assume_role(RoleArn=arn, RoleSessionName="v1", ExternalId="blue", DurationSeconds=900)["Credentials"]
    here = session(lab, "ec2", visitor)
    assert vpc["VpcId"] not in {found["VpcId"] for found in here.describe_vpcs()["Vpcs"]}
    assert code(here.describe_subnets) == "UnauthorizedOperation"
    narrowed = from_branch.assume_role(
        RoleArn=arn, RoleSessionName="v2", ExternalId="blue", Policy=policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    )["Credentials"]
    assert code(session(lab, "ec2", narrowed).describe_vpcs) == "UnauthorizedOperation"
    tampered = visitor | {"SessionToken": visitor["SessionToken"][:-4] + "AAAA"}
    assert code(session(lab, "sts", tampered).get_caller_identity) == "InvalidClientTokenId"
    iam.delete_role_policy(RoleName="visitor", PolicyName="see")
    assert code(here.describe_vpcs) == "UnauthorizedOperation"
    session(lab, "ec2", branch).delete_vpc(VpcId=vpc["VpcId"])


@pytest.fixture
def opened() -> Iterator[Region]:
    with running("ap-southeast-7", "--open") as region:
        yield region


def test_open_regions_take_any_key(opened: Region) -> None:
    """Twelve digits name the account."""
    for account in ("123412341234", "999988887777"):
        ec2 = client(opened, "ec2", account, "anything")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
        assert vpc["OwnerId"] == account
        assert [found["VpcId"] for found in ec2.describe_vpcs()["Vpcs"]] == [vpc["VpcId"]]
        assert client(opened, "sts", account, "anything").get_caller_identity()["Account"] == account
        zones = ec2.describe_availability_zones()["AvailabilityZones"]
        assert zones[0]["ZoneName"] == "ap-southeast-7a"
        name = client(opened, "vpc-lattice", account, "x").create_service(name="open")["dnsEntry"]["domainName"]
        assert name.endswith(".vpc-lattice-svcs.ap-southeast-7.on.aws")
    assert client(opened, "sts", "whatever", "x").get_caller_identity()["Account"]
    assert client(opened, "ec2", "x", "x", signature_version=UNSIGNED).describe_vpcs()["Vpcs"] is not None
