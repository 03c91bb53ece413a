"""Reading parameters: AWS's public ones for AMIs resolve to the host's image; others are stored.

Pages: "GetParameter", "DescribeParameters", "AddTagsToResource", "Calling AMI public parameters in Parameter Store".
"""

from __future__ import annotations

import re

from latticewall.base.faults import Conflict, Invalid, NotFound, Unsupported
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler

PUBLIC_IMAGES = re.compile(r"/aws/service/(ami-amazon-linux-latest|canonical/ubuntu/server|debian/release|ami-windows-latest)/[\w./+-]+\Z")


def _absolute(name: str) -> str:
    return name if name.startswith("/") else "/" + name


def _public(ctx: Context, name: str) -> Document | None:
    """A public AMI parameter: whatever system it names, the image here is the host's own."""
    if not PUBLIC_IMAGES.match(name) or "windows" in name:
        return None
    images = ctx.call("ec2:DescribeImages", {"Owners": ["amazon"]})["Images"]
    if not images:
        return None
    return {
        "Name": name, "Type": "String", "Value": images[0]["ImageId"], "Version": 1, "DataType": "aws:ec2:image", "LastModifiedDate": ctx.now,
        "ARN": f"arn:aws:ssm:{ctx.caller.region}::parameter{name}",
    }  # fmt: skip


def _find(ctx: Context, name: str) -> Document | None:
    plain = re.sub(r":\d+\Z", "", name)
    if name.startswith("/aws/"):
        return _public(ctx, plain)
    row = ctx.find("ssm:Parameter", _absolute(plain))
    if row is None or (plain != name and str(row.document["Version"]) != name.rsplit(":", 1)[1]):
        return None
    return _show(ctx, row)


def _show(ctx: Context, row: Row) -> Document:
    return {**ctx.view(row), "Name": row.document["_given_name"]}


def get(ctx: Context, params: Document) -> Document:
    found = _find(ctx, params["Name"])
    if found is None:
        raise NotFound(f"Parameter {params['Name']} not found.", code="ParameterNotFound")
    return {"Parameter": found}


def get_many(ctx: Context, params: Document) -> Document:
    found = {name: _find(ctx, name) for name in params["Names"]}
    return {"Parameters": [item for item in found.values() if item], "InvalidParameters": [name for name, item in found.items() if item is None]}


def get_by_path(ctx: Context, params: Document) -> Document:
    path = params["Path"].rstrip("/") + "/"
    rows = [row for row in ctx.rows("ssm:Parameter") if row.name.startswith(path)]
    if not params.get("Recursive"):
        rows = [row for row in rows if "/" not in row.name[len(path) :]]
    return {"Parameters": [_show(ctx, row) for row in rows]}


def put(ctx: Context, params: Document) -> Document:
    name, kind = params["Name"], params.get("Type") or "String"
    if kind == "SecureString":
        raise Unsupported("SecureString parameters are not supported: there is no KMS", code="UnsupportedParameterType")
    if _absolute(name).startswith(("/aws/", "/ssm/")):
        raise Invalid("No access to reserved parameter name: " + name, code="ValidationException")
    for member, refused in (("KeyId", params.get("KeyId")), ("Policies", params.get("Policies")), ("Tier", params.get("Tier") == "Advanced")):
        if refused:
            raise Invalid(f"{member} is not supported by latticewall: {params[member]}", code="ValidationException")
    if params.get("Overwrite") and params.get("Tags"):
        raise Invalid("Invalid request: tags and overwrite can't be used together.", code="ValidationException")
    if params.get("AllowedPattern") and not re.fullmatch(params["AllowedPattern"], params["Value"]):
        raise Invalid(f"Parameter value, cannot be validated against allowedPattern: {params['AllowedPattern']}", code="ParameterPatternMismatchException")
    row = ctx.find("ssm:Parameter", _absolute(name))
    told = {member: params[member] for member in ("Description", "AllowedPattern") if params.get(member)} | {"_by": ctx.caller.arn}
    if row is None:
        document = {"Type": kind, "Value": params["Value"], "Version": 1, "DataType": params.get("DataType") or "text", "LastModifiedDate": ctx.now, **told}
        document["_given_name"] = name
        ctx.create("ssm:Parameter", document, id=ctx.new_id("param-"), name=_absolute(name), tags=tags.read(params.get("Tags")))
        return {"Version": 1, "Tier": "Standard"}
    if not params.get("Overwrite"):
        raise Conflict("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.", code="ParameterAlreadyExists")
    version = row.document["Version"] + 1
    ctx.change(row, {"Value": params["Value"], "Version": version, "LastModifiedDate": ctx.now, **told})
    return {"Version": version, "Tier": "Standard"}


