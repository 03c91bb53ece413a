"""Who may do what: identity policies, what a call is about, roles passed on; asked through the real endpoint by IAM users."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.region import ACCOUNT, NAME, Region, client

FIREWALL = f"arn:aws:network-firewall:{NAME}:{ACCOUNT}"
TRUSTED = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
ROLE_TRUST = json.dumps({"Version": "2012-10-17", "Statement": [TRUSTED]})


def allow(*actions: str, resource: Any = "*", effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": list(actions), "Resource": resource, **({"Condition": condition} if condition else {})}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def group(service: Any, name: str, **more: Any) -> Any:
    rules = 'pass tcp any any -> any any (msg:"all"; sid:1;)'
    return service.create_rule_group(RuleGroupName=name, Type="STATEFUL", Capacity=10, Rules=rules, **more)


def denied(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"), error
    return str(error["Message"])


def test_without_a_policy_nothing_is_allowed_but_asking_who_one_is(region: Region) -> None:
    nothing = policy(allow("s3:*"))
    said = denied(region.as_user("vpc-lattice", nothing).list_services)
    user = f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert said.startswith(f"User: {user} is not authorized to perform: vpc-lattice:ListServices on resource: * because no identity-based policy allows")
    assert region.as_user("sts", nothing).get_caller_identity()["Arn"] == user


def test_the_root_user_needs_no_policy(region: Region) -> None:
    assert region.lattice.list_services()["items"] == []


def test_user_names_are_known_to_conditions(region: Region) -> None:
    own = policy(allow("iam:ListAccessKeys", resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    alice = region.as_user("iam", own)
    assert len(alice.list_access_keys(UserName="alice")["AccessKeyMetadata"]) == 1
    region.as_user("iam", own, "bob")
    assert "user/bob" in denied(alice.list_access_keys, UserName="bob")
    named = policy(allow("ec2:DescribeVpcs", StringEquals={"aws:username": "alice"}))
    region.as_user("ec2", named).describe_vpcs()
    denied(region.as_user("ec2", named, "bob").describe_vpcs)


def test_what_decides_is_the_resource_worked_on_and_not_another_one_named(region: Region) -> None:
    mine, theirs = group(region.firewall, "mine")["RuleGroupResponse"]["RuleGroupArn"], group(region.firewall, "theirs")["RuleGroupResponse"]["RuleGroupArn"]
    alice = region.as_user("network-firewall", policy(allow("network-firewall:*", resource=mine)))
    assert alice.describe_rule_group(RuleGroupArn=mine)["RuleGroupResponse"]["RuleGroupName"] == "mine"
    assert alice.describe_rule_group(RuleGroupName="mine", Type="STATEFUL")["RuleGroupResponse"]["RuleGroupArn"] == mine
    token = region.firewall.describe_rule_group(RuleGroupArn=theirs)["UpdateToken"]
    rules = 'drop tcp any any -> any any (msg:"none"; sid:1;)'
    for steering in ({"Description": mine}, {"Description": "mine"}, {}):
        said = denied(alice.update_rule_group, **steering, RuleGroupArn=theirs, UpdateToken=token, Rules=rules)
        assert theirs in said
    assert theirs in denied(alice.delete_rule_group, RuleGroupName="theirs", Type="STATEFUL")


def test_a_creation_is_about_the_name_it_asks_for(region: Region) -> None:
    statements = allow("network-firewall:*"), allow("network-firewall:*", resource=f"{FIREWALL}:stateful-rulegroup/prod-*", effect="Deny")
    alice = region.as_user("network-firewall", policy(*statements))
    group(alice, "dev-1")
    assert "explicit deny" in denied(alice.create_rule_group, RuleGroupName="prod-1", Type="STATEFUL", Capacity=1, Rules="pass tcp any any -> any any (sid:1;)")
    paths = region.as_user("iam", policy(allow("iam:CreateRole", resource=f"arn:aws:iam::{ACCOUNT}:role/app/*")))
    paths.create_role(RoleName="web", Path="/app/", AssumeRolePolicyDocument=ROLE_TRUST)
    denied(paths.create_role, RoleName="admin", AssumeRolePolicyDocument=ROLE_TRUST)
    region.lattice.create_target_group(name="first", type="LAMBDA")  # with it comes VPC Lattice's service-linked role
    lattice = region.as_user("vpc-lattice", policy(allow("vpc-lattice:CreateService", resource=f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:service/*")))
    lattice.create_service(name="orders")
    denied(lattice.create_service_network, name="mesh")


def test_children_are_asked_about_by_their_own_arn(region: Region) -> None:
    service = region.lattice.create_service(name="orders")
    arn = service["arn"]
    alice = region.as_user("vpc-lattice", policy(allow("vpc-lattice:*", resource=f"{arn}/listener/*")))
    action = {"fixedResponse": {"statusCode": 404}}
    listener = alice.create_listener(serviceIdentifier=service["id"], name="web", protocol="HTTP", port=80, defaultAction=action)
    match = {"httpMatch": {"method": "GET"}}
    rule = alice.create_rule(serviceIdentifier=service["id"], listenerIdentifier=listener["id"], name="get", priority=1, match=match, action=action)
    alice.delete_rule(serviceIdentifier=service["id"], listenerIdentifier=listener["id"], ruleIdentifier=rule["id"])
    assert arn in denied(alice.delete_service, serviceIdentifier=service["id"])


def test_tags_of_resources_and_requests_decide(region: Region) -> None:
    red, blue = (region.lattice.create_service(name=name, tags={"team": name})["id"] for name in ("red", "blue"))
    of_team = allow("vpc-lattice:DeleteService", StringEquals={"aws:ResourceTag/team": "${aws:PrincipalTag/team}"})
    only_team = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    with_tag = allow("vpc-lattice:CreateService", "vpc-lattice:TagResource", StringEquals={"aws:RequestTag/team": "red"}, **only_team)
    alice = region.as_user("vpc-lattice", policy(of_team, with_tag), team="red")
    denied(alice.delete_service, serviceIdentifier=blue)
    alice.delete_service(serviceIdentifier=red)
    denied(alice.create_service, name="one", tags={"team": "blue"})
    denied(alice.create_service, name="one", tags={"team": "red", "cost": "1"})
    alice.create_service(name="one", tags={"team": "red"})


def test_log_groups_are_written_with_a_star_at_the_end(region: Region) -> None:
    region.logs.create_log_group(logGroupName="/app/web")
    alice = region.as_user("logs", policy(allow("logs:*", resource=f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:/app/*:*")))
    alice.create_log_stream(logGroupName="/app/web", logStreamName="one")
    alice.create_log_group(logGroupName="/app/db")
    assert "log-group:/other:*" in denied(alice.create_log_group, logGroupName="/other")
    region.logs.create_log_group(logGroupName="/secret")
    denied(alice.filter_log_events, logGroupIdentifier=f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:/secret")
    denied(alice.filter_log_events, logGroupIdentifier="/secret")


def test_parameters_are_found_under_either_spelling(region: Region) -> None:
    region.ssm.put_parameter(Name="/prod/key", Value="1", Type="String")
    region.ssm.put_parameter(Name="plain", Value="2", Type="String")
    deny = allow("ssm:*", resource=[f"arn:aws:ssm:{NAME}:{ACCOUNT}:parameter/prod/*", f"arn:aws:ssm:{NAME}:{ACCOUNT}:parameter/plain"], effect="Deny")
    alice = region.as_user("ssm", policy(allow("ssm:*"), deny))
    for name in ("/prod/key", "/prod/key:1", "plain", "/plain"):
        denied(alice.get_parameter, Name=name)
        denied(alice.get_parameters, Names=["/other", name])
    denied(alice.put_parameter, Name="/prod/new", Value="1", Type="String")
    denied(alice.get_parameters_by_path, Path="/prod/deep")


def instance_params(region: Region, **more: Any) -> dict[str, Any]:
    image = region.ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    return {"ImageId": image["ImageId"], "InstanceType": size, "MinCount": 1, "MaxCount": 1, "SubnetId": region.subnet(region.vpc()), **more}


def test_handing_a_role_to_an_instance_takes_pass_role(region: Region) -> None:
    for name in ("admin", "web"):
        region.iam.create_role(RoleName=name, AssumeRolePolicyDocument=ROLE_TRUST)
        region.iam.create_instance_profile(InstanceProfileName=name)
        region.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    passing = allow("iam:PassRole", resource=f"arn:aws:iam::{ACCOUNT}:role/web", StringEquals={"iam:PassedToService": "ec2.amazonaws.com"})
    alice = region.as_user("ec2", policy(allow("ec2:*"), passing))
    params = instance_params(region)
    said = denied(alice.run_instances, **params, IamInstanceProfile={"Name": "admin"})
    assert f"iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/admin" in said
    denied(alice.run_instances, **params, IamInstanceProfile={"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/admin"})
    assert alice.run_instances(**params, IamInstanceProfile={"Name": "web"})["Instances"][0]["IamInstanceProfile"]["Arn"].endswith("/web")
    alice.run_instances(**instance_params(region))


def test_a_role_goes_into_a_profile_only_by_who_may_pass_it(region: Region) -> None:
    region.iam.create_role(RoleName="admin", AssumeRolePolicyDocument=ROLE_TRUST)
    region.iam.create_instance_profile(InstanceProfileName="box")
    alice = region.as_user("iam", policy(allow("iam:AddRoleToInstanceProfile")))
    assert "iam:PassRole" in denied(alice.add_role_to_instance_profile, InstanceProfileName="box", RoleName="admin")


def test_boundary_and_session_policy_limit(region: Region) -> None:
    describe = policy(allow("ec2:DescribeVpcs"))
    boundary = region.iam.create_policy(PolicyName="edge", PolicyDocument=describe)["Policy"]["Arn"]
    alice = region.as_user("ec2", policy(allow("ec2:*")))
    alice.describe_subnets()
    region.iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=boundary)
    alice.describe_vpcs()
    denied(alice.describe_subnets)
    trust = policy({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}).replace('"Resource": "*", ', "")
    region.iam.create_role(RoleName="wide", AssumeRolePolicyDocument=trust)
    region.iam.put_role_policy(RoleName="wide", PolicyName="all", PolicyDocument=policy(allow("ec2:*")))
    session = region.sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/wide", RoleSessionName="work", Policy=describe)["Credentials"]
    limited = client("ec2", session["AccessKeyId"], token=session["SessionToken"])
    limited.describe_vpcs()
    denied(limited.describe_subnets)


def test_permissions_end_with_the_policy(region: Region) -> None:
    alice = region.as_user("vpc-lattice", policy(allow("vpc-lattice:*", "iam:CreateServiceLinkedRole")))
    alice.create_service(name="one")
    region.iam.delete_user_policy(UserName="alice", PolicyName="only")
    denied(alice.create_service, name="two")
    assert [item["name"] for item in region.lattice.list_services()["items"]] == ["one"]
