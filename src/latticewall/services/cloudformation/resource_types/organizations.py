"""Types of Organizations ("AWS::Organizations resource type reference"). Ref is the id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Conflict, Invalid
from latticewall.resources.context import Context
from latticewall.resources.tags import as_list
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work


def _make_organization(work: Work, properties: Properties) -> Made:
    made = work.call("organizations:CreateOrganization", {"FeatureSet": properties.get("FeatureSet") or "ALL"})["Organization"]["Id"]
    return Made(made, made)


def _change_organization(work: Work, _: Made, properties: Properties) -> None:
    if (properties.get("FeatureSet") or "ALL") != "ALL":
        raise Invalid("An organization with all features cannot go back to consolidated billing.")
    handshake = work.call("organizations:EnableAllFeatures", {})["Handshake"]["Id"]
    work.call("organizations:AcceptHandshake", {"HandshakeId": handshake})


def _remove_organization(work: Work, _: Made) -> None:
    work.call("organizations:DeleteOrganization", {})


def _root(ctx: Context, made: Made) -> str:
    return ctx.tx.rows("organizations:Root", parent=made.row_id)[0].id


def _make_account(work: Work, properties: Properties) -> Made:
    given = {name: properties[name] for name in ("AccountName", "Email", "RoleName") if properties.get(name) is not None}
    status = work.call("organizations:CreateAccount", {**given, "Tags": as_list(work.tags)})["CreateAccountStatus"]
    if status["State"] != "SUCCEEDED":
        raise Conflict(f"The account could not be created: {status['FailureReason']}")
    account = str(status["AccountId"])
    _move(work, account, properties)
    return Made(account, account)


def _move(work: Work, account: str, properties: Mapping[str, Any]) -> None:
    parents = properties.get("ParentIds") or []
    if len(parents) > 1:
        raise Invalid("ParentIds holds one id: an account has one parent.")
    now = work.call("organizations:ListParents", {"ChildId": account})["Parents"][0]["Id"]
    if parents and parents[0] != now:
        work.call("organizations:MoveAccount", {"AccountId": account, "SourceParentId": now, "DestinationParentId": parents[0]})


def _change_account(work: Work, made: Made, properties: Properties) -> None:
    old = made.properties
    if any(properties.get(name) != old.get(name) for name in ("AccountName", "Email", "RoleName")):
        raise Invalid("AccountName, Email and RoleName of an account cannot be changed.")
    _move(work, made.row_id, properties)


def _close_account(work: Work, made: Made) -> None:
    """As in AWS the account stays in the organization, closed."""
    work.call("organizations:CloseAccount", {"AccountId": made.row_id})


def _content(properties: Mapping[str, Any]) -> str:
    content = properties["Content"]
    return content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))


def _make_policy(work: Work, properties: Properties) -> Made:
    params = {"Name": properties["Name"], "Type": properties["Type"], "Description": properties.get("Description") or "", "Content": _content(properties)}
    summary = work.call("organizations:CreatePolicy", {**params, "Tags": as_list(work.tags)})["Policy"]["PolicySummary"]
    made = Made(summary["Id"], summary["Id"])
    _set_targets(work, made, {}, properties)
    return made


def _set_targets(work: Work, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    had, has = list(old.get("TargetIds") or ()), list(new.get("TargetIds") or ())
    for operation, targets in (("Attach", [one for one in has if one not in had]), ("Detach", [one for one in had if one not in has])):
        for target in targets:
            work.call(f"organizations:{operation}Policy", {"PolicyId": made.row_id, "TargetId": target})


def _change_policy(work: Work, made: Made, properties: Properties) -> None:
    params = {"Name": properties["Name"], "Description": properties.get("Description") or "", "Content": _content(properties)}
    work.call("organizations:UpdatePolicy", {"PolicyId": made.row_id, **params})
    _set_targets(work, made, made.properties, properties)


def _leave_policy(work: Work, made: Made) -> None:
    """A policy goes without its attachments: those of the template, and others that came to it."""
    for target in work.call("organizations:ListTargetsForPolicy", {"PolicyId": made.row_id})["Targets"]:
        work.call("organizations:DetachPolicy", {"PolicyId": made.row_id, "TargetId": target["TargetId"]})


TYPES = (
    ResourceType(
        "AWS::Organizations::Organization", "FeatureSet", kind="organizations:Organization", making=_make_organization, changing=_change_organization,
        removing=_remove_organization, by_hand=frozenset({"FeatureSet"}),
        attributes={"Id": "@id", "Arn": "@arn", "ManagementAccountArn": "MasterAccountArn", "ManagementAccountEmail": "MasterAccountEmail",
                    "ManagementAccountId": "MasterAccountId", "RootId": _root},
    ),
    ResourceType(
        "AWS::Organizations::OrganizationalUnit", "Name! ParentId=!", kind="organizations:OrganizationalUnit",
        create="organizations:CreateOrganizationalUnit", made="OrganizationalUnit.Id", key="OrganizationalUnitId=id",
        updates={"Name": "organizations:UpdateOrganizationalUnit"}, delete="organizations:DeleteOrganizationalUnit", tagging="organizations",
        attributes={"Id": "@id", "Arn": "@arn"},
    ),
    ResourceType(
        "AWS::Organizations::Account", "AccountName! Email! RoleName ParentIds", kind="organizations:Account", making=_make_account,
        changing=_change_account, removing=_close_account, tagging="organizations",
        by_hand=frozenset({"AccountName", "Email", "RoleName", "ParentIds"}),
        attributes={"AccountId": "@id", "AccountName": "@name", "Arn": "@arn", "JoinedMethod": "JoinedMethod", "JoinedTimestamp": "JoinedTimestamp",
                    "Status": "Status"},
    ),
    ResourceType(
        "AWS::Organizations::Policy", "Name! Type=! Content! Description TargetIds", kind="organizations:Policy", making=_make_policy,
        changing=_change_policy, leaving=_leave_policy, delete="organizations:DeletePolicy", key="PolicyId=id", tagging="organizations",
        by_hand=frozenset({"Name", "Type", "Content", "Description", "TargetIds"}), attributes={"Id": "@id", "Arn": "@arn"},
    ),
)  # fmt: skip
