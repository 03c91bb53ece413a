"""Types of IAM ("AWS::IAM resource type reference"). Ref is the name, of managed policies the ARN, of access keys the id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Conflict
from latticewall.resources.context import Context
from latticewall.resources.tags import as_list
from latticewall.services.cloudformation.resource_types.row import Attribute, Made, Properties, ResourceType, Work

HOLDERS = (("Role", "Roles"), ("User", "Users"), ("Group", "Groups"))
Policies = dict[str, str]


def _inline(properties: Mapping[str, Any]) -> Policies:
    return {policy["PolicyName"]: _text(policy["PolicyDocument"]) for policy in properties.get("Policies") or ()}


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _set_policies(work: Work, noun: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Inline and attached policies of a role, user or group, from old properties to new ones."""
    member, before, after = {f"{noun}Name": name}, _inline(old), _inline(new)
    for policy in [one for one in before if one not in after]:
        work.call(f"iam:Delete{noun}Policy", {**member, "PolicyName": policy})
    for policy, body in after.items():
        if before.get(policy) != body:
            work.call(f"iam:Put{noun}Policy", {**member, "PolicyName": policy, "PolicyDocument": body})
    had, has = list(old.get("ManagedPolicyArns") or ()), list(new.get("ManagedPolicyArns") or ())
    for arn in [one for one in had if one not in has]:
        work.call(f"iam:Detach{noun}Policy", {**member, "PolicyArn": arn})
    for arn in [one for one in has if one not in had]:
        work.call(f"iam:Attach{noun}Policy", {**member, "PolicyArn": arn})


def _make_holder(noun: str) -> Any:
    def make(work: Work, properties: Properties) -> Made:
        tags = {"Tags": as_list(work.tags)} if work.tags else {}
        answer = work.call(f"iam:Create{noun}", {**work.input(f"iam:Create{noun}", properties), **tags})[noun]
        name = answer[f"{noun}Name"]
        _set_policies(work, noun, name, {}, properties)
        if noun == "User":
            _set_groups(work, name, [], properties.get("Groups") or [])
        return Made(name, answer[f"{noun}Id"])

    return make


def _change_holder(noun: str) -> Any:
    def change(work: Work, made: Made, properties: Properties) -> None:
        old, member = made.properties, {f"{noun}Name": made.physical_id}
        _set_policies(work, noun, made.physical_id, old, properties)
        if properties.get("PermissionsBoundary") != old.get("PermissionsBoundary"):
            boundary = properties.get("PermissionsBoundary")
            operation = f"iam:{'Put' if boundary else 'Delete'}{noun}PermissionsBoundary"
            work.call(operation, {**member, **({"PermissionsBoundary": boundary} if boundary else {})})
        if noun == "Role":
            _change_role(work, member, old, properties)
        if noun == "User":
            _set_groups(work, made.physical_id, old.get("Groups") or [], properties.get("Groups") or [])

    return change


def _change_role(work: Work, member: dict[str, str], old: Properties, new: Properties) -> None:
    if new["AssumeRolePolicyDocument"] != old["AssumeRolePolicyDocument"]:
        work.call("iam:UpdateAssumeRolePolicy", {**member, "PolicyDocument": _text(new["AssumeRolePolicyDocument"])})
    defaults: dict[str, Any] = {"Description": "", "MaxSessionDuration": 3600}
    changed = {name: new.get(name, default) for name, default in defaults.items() if new.get(name) != old.get(name)}
    if changed:
        work.call("iam:UpdateRole", {**member, **work.input("iam:UpdateRole", changed)})


def _leave_holder(noun: str) -> Any:
    """A role, user or group goes without its policies: those of the template, and others that came to it, so long as they are inline or attached. A
    user leaves its groups."""

    def leave(work: Work, made: Made) -> None:
        member = {f"{noun}Name": made.physical_id}
        for policy in work.call(f"iam:List{noun}Policies", member)["PolicyNames"]:
            work.call(f"iam:Delete{noun}Policy", {**member, "PolicyName": policy})
        for policy in work.call(f"iam:ListAttached{noun}Policies", member)["AttachedPolicies"]:
            work.call(f"iam:Detach{noun}Policy", {**member, "PolicyArn": policy["PolicyArn"]})
        if noun == "User":
            _set_groups(work, made.physical_id, [group["GroupName"] for group in work.call("iam:ListGroupsForUser", member)["Groups"]], [])

    return leave


