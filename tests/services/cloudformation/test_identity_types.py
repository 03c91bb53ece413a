"""Types of IAM that groups, providers and services need, and those of Roles Anywhere."""

from __future__ import annotations

import json
from typing import Any

from tests.services.rolesanywhere.authority import Authority

from .region import Region, client
from .test_stacks import template
from .test_types import allow, att, come_and_go, leave, of, ref


def groups(action: str, *, both: bool) -> dict[str, Any]:
    return template(
        {"Arn": {"Value": att("Readers", "Arn")}},
        Readers=of(
            "IAM::Group", Policies=[{"PolicyName": "own", "PolicyDocument": allow(action)}],
            ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"] if both else [],
        ),
        Writers=of("IAM::Group", GroupName="writers", Path="/team/"),
        Ann=of("IAM::User", UserName="ann", **({"Groups": [ref("Writers")]} if both else {})),
        Bob=of("IAM::User", UserName="bob"),
        Members=of("IAM::UserToGroupAddition", GroupName=ref("Readers" if both else "Writers"), Users=[ref("Bob"), *([ref("Ann")] if both else [])]),
        Managed=of("IAM::ManagedPolicy", PolicyDocument=allow(action), Groups=[ref("Readers" if both else "Writers")]),
        Inline=of("IAM::Policy", PolicyName="shared", PolicyDocument=allow(action), Groups=[ref("Readers")]),
    )  # fmt: skip


def members(region: Region, group: str) -> set[str]:
    return {user["UserName"] for user in region.iam.get_group(GroupName=group)["Users"]}


def test_groups(region: Region) -> None:
    before, after = groups("ec2:*", both=True), groups("logs:*", both=False)
    come_and_go(region, before, after)
    readers = region.physical("Readers")
    assert region.outputs()["Arn"].endswith(f":group/{readers}")
    assert region.iam.get_group_policy(GroupName=readers, PolicyName="own")["PolicyDocument"] == allow("logs:*")
    assert region.iam.get_group_policy(GroupName=readers, PolicyName="shared")["PolicyDocument"] == allow("logs:*")
    assert not region.iam.list_attached_group_policies(GroupName=readers)["AttachedPolicies"]
    assert (members(region, readers), members(region, "writers")) == (set(), {"bob"})
    assert region.deploy(before) == "UPDATE_COMPLETE", region.reasons()
    assert (members(region, readers), members(region, "writers")) == ({"ann", "bob"}, {"ann"})
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert set(region.counts()) <= {"iam:Policy"}, "AWS's own policy stays"


def provider(clients: list[str], thumbprint: str, tag: str) -> dict[str, Any]:
    return template(
        {"Arn": {"Value": att("Provider", "Arn")}, "Role": {"Value": att("Linked", "RoleName")}},
        Provider=of(
            "IAM::OIDCProvider", Url="https://id.example.com/shop", ClientIdList=clients, ThumbprintList=[thumbprint] if thumbprint else [],
            Tags=[{"Key": "latticewall:jwks", "Value": tag}],
        ),
        Linked=of("IAM::ServiceLinkedRole", AWSServiceName="vpc-lattice.amazonaws.com", **({"Description": tag} if thumbprint else {})),
    )  # fmt: skip


def test_providers_and_service_linked_roles(region: Region) -> None:
    before, after = provider(["one", "two"], "a" * 40, "/keys/one"), provider(["two", "three"], "", "/keys/two")
    come_and_go(region, before, after)
    outputs = region.outputs()
    assert outputs["Role"] == region.physical("Linked") == "AWSServiceRoleForVpcLattice"
    assert region.iam.get_role(RoleName=outputs["Role"])["Role"].get("Description", "") == ""
    shown = region.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=outputs["Arn"])
    assert (shown["ClientIDList"], shown["ThumbprintList"]) == (["two", "three"], [])
    assert {"Key": "latticewall:jwks", "Value": "/keys/two"} in shown["Tags"]
    leave_all(region, before)


