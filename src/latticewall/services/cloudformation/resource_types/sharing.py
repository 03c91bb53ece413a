"""Types of AWS RAM ("AWS::RAM resource type reference"). Ref is the ARN."""

from __future__ import annotations

from typing import Any

from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work

_MEMBERS = {"ResourceArns": "resourceArns", "Principals": "principals", "Sources": "sources"}
"""Properties of a share that list what is in it -> members of AssociateResourceShare and its contrary."""


def _change_share(work: Work, made: Made, properties: Properties) -> None:
    """What comes goes in before what goes is taken out: who has access before and after never loses it."""
    share = {"resourceShareArn": made.physical_id}
    external = properties.get("AllowExternalPrincipals")
    work.call("ram:UpdateResourceShare", {**share, "name": properties["Name"], "allowExternalPrincipals": True if external is None else external})
    _set_permissions(work, made, properties)
    for operation, before, after in (("Associate", made.properties, properties), ("Disassociate", properties, made.properties)):
        given = {member: [one for one in after.get(name) or () if one not in (before.get(name) or ())] for name, member in _MEMBERS.items()}
        if any(given.values()):
            work.call(f"ram:{operation}ResourceShare", {**share, **{member: values for member, values in given.items() if values}})


def _set_permissions(work: Work, made: Made, properties: Properties) -> None:
    """A permission that the template no longer names gives way to AWS's own of its type."""
    old, new = (set(found.get("PermissionArns") or ()) for found in (made.properties, properties))
    wanted = {_type_of(work, arn): arn for arn in new}
    for arn in old - new:
        type_ = _type_of(work, arn)
        own = work.call("ram:ListPermissions", {"resourceType": type_, "permissionType": "AWS_MANAGED"})["permissions"][0]["arn"]
        wanted.setdefault(type_, own)
    for arn in wanted.values():
        work.call("ram:AssociateResourceSharePermission", {"resourceShareArn": made.physical_id, "permissionArn": arn, "replace": True})


def _type_of(work: Work, arn: str) -> str:
    return str(work.call("ram:GetPermission", {"permissionArn": arn})["permission"]["resourceType"])


_SHARE: dict[str, Any] = {
    "Arn": "@arn", "CreationTime": "creationTime", "LastUpdatedTime": "lastUpdatedTime", "OwningAccountId": "owningAccountId", "Status": "status",
    "FeatureSet": "featureSet",
}  # fmt: skip
TYPES = (
    ResourceType(
        "AWS::RAM::ResourceShare", "Name! AllowExternalPrincipals PermissionArns Principals ResourceArns Sources", kind="ram:ResourceShare",
        create="ram:CreateResourceShare", made="resourceShare.resourceShareArn", ref="arn", key="resourceShareArn=arn", changing=_change_share,
        delete="ram:DeleteResourceShare", tagging="ram", attributes=_SHARE,
    ),
    ResourceType(
        "AWS::RAM::Permission", "Name=! ResourceType=! PolicyTemplate=!", kind="ram:Permission", create="ram:CreatePermission", made="permission.arn",
        ref="arn", key="permissionArn=arn", delete="ram:DeletePermission", tagging="ram",
        attributes={"Arn": "@arn", "IsResourceTypeDefault": "isResourceTypeDefault", "PermissionType": "permissionType", "Version": "version"},
    ),
)  # fmt: skip