def delete(ctx: Context, params: Document) -> Document:
    row = ctx.find("ssm:Parameter", _absolute(params["Name"]))
    if row is None:
        raise NotFound(f"Parameter {params['Name']} not found.", code="ParameterNotFound")
    ctx.remove(row)
    return {}


def describe(ctx: Context, params: Document) -> Document:
    """What is known of parameters, but for their values."""
    if params.get("Filters") or params.get("Shared"):
        raise Unsupported("Filters and Shared are not supported: use ParameterFilters", code="UnsupportedOperationException")
    rows = [row for row in ctx.rows("ssm:Parameter") if all(_passes(row, wanted) for wanted in params.get("ParameterFilters") or ())]
    return {"Parameters": [{**_show(ctx, row), "Tier": "Standard", "Policies": [], "LastModifiedUser": row.document.get("_by")} for row in rows]}


def _passes(row: Row, wanted: Document) -> bool:
    """Page "ParameterStringFilter". Raises Invalid for a key or an option that there is not."""
    key, option, values = wanted["Key"], wanted.get("Option"), wanted.get("Values") or []
    if key.startswith("tag:"):
        return key[4:] in row.tags and (not values or row.tags[key[4:]] in values)
    if key == "Path" and option in (None, "OneLevel", "Recursive"):
        under = [row.name.removeprefix(path.rstrip("/") + "/") for path in values if row.name.startswith(path.rstrip("/") + "/")]
        return any(option == "Recursive" or "/" not in rest for rest in under)
    shown = {"Name": row.document["_given_name"], "Type": row.document["Type"], "Tier": "Standard", "DataType": row.document["DataType"], "KeyId": ""}
    if key not in shown:
        raise Invalid(f"The following filter key is not valid: {key}.", code="InvalidFilterKey")
    if option in (None, "Equals"):
        return shown[key] in values
    if key == "Name" and option in ("BeginsWith", "Contains"):
        return any(shown[key].startswith(value) if option == "BeginsWith" else value in shown[key] for value in values)
    raise Invalid(f"The following filter option is not valid: {option}.", code="InvalidFilterOption")


def _tagged(ctx: Context, params: Document) -> Row:
    if params["ResourceType"] != "Parameter":
        raise Invalid(f"The resource type {params['ResourceType']} is not supported by latticewall.", code="InvalidResourceType")
    row = ctx.find("ssm:Parameter", _absolute(params["ResourceId"]))
    if row is None:
        raise NotFound(f"Parameter {params['ResourceId']} not found.", code="InvalidResourceId")
    return row


def tag(ctx: Context, params: Document) -> Document:
    ctx.tag(_tagged(ctx, params), tags.read(params["Tags"]))
    return {}


def untag(ctx: Context, params: Document) -> Document:
    ctx.tag(_tagged(ctx, params), removed=params["TagKeys"])
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    return {"TagList": tags.as_list(_tagged(ctx, params).tags)}


OPERATIONS: dict[str, Handler] = {
    "AddTagsToResource": tag,
    "DescribeParameters": describe,
    "ListTagsForResource": list_tags,
    "RemoveTagsFromResource": untag,
    "GetParameter": get,
    "GetParameters": get_many,
    "GetParametersByPath": get_by_path,
    "PutParameter": put,
    "DeleteParameter": delete,
}
