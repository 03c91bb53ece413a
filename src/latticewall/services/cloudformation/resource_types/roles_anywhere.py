"""Types of IAM Roles Anywhere ("AWS::RolesAnywhere resource type reference"). Ref is the id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work

_EMPTY_PROFILE: Mapping[str, Any] = {"ManagedPolicyArns": [], "DurationSeconds": 3600, "AcceptRoleSessionName": False}
"""What a profile has of properties that were taken away."""


def _switch(work: Work, noun: str, key: Mapping[str, str], old: Properties, new: Properties) -> None:
    """Enabled or not; a template that does not say it leaves the resource disabled, as its creation does."""
    before, after = (str(properties.get("Enabled", False)).lower() == "true" for properties in (old, new))
    if before != after:
        work.call(f"rolesanywhere:{'Enable' if after else 'Disable'}{noun}", key)


def _change_anchor(work: Work, made: Made, properties: Properties) -> None:
    key, old = {"trustAnchorId": made.row_id}, made.properties
    if any(properties.get(name) != old.get(name) for name in ("Name", "Source")):
        work.call("rolesanywhere:UpdateTrustAnchor", {**work.input("rolesanywhere:UpdateTrustAnchor", properties), **key})
    _switch(work, "TrustAnchor", key, old, properties)


def _make_profile(work: Work, properties: Properties) -> Made:
    tags = [{"key": key, "value": value} for key, value in work.tags.items()]
    given = {name: value for name, value in properties.items() if name != "Tags"}
    made = work.call("rolesanywhere:CreateProfile", {**work.input("rolesanywhere:CreateProfile", given), "tags": tags})["profile"]["profileId"]
    _map_attributes(work, {"profileId": made}, {}, properties)
    return Made(made, made)


def _change_profile(work: Work, made: Made, properties: Properties) -> None:
    key, old = {"profileId": made.row_id}, made.properties
    if old.get("SessionPolicy") and not properties.get("SessionPolicy"):
        raise Invalid("The property SessionPolicy of AWS::RolesAnywhere::Profile cannot be taken away once it was given")
    if any(properties.get(name) != old.get(name) for name in ("Name", "RoleArns", "SessionPolicy", *_EMPTY_PROFILE)):
        work.call("rolesanywhere:UpdateProfile", {**work.input("rolesanywhere:UpdateProfile", {**_EMPTY_PROFILE, **properties}), **key})
    _map_attributes(work, key, old, properties)
    _switch(work, "Profile", key, old, properties)


def _map_attributes(work: Work, key: Mapping[str, str], old: Properties, new: Properties) -> None:
    """The rules of each field of certificates that the template names; fields that it never named keep theirs."""
    before, after = ({one["CertificateField"]: one for one in properties.get("AttributeMappings") or ()} for properties in (old, new))
    for field in [one for one in before if one not in after]:
        work.call("rolesanywhere:DeleteAttributeMapping", {**key, "certificateField": field})
    for field, mapping in after.items():
        if mapping != before.get(field):
            work.call("rolesanywhere:PutAttributeMapping", {**work.input("rolesanywhere:PutAttributeMapping", mapping), **key})


TYPES = (
    ResourceType(
        "AWS::RolesAnywhere::TrustAnchor", "Name! Source! Enabled NotificationSettings=", kind="rolesanywhere:TrustAnchor",
        create="rolesanywhere:CreateTrustAnchor", made="trustAnchor.trustAnchorId", key="trustAnchorId=id", changing=_change_anchor,
        delete="rolesanywhere:DeleteTrustAnchor", tagging="anywhere", attributes={"TrustAnchorArn": "@arn", "TrustAnchorId": "@id"},
    ),
    ResourceType(
        "AWS::RolesAnywhere::Profile",
        "Name! RoleArns! ManagedPolicyArns SessionPolicy DurationSeconds Enabled AcceptRoleSessionName RequireInstanceProperties= AttributeMappings",
        kind="rolesanywhere:Profile", create="rolesanywhere:CreateProfile", key="profileId=id", making=_make_profile, changing=_change_profile,
        delete="rolesanywhere:DeleteProfile", tagging="anywhere", by_hand=frozenset({"AttributeMappings"}),
        parts={"AttributeMappings": "CertificateField MappingRules"}, attributes={"ProfileArn": "@arn", "ProfileId": "@id"},
    ),
)  # fmt: skip
