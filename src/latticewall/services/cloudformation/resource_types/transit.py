"""Types of transit gateways ("AWS::EC2 resource type reference")."""

from __future__ import annotations

from typing import Any

from latticewall.base.faults import NotFound
from latticewall.services.cloudformation.resource_types.ec2 import of_ec2
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work

OPTIONS = (
    "AmazonSideAsn", "AutoAcceptSharedAttachments", "DefaultRouteTableAssociation", "DefaultRouteTablePropagation", "DnsSupport", "MulticastSupport",
    "SecurityGroupReferencingSupport", "TransitGatewayCidrBlocks", "VpnEcmpSupport", "AssociationDefaultRouteTableId", "PropagationDefaultRouteTableId",
)  # fmt: skip
DEFAULTS: Properties = {
    "Description": "", "AutoAcceptSharedAttachments": "disable", "DefaultRouteTableAssociation": "enable", "DefaultRouteTablePropagation": "enable",
    "DnsSupport": "enable", "SecurityGroupReferencingSupport": "disable", "VpnEcmpSupport": "enable",
}  # fmt: skip
ATTACHMENT_DEFAULTS = {"DnsSupport": "enable", "SecurityGroupReferencingSupport": "enable", "Ipv6Support": "disable", "ApplianceModeSupport": "disable"}
FIXED = ("AmazonSideAsn", "MulticastSupport")
MEMBER = "TransitGatewayRouteTableId=! TransitGatewayAttachmentId=!"


def _with_options(properties: Properties) -> Properties:
    """Options are members of their own in templates."""
    options = {name: value for name, value in properties.items() if name in OPTIONS}
    return {**{name: value for name, value in properties.items() if name not in OPTIONS}, "Options": options}


def _change_gateway(work: Work, made: Made, properties: Properties) -> None:
    old, new = {**DEFAULTS, **made.properties}, {**DEFAULTS, **properties}
    changed = {name: value for name, value in new.items() if old.get(name) != value}
    given = work.input("ec2:ModifyTransitGateway", _with_options(changed))
    work.call("ec2:ModifyTransitGateway", {"TransitGatewayId": made.row_id, **given})


def _change_attachment(work: Work, made: Made, properties: Properties) -> None:
    old, new = made.properties.get("SubnetIds") or [], properties.get("SubnetIds") or []
    wanted: dict[str, Any] = {
        "AddSubnetIds": [subnet for subnet in new if subnet not in old], "RemoveSubnetIds": [subnet for subnet in old if subnet not in new],
    }  # fmt: skip
    if properties.get("Options") != made.properties.get("Options"):
        wanted["Options"] = {**ATTACHMENT_DEFAULTS, **(properties.get("Options") or {})}
    given = {key: value for key, value in work.input("ec2:ModifyTransitGatewayVpcAttachment", wanted).items() if value}
    work.call("ec2:ModifyTransitGatewayVpcAttachment", {"TransitGatewayAttachmentId": made.row_id, **given})


def _join(operation: str, kind: str) -> Any:
    def make(work: Work, properties: Properties) -> Made:
        work.call(operation, work.input(operation, properties))
        table, attachment = properties["TransitGatewayRouteTableId"], properties["TransitGatewayAttachmentId"]
        rows = work.ctx.live(kind, parent=table)
        row = next((row for row in rows if row.document["TransitGatewayAttachmentId"] == attachment), None)
        if row is None:
            raise NotFound(f"{attachment} is not a member of {table}", id=attachment)
        return Made(f"{table}|{attachment}", row.id)

    return make


def _leave(operation: str) -> Any:
    def remove(work: Work, made: Made) -> None:
        work.call(operation, work.input(operation, made.properties))

    return remove


def _route(made: Made) -> dict[str, Any]:
    return {key: made.properties[key] for key in ("TransitGatewayRouteTableId", "DestinationCidrBlock")}


def _make_route(work: Work, properties: Properties) -> Made:
    work.call("ec2:CreateTransitGatewayRoute", work.input("ec2:CreateTransitGatewayRoute", properties))
    return Made(f"{properties['TransitGatewayRouteTableId']}|{properties['DestinationCidrBlock']}")


def _delete_route(work: Work, made: Made) -> None:
    work.call("ec2:DeleteTransitGatewayRoute", _route(made))


def _attachment(noun: str) -> ResourceType:
    return of_ec2(
        noun, "TransitGatewayId=! VpcId=! SubnetIds! Options", kind="ec2:TransitGatewayAttachment", create="ec2:CreateTransitGatewayVpcAttachment",
        made="TransitGatewayVpcAttachment.TransitGatewayAttachmentId", key="TransitGatewayAttachmentId=id",
        delete="ec2:DeleteTransitGatewayVpcAttachment", tag_type="transit-gateway-attachment", changing=_change_attachment, attributes={"Id": "@id"},
    )  # fmt: skip


TYPES = (
    of_ec2(
        "TransitGateway", " ".join(("Description", *(f"{name}=" if name in FIXED else name for name in OPTIONS))),
        tag_type="transit-gateway", before=_with_options, changing=_change_gateway, attributes={"Id": "@id", "TransitGatewayArn": "@arn"},
        by_hand=frozenset(OPTIONS),
    ),
    _attachment("TransitGatewayAttachment"),
    _attachment("TransitGatewayVpcAttachment"),
    of_ec2("TransitGatewayRouteTable", "TransitGatewayId=!", tag_type="transit-gateway-route-table", attributes={"TransitGatewayRouteTableId": "@id"}),
    ResourceType(
        "AWS::EC2::TransitGatewayRouteTableAssociation", MEMBER, kind="ec2:TransitGatewayRouteTableAssociation", create="ec2:AssociateTransitGatewayRouteTable",
        making=_join("ec2:AssociateTransitGatewayRouteTable", "ec2:TransitGatewayRouteTableAssociation"),
        removing=_leave("ec2:DisassociateTransitGatewayRouteTable"),
    ),
    ResourceType(
        "AWS::EC2::TransitGatewayRouteTablePropagation", MEMBER, kind="ec2:TransitGatewayRouteTablePropagation",
        create="ec2:EnableTransitGatewayRouteTablePropagation",
        making=_join("ec2:EnableTransitGatewayRouteTablePropagation", "ec2:TransitGatewayRouteTablePropagation"),
        removing=_leave("ec2:DisableTransitGatewayRouteTablePropagation"),
    ),
    ResourceType(
        "AWS::EC2::TransitGatewayRoute", "TransitGatewayRouteTableId=! DestinationCidrBlock=! TransitGatewayAttachmentId= Blackhole=",
        create="ec2:CreateTransitGatewayRoute", making=_make_route, removing=_delete_route,
    ),
)  # fmt: skip
