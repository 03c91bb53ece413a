"""OpenID Connect providers, service-linked roles, and what IAM says about an account as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]})
TRUSTED = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [TRUSTED]})
PRINT = "ab" * 20


def provider(region: Region, url: str = "https://issuer.example/team", **more: Any) -> str:
    return str(region.iam.create_open_id_connect_provider(Url=url, **more)["OpenIDConnectProviderArn"])


def test_a_provider_lives(region: Region) -> None:
    arn = provider(region, ClientIDList=["one"], ThumbprintList=[PRINT.upper()], Tags=[{"Key": "team", "Value": "net"}])
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example/team"
    shown = region.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (shown["Url"], shown["ClientIDList"], shown["ThumbprintList"]) == ("issuer.example/team", ["one"], [PRINT])
    assert shown["Tags"] == [{"Key": "team", "Value": "net"}]
    assert region.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    for client in ("two", "two"):
        region.iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client)
    region.iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="one")
    region.iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["cd" * 20])
    shown = region.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (shown["ClientIDList"], shown["ThumbprintList"]) == (["two"], ["cd" * 20])
    with region.refused("EntityAlreadyExists", "Provider with url https://issuer.example/team already exists."):
        provider(region)
    provider(region, "https://issuer.example/other")
    for _ in range(2):
        region.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with region.refused("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}"):
        region.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)


@pytest.mark.parametrize(
    "url", ["issuer.example", "http://issuer.example", "https://", "https://issuer.example?x=1", "https://u@issuer.example", "https://issuer.example/#x"]
)
def test_an_issuer_speaks_https(region: Region, url: str) -> None:
    with region.refused("ValidationError", "Invalid Open ID Connect Provider URL"):
        provider(region, url)


def test_an_issuer_on_loopback_may_speak_http(region: Region) -> None:
    assert provider(region, "http://127.0.0.1:8080").endswith("oidc-provider/127.0.0.1:8080")


def test_limits_of_a_provider(region: Region) -> None:
    with region.refused("InvalidInput", "40 characters"):
        provider(region, ThumbprintList=["x" * 40])
    with region.refused("LimitExceeded", "ThumbprintsPerOpenIdConnectProvider: 5"):
        provider(region, ThumbprintList=[f"{number:040x}" for number in range(6)])
    with region.refused("LimitExceeded", "ClientIdsPerOpenIdConnectProvider: 100"):
        provider(region, ClientIDList=[str(number) for number in range(101)])


@pytest.mark.parametrize("location", ["/srv/keys.json", "file:///srv/keys.json", "http://127.0.0.1:9/keys", "http://localhost/keys"])
def test_a_key_set_is_on_this_machine(region: Region, location: str) -> None:
    arn = provider(region, Tags=[{"Key": "latticewall:jwks", "Value": location}])
    region.iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["latticewall:jwks"])
    region.iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "latticewall:jwks", "Value": location}])
    assert region.iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == [{"Key": "latticewall:jwks", "Value": location}]


@pytest.mark.parametrize("location", ["", "keys.json", "http://issuer.example/keys", "https://127.0.0.1/keys", "http://u@127.0.0.1/", "file://host/keys"])
def test_a_key_set_elsewhere_is_refused(region: Region, location: str) -> None:
    tag = {"Key": "latticewall:jwks", "Value": location}
    with region.refused("InvalidInput", "latticewall:jwks"):
        provider(region, Tags=[tag])
    arn = provider(region)
    with region.refused("InvalidInput", "latticewall:jwks"):
        region.iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[tag])


def test_a_service_linked_role_is_its_service_s(region: Region) -> None:
    made = region.iam.create_service_linked_role(AWSServiceName="vpc-lattice.amazonaws.com", Description="mesh")["Role"]
    name = "AWSServiceRoleForVpcLattice"
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/vpc-lattice.amazonaws.com/{name}"
    attached = region.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [item["PolicyName"] for item in attached] == ["AWSVpcLatticeServiceRolePolicy"]
    calls: list[tuple[Any, dict[str, Any]]] = [
        (region.iam.delete_role, {}), (region.iam.update_role, {"MaxSessionDuration": 7200}), (region.iam.update_assume_role_policy, {"PolicyDocument": TRUST}),
        (region.iam.put_role_policy, {"PolicyName": "x", "PolicyDocument": ALLOW}), (region.iam.detach_role_policy, {"PolicyArn": attached[0]["PolicyArn"]}),
        (region.iam.attach_role_policy, {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        (region.iam.put_role_permissions_boundary, {"PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}),
    ]  # fmt: skip
    for call, more in calls:
        with region.refused("UnmodifiableEntity", f"protected role '{name}'"):
            call(RoleName=name, **more)
    region.iam.update_role(RoleName=name, Description="ours")
    assert region.iam.update_role_description(RoleName=name, Description="mesh")["Role"]["Description"] == "mesh"
    with region.refused("InvalidInput", "has been taken"):
        region.iam.create_service_linked_role(AWSServiceName="vpc-lattice.amazonaws.com")
    task = region.iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert region.iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    with region.refused("NoSuchEntity"):
        region.iam.get_role(RoleName=name)
    with region.refused("NoSuchEntity", "task/aws-service-role/x"):
        region.iam.get_service_linked_role_deletion_status(DeletionTaskId="task/aws-service-role/x")
    with region.refused("InvalidInput"):
        region.iam.create_service_linked_role(AWSServiceName="lambda.amazonaws.com")


def test_vpc_lattice_makes_its_role_and_needs_it(region: Region) -> None:
    """With the first resource of the account, asked of its maker; it cannot be deleted while there is one, in whatever region; then it can, and comes again."""
    name, service = "AWSServiceRoleForVpcLattice", "vpc-lattice.amazonaws.com"

    def roles() -> list[str]:
        return [one["RoleName"] for one in region.iam.list_roles(PathPrefix=f"/aws-service-role/{service}/")["Roles"]]

    def delete() -> dict[str, Any]:
        task = region.iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
        return dict(region.iam.get_service_linked_role_deletion_status(DeletionTaskId=task))

    statement = {"Effect": "Allow", "Action": "vpc-lattice:*", "Resource": "*"}
    alice = region.as_user("vpc-lattice", json.dumps({"Version": "2012-10-17", "Statement": statement}))
    with region.refused("AccessDeniedException", "iam:CreateServiceLinkedRole"):
        alice.create_service_network(name="mesh")
    assert roles() == [] == region.lattice.list_service_networks()["items"]
    with region.refused("ValidationException"):
        region.lattice.create_service_network(name="-")
    assert roles() == []
    mesh = region.lattice.create_service_network(name="mesh")["arn"]
    assert roles() == [name]
    away = region.of(ACCOUNT, "vpc-lattice", "eu-north-8")
    other = away.create_service(name="shop")["arn"]
    alice.create_service(name="pay")
    failed = delete()
    usage = {one["Region"]: one["Resources"] for one in failed["Reason"]["RoleUsageList"]}
    assert failed["Status"] == "FAILED"
    assert usage["eu-north-8"] == [other]
    assert mesh in usage[NAME]
    assert len(usage[NAME]) == 2
    assert roles() == [name]
    region.lattice.delete_service_network(serviceNetworkIdentifier=mesh)
    for client in (region.lattice, away):
        client.delete_service(serviceIdentifier=client.list_services()["items"][0]["id"])
    region.settle()
    assert delete()["Status"] == "SUCCEEDED"
    assert roles() == []
    region.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)  # its own one, which takes the name
    alice.create_service(name="pay")
    assert roles() == []


def test_nobody_forges_or_deletes_as_a_service(region: Region) -> None:
    with region.refused("InvalidInput"):
        region.iam.create_role(RoleName="x", Path="/aws-service-role/vpc-lattice.amazonaws.com/", AssumeRolePolicyDocument=TRUST)
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    with region.refused("NoSuchEntity"):
        region.iam.delete_service_linked_role(RoleName="web")


def test_an_account_has_one_alias(region: Region) -> None:
    region.iam.create_account_alias(AccountAlias="first")
    region.iam.create_account_alias(AccountAlias="second")
    assert region.iam.list_account_aliases()["AccountAliases"] == ["second"]
    other = region.of("999988887777", "iam")
    with region.refused("EntityAlreadyExists", "The account alias second already exists."):
        other.create_account_alias(AccountAlias="second")
    other.create_account_alias(AccountAlias="first")
    with region.refused("NoSuchEntity", "first"):
        region.iam.delete_account_alias(AccountAlias="first")
    region.iam.delete_account_alias(AccountAlias="second")
    assert region.iam.list_account_aliases()["AccountAliases"] == []


def populate(region: Region) -> str:
    arn = str(region.iam.create_policy(PolicyName="look", PolicyDocument=ALLOW)["Policy"]["Arn"])
    region.iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW)
    region.iam.create_group(GroupName="net")
    region.iam.attach_group_policy(GroupName="net", PolicyArn=arn)
    region.iam.create_user(UserName="alice", Tags=[{"Key": "team", "Value": "net"}], PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess")
    region.iam.add_user_to_group(GroupName="net", UserName="alice")
    region.iam.put_user_policy(UserName="alice", PolicyName="mine", PolicyDocument=ALLOW)
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    region.iam.attach_role_policy(RoleName="web", PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")
    region.iam.create_instance_profile(InstanceProfileName="box")
    region.iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="web")
    return arn


def test_the_summary_counts(region: Region) -> None:
    populate(region)
    found = region.iam.get_account_summary()["SummaryMap"]
    counted = {name: found[name] for name in ("Users", "Groups", "Roles", "Policies", "PolicyVersionsInUse", "InstanceProfiles", "Providers")}
    assert counted == {"Users": 1, "Groups": 1, "Roles": 1, "Policies": 1, "PolicyVersionsInUse": 2, "InstanceProfiles": 1, "Providers": 0}
    assert (found["GroupsPerUserQuota"], found["PolicySizeQuota"], found["AccountMFAEnabled"]) == (10, 6144, 0)


def test_everything_about_permissions_at_once(region: Region) -> None:
    arn = populate(region)
    found = region.iam.get_account_authorization_details()
    (user,), (group,), (role,) = found["UserDetailList"], found["GroupDetailList"], found["RoleDetailList"]
    assert (user["UserName"], user["GroupList"], user["Tags"]) == ("alice", ["net"], [{"Key": "team", "Value": "net"}])
    assert user["UserPolicyList"] == [{"PolicyName": "mine", "PolicyDocument": json.loads(ALLOW)}]
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == "arn:aws:iam::aws:policy/PowerUserAccess"
    assert group["AttachedManagedPolicies"] == [{"PolicyName": "look", "PolicyArn": arn}]
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert [profile["InstanceProfileName"] for profile in role["InstanceProfileList"]] == ["box"]
    policies = {policy["PolicyName"]: policy for policy in found["Policies"]}
    assert set(policies) == {"look", "AmazonSSMManagedInstanceCore", "PowerUserAccess"}
    assert [version["VersionId"] for version in policies["look"]["PolicyVersionList"]] == ["v2", "v1"]
    assert policies["look"]["PolicyVersionList"][1]["Document"] == json.loads(ALLOW)


def test_details_by_kind_and_page(region: Region) -> None:
    populate(region)
    only = region.iam.get_account_authorization_details(Filter=["Group", "LocalManagedPolicy"])
    assert [len(only[member]) for member in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")] == [0, 1, 0, 1]
    pages = list(region.iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2}))
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    names = [
        item[member]
        for page in pages
        for listed, member in (("UserDetailList", "UserName"), ("GroupDetailList", "GroupName"), ("RoleDetailList", "RoleName"), ("Policies", "PolicyName"))
        for item in page[listed]
    ]
    assert names == ["alice", "net", "web", "look", "AmazonSSMManagedInstanceCore", "PowerUserAccess"]


def test_a_new_description(region: Region) -> None:
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    assert region.iam.update_role_description(RoleName="web", Description="new")["Role"]["Description"] == "new"


def test_fifty_tags_are_the_most(region: Region) -> None:
    region.iam.create_user(UserName="alice")
    region.iam.tag_user(UserName="alice", Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    region.iam.tag_user(UserName="alice", Tags=[{"Key": "k0", "Value": "again"}])
    with region.refused("LimitExceeded", "TagsPerResource: 50"):
        region.iam.tag_user(UserName="alice", Tags=[{"Key": "more", "Value": ""}])