# -- groups --------------------------------------------------------------------------------------------------------------------------------


def _set_groups(work: Work, user: str, old: list[str], new: list[str]) -> None:
    for group in [one for one in old if one not in new]:
        work.call("iam:RemoveUserFromGroup", {"GroupName": group, "UserName": user})
    for group in [one for one in new if one not in old]:
        work.call("iam:AddUserToGroup", {"GroupName": group, "UserName": user})


def _set_members(work: Work, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """From the users of one group to those of another, or of the same."""
    before, after = ({(properties["GroupName"], user) for user in properties["Users"]} if properties else set() for properties in (old, new))
    for group, user in sorted(before - after):
        work.call("iam:RemoveUserFromGroup", {"GroupName": group, "UserName": user})
    for group, user in sorted(after - before):
        work.call("iam:AddUserToGroup", {"GroupName": group, "UserName": user})


def _make_members(work: Work, properties: Properties) -> Made:
    _set_members(work, {}, properties)
    return Made(work.name(128))


def _change_members(work: Work, made: Made, properties: Properties) -> None:
    _set_members(work, made.properties, properties)


def _remove_members(work: Work, made: Made) -> None:
    _set_members(work, made.properties, {})


# -- instance profiles ---------------------------------------------------------------------------------------------------------------------


def _set_roles(work: Work, profile: str, old: list[str], new: list[str]) -> None:
    for role in [one for one in old if one not in new]:
        work.call("iam:RemoveRoleFromInstanceProfile", {"InstanceProfileName": profile, "RoleName": role})
    for role in [one for one in new if one not in old]:
        work.call("iam:AddRoleToInstanceProfile", {"InstanceProfileName": profile, "RoleName": role})


def _make_profile(work: Work, properties: Properties) -> Made:
    answer = work.call("iam:CreateInstanceProfile", work.input("iam:CreateInstanceProfile", properties))["InstanceProfile"]
    _set_roles(work, answer["InstanceProfileName"], [], properties["Roles"])
    return Made(answer["InstanceProfileName"], answer["InstanceProfileId"])


def _change_profile(work: Work, made: Made, properties: Properties) -> None:
    _set_roles(work, made.physical_id, made.properties["Roles"], properties["Roles"])


def _leave_profile(work: Work, made: Made) -> None:
    roles = work.call("iam:GetInstanceProfile", {"InstanceProfileName": made.physical_id})["InstanceProfile"]["Roles"]
    _set_roles(work, made.physical_id, [role["RoleName"] for role in roles], [])


# -- policies ------------------------------------------------------------------------------------------------------------------------------


def _attach(work: Work, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for noun, member in HOLDERS:
        had, has = list(old.get(member) or ()), list(new.get(member) or ())
        for name in [one for one in had if one not in has]:
            work.call(f"iam:Detach{noun}Policy", {f"{noun}Name": name, "PolicyArn": arn})
        for name in [one for one in has if one not in had]:
            work.call(f"iam:Attach{noun}Policy", {f"{noun}Name": name, "PolicyArn": arn})


def _make_managed(work: Work, properties: Properties) -> Made:
    named = {**properties, "PolicyName": properties["ManagedPolicyName"]}
    answer = work.call("iam:CreatePolicy", {**work.input("iam:CreatePolicy", named), "Tags": as_list(work.tags)})["Policy"]
    _attach(work, answer["Arn"], {}, properties)
    return Made(answer["Arn"], answer["PolicyId"])


def _change_managed(work: Work, made: Made, properties: Properties) -> None:
    """The new text becomes the default version; the version that was it is dropped, for only five are kept."""
    arn = {"PolicyArn": made.physical_id}
    if properties["PolicyDocument"] != made.properties["PolicyDocument"]:
        before = work.call("iam:GetPolicy", arn)["Policy"]["DefaultVersionId"]
        work.call("iam:CreatePolicyVersion", {**arn, "PolicyDocument": _text(properties["PolicyDocument"]), "SetAsDefault": True})
        work.call("iam:DeletePolicyVersion", {**arn, "VersionId": before})
    _attach(work, made.physical_id, made.properties, properties)


def _remove_managed(work: Work, made: Made) -> None:
    _attach(work, made.physical_id, made.properties, {})
    for version in work.call("iam:ListPolicyVersions", {"PolicyArn": made.physical_id})["Versions"]:
        if not version["IsDefaultVersion"]:
            work.call("iam:DeletePolicyVersion", {"PolicyArn": made.physical_id, "VersionId": version["VersionId"]})
    work.call("iam:DeletePolicy", {"PolicyArn": made.physical_id})


def _put_policy(work: Work, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """An inline policy in several roles, users and groups at once."""
    for noun, member in HOLDERS:
        for name in old.get(member) or ():
            if name not in (new.get(member) or ()) or old["PolicyName"] != new.get("PolicyName"):
                work.call(f"iam:Delete{noun}Policy", {f"{noun}Name": name, "PolicyName": old["PolicyName"]})
        for name in new.get(member) or ():
            params = {f"{noun}Name": name, "PolicyName": new["PolicyName"], "PolicyDocument": _text(new["PolicyDocument"])}
            work.call(f"iam:Put{noun}Policy", params)


def _make_policy(work: Work, properties: Properties) -> Made:
    _put_policy(work, {}, properties)
    return Made(properties["PolicyName"])


def _change_policy(work: Work, made: Made, properties: Properties) -> Made:
    _put_policy(work, made.properties, properties)
    return Made(properties["PolicyName"])


def _remove_policy(work: Work, made: Made) -> None:
    _put_policy(work, made.properties, {})


# -- access keys ---------------------------------------------------------------------------------------------------------------------------


def _make_key(work: Work, properties: Properties) -> Made:
    key = work.call("iam:CreateAccessKey", {"UserName": properties["UserName"]})["AccessKey"]["AccessKeyId"]
    _change_key(work, Made(key, key), properties)
    return Made(key, key)


def _change_key(work: Work, made: Made, properties: Properties) -> None:
    params = {"AccessKeyId": made.row_id, "UserName": properties["UserName"], "Status": properties.get("Status", "Active")}
    work.call("iam:UpdateAccessKey", params)


def _remove_key(work: Work, made: Made) -> None:
    work.call("iam:DeleteAccessKey", {"AccessKeyId": made.row_id, "UserName": made.properties["UserName"]})


def _secret(ctx: Context, made: Made) -> str:
    return str(ctx.resolve("iam:AccessKey", made.row_id).document["_secret"])


# -- providers and service-linked roles ------------------------------------------------------------------------------------------------------


def _change_provider(work: Work, made: Made, properties: Properties) -> None:
    provider = {"OpenIDConnectProviderArn": made.physical_id}
    old, new = list(made.properties.get("ClientIdList") or ()), list(properties.get("ClientIdList") or ())
    for client in [one for one in old if one not in new]:
        work.call("iam:RemoveClientIDFromOpenIDConnectProvider", {**provider, "ClientID": client})
    for client in [one for one in new if one not in old]:
        work.call("iam:AddClientIDToOpenIDConnectProvider", {**provider, "ClientID": client})
    thumbprints = list(properties.get("ThumbprintList") or ())
    if thumbprints != list(made.properties.get("ThumbprintList") or ()):
        work.call("iam:UpdateOpenIDConnectProviderThumbprint", {**provider, "ThumbprintList": thumbprints})


def _remove_service_linked_role(work: Work, made: Made) -> None:
    """Raises Conflict while its service's resources need it: those of the stack itself go first."""
    task = work.call("iam:DeleteServiceLinkedRole", {"RoleName": made.physical_id})
    found = work.call("iam:GetServiceLinkedRoleDeletionStatus", task)
    if found["Status"] == "FAILED":
        raise Conflict(found["Reason"]["Reason"])


def _holder(noun: str, tagging: str, properties: str, attributes: Mapping[str, Attribute]) -> ResourceType:
    return ResourceType(
        f"AWS::IAM::{noun}", properties, kind=f"iam:{noun}", create=f"iam:Create{noun}", ref="name", key=f"{noun}Name=name", delete=f"iam:Delete{noun}",
        tagging=tagging, name=f"{noun}Name:64", making=_make_holder(noun), changing=_change_holder(noun), leaving=_leave_holder(noun),
        by_hand=frozenset({"Policies", "ManagedPolicyArns", "Groups"}), parts={"Policies": "PolicyName PolicyDocument"}, capability=True, attributes=attributes,
    )  # fmt: skip


TYPES = (
    _holder(
        "Role", "role",
        "RoleName= Path= AssumeRolePolicyDocument! Description MaxSessionDuration ManagedPolicyArns Policies PermissionsBoundary",
        {"Arn": "@arn", "RoleId": "@id"},
    ),
    _holder("User", "user", "UserName= Path= Groups ManagedPolicyArns Policies PermissionsBoundary", {"Arn": "@arn"}),
    _holder("Group", "", "GroupName= Path= ManagedPolicyArns Policies", {"Arn": "@arn"}),
    ResourceType(
        "AWS::IAM::UserToGroupAddition", "GroupName! Users!", making=_make_members, changing=_change_members, removing=_remove_members, capability=True,
        by_hand=frozenset({"GroupName", "Users"}), attributes={"Id": "@ref"},
    ),
    ResourceType(
        "AWS::IAM::InstanceProfile", "InstanceProfileName= Path= Roles!", kind="iam:InstanceProfile", create="iam:CreateInstanceProfile", ref="name",
        key="InstanceProfileName=name", delete="iam:DeleteInstanceProfile", name="InstanceProfileName:128", making=_make_profile,
        changing=_change_profile, leaving=_leave_profile, by_hand=frozenset({"Roles"}), capability=True, attributes={"Arn": "@arn"},
    ),
    ResourceType(
        "AWS::IAM::ManagedPolicy", "ManagedPolicyName= Path= Description= PolicyDocument! Roles Users Groups", kind="iam:Policy", create="iam:CreatePolicy",
        name="ManagedPolicyName:128", making=_make_managed, changing=_change_managed, removing=_remove_managed, capability=True, tagging="policy",
        by_hand=frozenset({"ManagedPolicyName", "Roles", "Users", "Groups"}), attributes={"PolicyArn": "@arn", "PolicyId": "@id"},
    ),
    ResourceType(
        "AWS::IAM::Policy", "PolicyName! PolicyDocument! Roles Users Groups", making=_make_policy, changing=_change_policy, removing=_remove_policy,
        capability=True, by_hand=frozenset({"PolicyName", "PolicyDocument", "Roles", "Users", "Groups"}), attributes={"Id": "@ref"},
    ),
    ResourceType(
        "AWS::IAM::AccessKey", "UserName=! Serial= Status", kind="iam:AccessKey", making=_make_key, changing=_change_key, removing=_remove_key,
        capability=True, by_hand=frozenset({"UserName", "Serial", "Status"}), attributes={"SecretAccessKey": _secret},
    ),
    ResourceType(
        "AWS::IAM::OIDCProvider", "Url=! ClientIdList ThumbprintList", kind="iam:OpenIDConnectProvider", create="iam:CreateOpenIDConnectProvider",
        made="OpenIDConnectProviderArn", ref="arn", key="OpenIDConnectProviderArn=arn", changing=_change_provider, delete="iam:DeleteOpenIDConnectProvider",
        tagging="provider", attributes={"Arn": "@arn"},
    ),
    ResourceType(
        "AWS::IAM::ServiceLinkedRole", "AWSServiceName=! CustomSuffix= Description", kind="iam:Role", create="iam:CreateServiceLinkedRole",
        made="Role.RoleId", ref="name", key="RoleName=name", update="iam:UpdateRole", defaults={"Description": ""}, removing=_remove_service_linked_role,
        attributes={"RoleName": "@name"},
    ),
)  # fmt: skip
