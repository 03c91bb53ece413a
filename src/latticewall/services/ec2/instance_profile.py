"""Instance profiles of instances: which role an instance's metadata hands out ("IAM roles for Amazon EC2")."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import text
from latticewall.services.ec2.describe import paths, select
from latticewall.services.ec2.requests import only

KIND = "iam:InstanceProfile"


def resolve(ctx: Context, given: Document) -> Document:
    """{"Arn", "Id"} of the profile that Name or Arn names, {} when none is given. Raises InvalidParameterValue in EC2's words."""
    for member in ("Arn", "Name"):
        if not given.get(member):
            continue
        profile = ctx.find(KIND, given[member])
        if profile is None or profile.account != ctx.caller.account:
            words = f"Invalid IAM Instance Profile {'ARN' if member == 'Arn' else 'name'}"
            raise text.bad_value(given[member], f"iamInstanceProfile.{member.lower()}", words)
        return {"Arn": profile.arn, "Id": profile.id}
    return {}


def _shown(row: Row, state: str) -> Document:
    found = row.document["_ProfileAssociation"]
    return {
        "AssociationId": found["AssociationId"], "InstanceId": row.id, "IamInstanceProfile": row.document["IamInstanceProfile"], "State": state,
        "Timestamp": found["Timestamp"],
    }  # fmt: skip


def note(ctx: Context, row: Row, profile: Document) -> Row:
    """The instance has this profile from now on; instance metadata follows at once."""
    return ctx.change(row, {"IamInstanceProfile": profile, "_ProfileAssociation": {"AssociationId": ctx.new_id("iip-assoc-"), "Timestamp": ctx.now}})


def associate_iam_instance_profile(ctx: Context, params: Document) -> Document:
    """AssociateIamInstanceProfile."""
    only(params, "IamInstanceProfile InstanceId")
    row = ctx.resolve("ec2:Instance", params["InstanceId"])
    if row.document.get("IamInstanceProfile"):
        raise text.conflict("IncorrectState", f"There is an existing association for instance {row.id}")
    profile = _required(ctx, params)
    return {"IamInstanceProfileAssociation": _shown(note(ctx, row, profile), "associating")}


def _required(ctx: Context, params: Document) -> Document:
    profile = resolve(ctx, params["IamInstanceProfile"])
    if not profile:
        raise text.missing_parameter("IamInstanceProfile.Name")
    return profile


def _associated(ctx: Context, association_id: str) -> Row:
    for row in ctx.live("ec2:Instance"):
        if row.document.get("_ProfileAssociation", {}).get("AssociationId") == association_id:
            return row
    raise text.not_found("NoSuchAssociation", f"An invalid association-id of '{association_id}' was given")


def disassociate_iam_instance_profile(ctx: Context, params: Document) -> Document:
    """DisassociateIamInstanceProfile."""
    row = _associated(ctx, params["AssociationId"])
    shown = _shown(row, "disassociating")
    ctx.change(row, {"IamInstanceProfile": None, "_ProfileAssociation": None})
    return {"IamInstanceProfileAssociation": shown}


def replace_iam_instance_profile_association(ctx: Context, params: Document) -> Document:
    """ReplaceIamInstanceProfileAssociation."""
    row = note(ctx, _associated(ctx, params["AssociationId"]), _required(ctx, params))
    return {"IamInstanceProfileAssociation": _shown(row, "associating")}


def describe_iam_instance_profile_associations(ctx: Context, params: Document) -> Document:
    """DescribeIamInstanceProfileAssociations."""
    shown = [_shown(row, "associated") for row in ctx.live("ec2:Instance") if row.document.get("_ProfileAssociation")]
    if wanted := params.get("AssociationIds"):
        shown = [_shown(_associated(ctx, identifier), "associated") for identifier in wanted]
    return {"IamInstanceProfileAssociations": select(shown, params.get("Filters"), paths("instance-id state"))}
