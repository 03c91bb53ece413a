"""CreateTags, DeleteTags and DescribeTags of every EC2 resource ("Tag your Amazon EC2 resources")."""

from __future__ import annotations

from latticewall.base.faults import Invalid, NotFound
from latticewall.base.rows import Row
from latticewall.resources import tags as tag_forms
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import text
from latticewall.services.ec2.describe import paths, select

RESOURCE_TYPES = {
    "ec2:Vpc": "vpc", "ec2:Subnet": "subnet", "ec2:RouteTable": "route-table", "ec2:InternetGateway": "internet-gateway", "ec2:NetworkAcl": "network-acl",
    "ec2:SecurityGroup": "security-group", "ec2:SecurityGroupRule": "security-group-rule", "ec2:ManagedPrefixList": "prefix-list",
    "ec2:NetworkInterface": "network-interface", "ec2:Instance": "instance", "ec2:TransitGateway": "transit-gateway",
    "ec2:TransitGatewayAttachment": "transit-gateway-attachment", "ec2:TransitGatewayRouteTable": "transit-gateway-route-table",
    "ec2:VpcEndpoint": "vpc-endpoint",
}  # fmt: skip
LIMIT = 50


def _resource(ctx: Context, identifier: str) -> Row:
    """The resource with that id, of whatever kind. Raises the kind's NotFound, or InvalidID for an id of no kind."""
    kind = ctx.registry.kind_of_id(identifier, "ec2")
    if kind is None or kind.name not in RESOURCE_TYPES:
        raise NotFound(f"The ID '{identifier}' is not valid", code="InvalidID", id=identifier)
    return ctx.resolve(kind.name, identifier)


def create_tags(ctx: Context, params: Document) -> Document:
    """CreateTags: on all the resources or on none."""
    added = tag_forms.read(params["Tags"])
    for identifier in params["Resources"]:
        row = ctx.tag(_resource(ctx, identifier), added)
        if len(row.tags) > LIMIT:
            raise text.conflict("TagLimitExceeded", f"The maximum number of Tags for a resource ({LIMIT}) has been reached: {identifier}")
    return {}


def delete_tags(ctx: Context, params: Document) -> Document:
    """DeleteTags: without Tags all of them; a tag given with a value goes only if it has that value."""
    for identifier in params["Resources"]:
        row = _resource(ctx, identifier)
        given = params.get("Tags")
        if not given:
            ctx.tag(row, removed=list(row.tags))
            continue
        keys = [tag["Key"] for tag in given if tag.get("Value") is None or row.tags.get(tag["Key"]) == tag["Value"]]
        ctx.tag(row, removed=keys)
    return {}


def describe_tags(ctx: Context, params: Document) -> Document:
    """DescribeTags."""
    shown = [
        {"ResourceId": row.id, "ResourceType": RESOURCE_TYPES[kind], "Key": key, "Value": value}
        for kind in RESOURCE_TYPES
        for row in ctx.live(kind)
        for key, value in sorted(row.tags.items())
    ]
    for rule in params.get("Filters") or ():
        name = str(rule.get("Name", ""))
        if name == "tag-key" or name.startswith("tag:"):
            raise Invalid(f"The filter '{name}' is invalid", code="InvalidParameterValue", fields=(("Filters", name),))
    return {"Tags": select(shown, params.get("Filters"), paths("key value resource-id resource-type"))}