def leave_all(region: Region, before: dict[str, Any]) -> None:
    """As `leave`; what the deletion of a service-linked role left behind to be asked about, and AWS's policy, stay."""
    assert region.deploy(before) == "UPDATE_COMPLETE", region.reasons()
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert set(region.counts()) <= {"iam:Policy", "iam:ServiceLinkedRoleDeletion"}


def anywhere(role: str, name: str, authority: str, *, first: bool) -> dict[str, Any]:
    mapping = {"CertificateField": "x509Subject", "MappingRules": [{"Specifier": "CN"}]}
    limits = {"DurationSeconds": 900, "AttributeMappings": [mapping]} if first else {}
    return template(
        {"Anchor": {"Value": att("Anchor", "TrustAnchorArn")}, "Profile": {"Value": att("Profile", "ProfileArn")}},
        Anchor=of(
            "RolesAnywhere::TrustAnchor", Name=name, Enabled=first, Tags=[{"Key": "team", "Value": name}],
            Source={"SourceType": "CERTIFICATE_BUNDLE", "SourceData": {"X509CertificateData": authority}},
        ),
        Profile=of(
            "RolesAnywhere::Profile", Name=name, Enabled="true", RoleArns=[role], SessionPolicy=json.dumps(allow(f"{name}:*")),
            Tags=[{"Key": "team", "Value": name}], **limits,
        ),
    )  # fmt: skip


def test_roles_anywhere(region: Region) -> None:
    one, two = (Authority().pem for _ in range(2))
    role = "arn:aws:iam::111122223333:role/cart"
    before, after = anywhere(role, "spire", one, first=True), anywhere(f"{role}-2", "other", two, first=False)
    assert region.deploy(before) == "CREATE_COMPLETE", region.reasons()
    profile = client("rolesanywhere").get_profile(profileId=region.physical("Profile"))["profile"]
    assert (profile["enabled"], profile["durationSeconds"], profile["roleArns"]) == (True, 900, [role])
    assert {"certificateField": "x509Subject", "mappingRules": [{"specifier": "CN"}]} in profile["attributeMappings"]
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    come_and_go(region, before, after)
    anchor = client("rolesanywhere").get_trust_anchor(trustAnchorId=region.physical("Anchor"))["trustAnchor"]
    assert (anchor["name"], anchor["enabled"], anchor["source"]["sourceData"]["x509CertificateData"]) == ("other", False, two)
    assert region.outputs()["Anchor"] == anchor["trustAnchorArn"]
    assert {"key": "team", "value": "other"} in client("rolesanywhere").list_tags_for_resource(resourceArn=anchor["trustAnchorArn"])["tags"]
    profile = client("rolesanywhere").get_profile(profileId=region.physical("Profile"))["profile"]
    assert (profile["enabled"], profile["durationSeconds"], profile["roleArns"]) == (True, 3600, [f"{role}-2"])
    assert json.loads(profile["sessionPolicy"]) == allow("other:*")
    assert [mapping["certificateField"] for mapping in profile["attributeMappings"]] == ["x509Issuer", "x509SAN"]
    leave(region, before)


def test_what_a_region_has_no_answer_for_is_refused_by_name(region: Region) -> None:
    wanted = anywhere("arn:aws:iam::111122223333:role/cart", "spire", Authority().pem, first=True)
    without = json.loads(json.dumps(wanted))
    del without["Resources"]["Profile"]["Properties"]["SessionPolicy"]
    assert region.deploy(wanted) == "CREATE_COMPLETE"
    assert region.deploy(without) == "UPDATE_ROLLBACK_COMPLETE"
    assert "SessionPolicy of AWS::RolesAnywhere::Profile cannot be taken away" in region.reasons()
    assert region.delete() == "DELETE_COMPLETE"
    wanted["Resources"]["Profile"]["Properties"]["RequireInstanceProperties"] = True
    assert region.deploy(wanted) == "ROLLBACK_COMPLETE"
    assert "requireInstanceProperties" in region.reasons()
