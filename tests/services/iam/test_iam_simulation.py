"""The policy simulator, by AWS's documented examples and by what the same policies do to real calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.region import ACCOUNT, Region

Result = dict[str, Any]
IAM = f"arn:aws:iam::{ACCOUNT}"
BOX = f"arn:aws:ec2:eu-north-7:{ACCOUNT}:instance/*"
DATED = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
LISTED = """{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "codecommit:ListRepositories"
            ], "Resource": "*"
        },
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::secret/*"}
    ]
}"""


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", **own} for own in statements]})


def custom(region: Region, policies: list[str], action: str = "s3:GetObject", *resources: str, **more: Any) -> Result:
    if resources:
        more["ResourceArns"] = list(resources)
    return dict(region.iam.simulate_custom_policy(PolicyInputList=policies, ActionNames=[action], **more)["EvaluationResults"][0])


def entry(key: str, *values: str, type_: str = "string") -> dict[str, Any]:
    return {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": type_}


def test_the_examples_of_the_command_reference(region: Region) -> None:
    later = custom(region, [DATED], "dynamodb:CreateBackup", ContextEntries=[entry("aws:CurrentTime", "2019-04-25T11:00:00Z", type_="date")])
    assert later == {
        "EvalActionName": "dynamodb:CreateBackup", "EvalResourceName": "*", "EvalDecision": "allowed", "MissingContextValues": [],
        "MatchedStatements": [
            {
                "SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "none",
                "StartPosition": {"Line": 1, "Column": 38}, "EndPosition": {"Line": 1, "Column": 167},
            }
        ],
    }  # fmt: skip
    earlier = custom(region, [DATED], "dynamodb:CreateBackup", ContextEntries=[entry("aws:CurrentTime", "2014-04-25T11:00:00Z", type_="date")])
    assert (earlier["EvalDecision"], earlier["MatchedStatements"]) == ("implicitDeny", [])
    (matched,) = custom(region, [LISTED], "codecommit:ListRepositories")["MatchedStatements"]
    assert (matched["StartPosition"], matched["EndPosition"]) == ({"Line": 3, "Column": 19}, {"Line": 9, "Column": 10})
    (denied,) = custom(region, [LISTED], "s3:GetObject", "arn:aws:s3:::secret/x")["MatchedStatements"]
    assert (denied["StartPosition"], denied["EndPosition"]) == ({"Line": 9, "Column": 10}, {"Line": 10, "Column": 82})


def test_a_deny_is_the_only_statement_shown(region: Region) -> None:
    allow, deny = policy({}, {"Action": "s3:Get*"}), policy({"Effect": "Deny", "Action": "s3:GetObject"})
    assert len(custom(region, [allow])["MatchedStatements"]) == 2
    found = custom(region, [allow, deny])
    assert (found["EvalDecision"], [item["SourcePolicyId"] for item in found["MatchedStatements"]]) == ("explicitDeny", ["PolicyInputList.2"])


def test_one_result_per_action_with_each_resource_in_it(region: Region) -> None:
    mine = policy({"Resource": "arn:aws:s3:::a/*"}, {"Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": {"s3:prefix": "x"}}})
    found = custom(region, [mine], "s3:GetObject", "arn:aws:s3:::a/1", "arn:aws:s3:::b/1", "arn:aws:s3:::a/1")
    assert (found["EvalDecision"], found["MatchedStatements"], found["MissingContextValues"]) == ("implicitDeny", [], ["s3:prefix"])
    each = {item["EvalResourceName"]: (item["EvalResourceDecision"], item["MissingContextValues"]) for item in found["ResourceSpecificResults"]}
    assert each == {"arn:aws:s3:::a/1": ("allowed", []), "arn:aws:s3:::b/1": ("implicitDeny", ["s3:prefix"])}
    assert (found["EvalResourceName"], found["EvalDecisionDetails"]) == ("*", {})
    known = custom(region, [mine], "s3:GetObject", "arn:aws:s3:::a/1", "arn:aws:s3:::b/1", ContextEntries=[entry("S3:Prefix", "x")])
    assert (known["EvalDecision"], len(known["MatchedStatements"]), known["MissingContextValues"]) == ("allowed", 2, [])


def test_results_come_in_pages(region: Region) -> None:
    asked = {"PolicyInputList": [policy({})], "ActionNames": ["s3:GetObject", "s3:PutObject", "ec2:RunInstances"]}
    pages = list(region.iam.get_paginator("simulate_custom_policy").paginate(**asked, PaginationConfig={"PageSize": 2}))
    decisions = [(result["EvalActionName"], result["EvalDecision"]) for page in pages for result in page["EvaluationResults"]]
    assert decisions == [("s3:GetObject", "allowed"), ("s3:PutObject", "allowed"), ("ec2:RunInstances", "implicitDeny")]
    assert [page["IsTruncated"] for page in pages] == [True, False]


@pytest.mark.parametrize(
    ("operator", "wanted", "type_", "values", "decision"),
    [
        ("NumericLessThan", "10", "numeric", ["9"], "allowed"), ("NumericLessThan", "10", "numeric", ["10"], "implicitDeny"),
        ("Bool", "true", "boolean", ["true"], "allowed"), ("IpAddress", "10.0.0.0/8", "ip", ["10.1.2.3"], "allowed"),
        ("IpAddress", "10.0.0.0/8", "ip", ["11.1.2.3"], "implicitDeny"), ("BinaryEquals", "QUJD", "binary", ["QUJD"], "allowed"),
        ("ForAllValues:StringEquals", ["a", "b"], "stringList", ["a", "b"], "allowed"),
        ("ForAllValues:StringEquals", ["a"], "stringList", ["a", "b"], "implicitDeny"),
        ("ForAnyValue:StringEquals", ["a"], "stringList", ["a", "b"], "allowed"),
    ],
)  # fmt: skip
def test_context_of_every_type(region: Region, operator: str, wanted: Any, type_: str, values: list[str], decision: str) -> None:
    found = custom(region, [policy({"Condition": {operator: {"s3:thing": wanted}}})], ContextEntries=[entry("s3:thing", *values, type_=type_)])
    assert found["EvalDecision"] == decision


def test_boundaries(region: Region) -> None:
    inside, outside, denying = policy({}), policy({"Action": "ec2:*"}), policy({"Effect": "Deny"})
    found = custom(region, [policy({})], PermissionsBoundaryPolicyInputList=[inside])
    assert (found["EvalDecision"], found["PermissionsBoundaryDecisionDetail"]) == ("allowed", {"AllowedByPermissionsBoundary": True})
    assert [item["SourcePolicyId"] for item in found["MatchedStatements"]] == ["PolicyInputList.1"]
    found = custom(region, [policy({})], PermissionsBoundaryPolicyInputList=[outside])
    assert (found["EvalDecision"], found["PermissionsBoundaryDecisionDetail"]) == ("implicitDeny", {"AllowedByPermissionsBoundary": False})
    found = custom(region, [policy({})], PermissionsBoundaryPolicyInputList=[denying])
    assert (found["EvalDecision"], sources(found)) == ("explicitDeny", [("PermissionsBoundaryPolicyInputList.1", "none")])


def test_levels_of_an_organization(region: Region) -> None:
    everything, nothing, deny = policy({"Action": "*"}), policy({"Action": "ec2:*"}), policy({"Effect": "Deny"})

    def under(*levels: str) -> tuple[str, bool, list[Any]]:
        control = [{"ServiceControlPolicyInputList": [level]} for level in levels]
        found = custom(region, [policy({})], OrderedOrganizationPolicyInputList=control)
        return found["EvalDecision"], found["OrganizationsDecisionDetail"]["AllowedByOrganizations"], found["MatchedStatements"]

    assert under(everything, everything)[:2] == ("allowed", True)
    assert under(everything, nothing) == ("implicitDeny", False, [])
    assert under(deny, everything) == ("explicitDeny", False, [])


def test_resource_policies(region: Region) -> None:
    alice, bucket = f"arn:aws:iam::{ACCOUNT}:user/alice", "arn:aws:s3:::bucket/x"
    grant = policy({"Principal": {"AWS": alice}, "Resource": bucket})
    nothing = policy({"Action": "ec2:*"})
    same = custom(region, [nothing], "s3:GetObject", bucket, ResourcePolicy=grant, CallerArn=alice)
    assert (same["EvalDecision"], same["MatchedStatements"][0]["SourcePolicyType"]) == ("allowed", "resource")
    assert custom(region, [nothing], "s3:GetObject", bucket, ResourcePolicy=grant, CallerArn=alice + "x")["EvalDecision"] == "implicitDeny"
    foreign = {"ResourcePolicy": grant, "CallerArn": alice, "ResourceOwner": "arn:aws:iam::999988887777:root"}
    found = custom(region, [nothing], "s3:GetObject", bucket, **foreign)
    assert (found["EvalDecision"], found["EvalDecisionDetails"]) == ("implicitDeny", {"Resource Policy": "allowed", "IAM Policy": "implicitDeny"})
    found = custom(region, [policy({})], "s3:GetObject", bucket, **foreign)
    assert (found["EvalDecision"], {item["SourcePolicyId"] for item in found["MatchedStatements"]}) == ("allowed", {"PolicyInputList.1", "ResourcePolicy"})
    found = custom(region, [policy({})], "s3:GetObject", bucket, CallerArn=alice, ResourceOwner="999988887777")
    assert (found["EvalDecision"], found["EvalDecisionDetails"]) == ("implicitDeny", {"Resource Policy": "implicitDeny", "IAM Policy": "allowed"})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"PolicyInputList": ["{"]}, "PolicyInputList.1: "),
        ({"ActionNames": ["s3:*"]}, "Invalid action name"),
        ({"ActionNames": ["GetObject"]}, "Invalid action name"),
        ({"ResourcePolicy": policy({"Principal": "*"})}, "CallerArn is required"),
        ({"CallerArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"}, "Invalid CallerArn"),
        ({"ResourceOwner": "somebody"}, "Invalid ResourceOwner"),
        ({"ResourceArns": ["bucket"]}, "Invalid resource ARN"),
        ({"PermissionsBoundaryPolicyInputList": [DATED, DATED]}, "Only one permissions boundary"),
        ({"ContextEntries": [entry("s3:key", "a", "b")]}, "exactly one value"),
        ({"ContextEntries": [entry("s3:key", "a", type_="numeric")]}, "not of type numeric"),
        ({"ContextEntries": [entry("s3:key", "a"), entry("S3:Key", "b")]}, "given twice"),
        ({"ResourceHandlingOption": "EC2-Classic-EBS"}, "Invalid ResourceHandlingOption"),
        ({"ResourceHandlingOption": "EC2-VPC-EBS", "ResourceArns": [BOX]}, "image, security-group, network-interface, volume"),
        ({"ResourcePolicy": policy({"Principal": "*"}), "CallerArn": f"{IAM}:user/a", "ResourceArns": [f"{IAM}:role/r"]}, "IAM roles"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated(region: Region, more: dict[str, Any], words: str) -> None:
    with region.refused("InvalidInput", words):
        region.iam.simulate_custom_policy(**{"PolicyInputList": [policy({})], "ActionNames": ["s3:GetObject"], **more})


# -- principals -----------------------------------------------------------------------------------------------------------------------------


def identities(region: Region) -> str:
    """Alice: an inline policy, a managed one, a group with both, a boundary. Returns her ARN."""
    managed = region.iam.create_policy(PolicyName="reads", PolicyDocument=policy({"Action": "s3:Get*"}))["Policy"]["Arn"]
    region.iam.create_group(GroupName="net")
    region.iam.put_group_policy(GroupName="net", PolicyName="looks", PolicyDocument=policy({"Action": "ec2:Describe*"}))
    region.iam.attach_group_policy(GroupName="net", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    alice = region.iam.create_user(UserName="alice", Path="/app/", Tags=[{"Key": "team", "Value": "net"}])["User"]["Arn"]
    region.iam.add_user_to_group(GroupName="net", UserName="alice")
    region.iam.attach_user_policy(UserName="alice", PolicyArn=managed)
    home = {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::home/${aws:username}/*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "net"}}}
    region.iam.put_user_policy(UserName="alice", PolicyName="home", PolicyDocument=policy(home))
    return str(alice)


def principal(region: Region, arn: str, action: str, *resources: str, **more: Any) -> Result:
    if resources:
        more["ResourceArns"] = list(resources)
    return dict(region.iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=[action], **more)["EvaluationResults"][0])


def sources(found: Result) -> list[tuple[str, str]]:
    return [(item["SourcePolicyId"], item["SourcePolicyType"]) for item in found["MatchedStatements"]]


def test_everything_that_speaks_for_a_user(region: Region) -> None:
    alice = identities(region)
    assert sources(principal(region, alice, "s3:GetObject")) == [("reads", "user-managed")]
    assert sources(principal(region, alice, "ec2:DescribeVpcs")) == [("looks", "group")]
    assert sources(principal(region, alice, "iam:ListUsers")) == [("IAMReadOnlyAccess", "aws-managed")]
    assert sources(principal(region, alice, "s3:PutObject", "arn:aws:s3:::home/alice/x")) == [("home", "user")]
    assert principal(region, alice, "s3:PutObject", "arn:aws:s3:::home/bob/x")["EvalDecision"] == "implicitDeny"
    assert sources(principal(region, alice, "sqs:SendMessage", PolicyInputList=[policy({"Action": "sqs:*"})])) == [("PolicyInputList.1", "none")]
    assert principal(region, alice, "ec2:RunInstances")["EvalDecision"] == "implicitDeny"
    group = f"arn:aws:iam::{ACCOUNT}:group/net"
    assert principal(region, group, "ec2:DescribeVpcs")["EvalDecision"] == "allowed"
    assert principal(region, group, "s3:GetObject")["EvalDecision"] == "implicitDeny"


def test_another_caller_with_the_same_policies(region: Region) -> None:
    alice = identities(region)
    bob = f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert principal(region, alice, "s3:PutObject", "arn:aws:s3:::home/bob/x", CallerArn=bob)["EvalDecision"] == "implicitDeny"
    region.iam.create_user(UserName="bob", Tags=[{"Key": "team", "Value": "net"}])
    assert principal(region, alice, "s3:PutObject", "arn:aws:s3:::home/bob/x", CallerArn=bob)["EvalDecision"] == "allowed"
    given = [entry("aws:username", "carol")]
    assert principal(region, alice, "s3:PutObject", "arn:aws:s3:::home/carol/x", ContextEntries=given)["EvalDecision"] == "allowed"


def test_the_identity_s_own_boundary_and_another(region: Region) -> None:
    alice = identities(region)
    region.iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
    found = principal(region, alice, "s3:GetObject")
    assert (found["EvalDecision"], found["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]) == ("implicitDeny", False)
    assert principal(region, alice, "s3:GetObject", PermissionsBoundaryPolicyInputList=[policy({})])["EvalDecision"] == "allowed"
    without = principal(region, alice, "s3:GetObject", PolicyExclusionList=[{"PolicyType": "permission-boundary"}])
    assert (without["EvalDecision"], "PermissionsBoundaryDecisionDetail" in without) == ("allowed", False)


def inline(type_: str, holder: str) -> dict[str, Any]:
    return {"InlinePolicyIdentifier": {"PolicyName": "looks", "AttachmentType": type_, "AttachmentName": holder}}


@pytest.mark.parametrize(
    ("excluded", "allowed"),
    [
        ({"PolicyType": "inline"}, {"s3:GetObject", "iam:ListUsers"}),
        ({"PolicyType": "user-managed"}, {"ec2:DescribeVpcs", "iam:ListUsers"}),
        ({"PolicyType": "aws-managed"}, {"s3:GetObject", "ec2:DescribeVpcs"}),
        ({"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/reads"}, {"ec2:DescribeVpcs", "iam:ListUsers"}),
        (inline("group", "net"), {"s3:GetObject", "iam:ListUsers"}),
        (inline("user", "alice"), {"s3:GetObject", "ec2:DescribeVpcs", "iam:ListUsers"}),
    ],
)  # fmt: skip
def test_what_would_be_without_a_policy(region: Region, excluded: dict[str, Any], allowed: set[str]) -> None:
    alice = identities(region)
    actions = ["s3:GetObject", "ec2:DescribeVpcs", "iam:ListUsers"]
    found = region.iam.simulate_principal_policy(PolicySourceArn=alice, ActionNames=actions, PolicyExclusionList=[excluded])["EvaluationResults"]
    assert {result["EvalActionName"] for result in found if result["EvalDecision"] == "allowed"} == allowed


CALLS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("iam", "list_users", {}, "iam:ListUsers", "allowed"),
    ("iam", "list_roles", {}, "iam:ListRoles", "explicitDeny"),
    ("iam", "create_group", {"GroupName": "x"}, "iam:CreateGroup", "implicitDeny"),
    ("logs", "describe_log_groups", {}, "logs:DescribeLogGroups", "allowed"),
]


@pytest.mark.parametrize(("service", "method", "params", "action", "decision"), CALLS)
def test_the_simulator_agrees_with_real_calls(region: Region, service: str, method: str, params: dict[str, Any], action: str, decision: str) -> None:
    document = policy({"Action": ["iam:List*", "logs:DescribeLogGroups", "sts:*"]}, {"Effect": "Deny", "Action": "iam:ListRoles"})
    call = getattr(region.as_user(service, document), method)
    assert principal(region, f"arn:aws:iam::{ACCOUNT}:user/alice", action)["EvalDecision"] == decision
    if decision == "allowed":
        call(**params)
        return
    with pytest.raises(ClientError, match="explicit deny" if decision == "explicitDeny" else "no identity-based policy allows"):
        call(**params)


def test_service_control_policies_over_a_role(region: Region) -> None:
    region.organizations.create_organization(FeatureSet="ALL")
    root = region.organizations.list_roots()["Roots"][0]["Id"]
    made = region.organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"]["AccountId"]
    if "SERVICE_CONTROL_POLICY" not in {entry["Type"] for entry in region.organizations.list_roots()["Roots"][0]["PolicyTypes"]}:
        region.organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    content = policy({"Effect": "Deny", "Action": "s3:GetObject"})
    scp = region.organizations.create_policy(Content=content, Description="", Name="no", Type="SERVICE_CONTROL_POLICY")["Policy"]["PolicySummary"]
    region.organizations.attach_policy(PolicyId=scp["Id"], TargetId=made)
    iam = region.of(made, "iam")
    arn = f"arn:aws:iam::{made}:role/OrganizationAccountAccessRole"

    def simulated(**more: Any) -> Result:
        return dict(iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject"], **more)["EvaluationResults"][0])

    found = simulated()
    assert (found["EvalDecision"], found["OrganizationsDecisionDetail"], found["MatchedStatements"]) == ("explicitDeny", {"AllowedByOrganizations": False}, [])
    assert simulated(PolicyExclusionList=[{"PolicyArn": scp["Arn"]}])["EvalDecision"] == "allowed"
    assert simulated(PolicyExclusionList=[{"PolicyType": "scp"}])["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": True}


def test_whom_nobody_can_simulate(region: Region) -> None:
    with region.refused("NoSuchEntity", "The role with name nobody cannot be found."):
        principal(region, f"arn:aws:iam::{ACCOUNT}:role/app/nobody", "s3:GetObject")
    with region.refused("InvalidInput", "Invalid Entity Arn"):
        principal(region, f"arn:aws:iam::{ACCOUNT}:policy/x/some", "s3:GetObject")
    stranger = region.of("999988887777", "iam").create_user(UserName="eve")["User"]["Arn"]
    with region.refused("NoSuchEntity"):
        principal(region, stranger, "s3:GetObject")


def test_the_keys_that_policies_ask_for(region: Region) -> None:
    asking = policy(
        {"Resource": ["arn:aws:s3:::${aws:PrincipalTag/team}/*"], "Condition": {"StringEquals": {"s3:prefix": ["${aws:username}", "x"]}}},
        {"Condition": {"Null": {"S3:Prefix": "true"}}},
    )
    keys = region.iam.get_context_keys_for_custom_policy(PolicyInputList=[asking, DATED])["ContextKeyNames"]
    assert sorted(keys) == ["aws:CurrentTime", "aws:PrincipalTag/team", "aws:username", "s3:prefix"]
    assert region.iam.get_context_keys_for_custom_policy(PolicyInputList=[asking.replace("2012-10-17", "2008-10-17")])["ContextKeyNames"] == ["s3:prefix"]
    alice = identities(region)
    keys = region.iam.get_context_keys_for_principal_policy(PolicySourceArn=alice, PolicyInputList=[DATED])["ContextKeyNames"]
    assert sorted(keys) == ["aws:CurrentTime", "aws:PrincipalTag/team", "aws:username"]


def test_keys_that_follow_from_the_caller(region: Region) -> None:
    organization = region.organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    trusted = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trusted}))["Role"]
    wanted = {"aws:PrincipalArn": role["Arn"], "aws:PrincipalOrgID": organization, "aws:PrincipalType": "AssumedRole", "aws:PrincipalAccount": ACCOUNT}
    region.iam.put_role_policy(RoleName="web", PolicyName="own", PolicyDocument=policy({"Condition": {"StringEquals": wanted}}))
    found = principal(region, role["Arn"], "s3:GetObject")
    assert (found["EvalDecision"], found["OrganizationsDecisionDetail"]) == ("allowed", {"AllowedByOrganizations": True})
    circumstances = {"aws:userid": role["RoleId"], "aws:SourceIp": "10.0.0.1", "aws:CurrentTime": "now"}
    region.iam.put_role_policy(RoleName="web", PolicyName="own", PolicyDocument=policy({"Condition": {"StringEquals": circumstances}}))
    assert principal(region, role["Arn"], "s3:GetObject")["MissingContextValues"] == ["aws:CurrentTime", "aws:SourceIp", "aws:userid"]
