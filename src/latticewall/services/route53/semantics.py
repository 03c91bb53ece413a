"""Hosted zones. Pages: "CreateHostedZone", "AssociateVPCWithHostedZone", "ChangeResourceRecordSets", "ListResourceRecordSets"."""

from __future__ import annotations

from latticewall.base.faults import Conflict, Invalid, NotFound
from latticewall.base.rows import Edge, Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.route53.records import LONGEST, NAME, change_records, normalise, place, record_order, spell, zone_records

NAME_SERVERS = ["ns-0.awsdns-00.com", "ns-512.awsdns-00.net", "ns-1024.awsdns-00.org", "ns-1536.awsdns-00.co.uk"]


def absolute(name: str) -> str:
    """A domain name as Route 53 keeps it: lower case, with the final dot."""
    return name.lower().removesuffix(".") + "."


def find_zone(ctx: Context, identifier: str) -> Row:
    row = ctx.tx.get("route53:HostedZone", identifier.rsplit("/", 1)[-1], ctx.caller.account)
    if row is None:
        raise NotFound(f"No hosted zone found with ID: {identifier.rsplit('/', 1)[-1]}", code="NoSuchHostedZone")
    return row


def show(row: Row) -> Document:
    config: Document = {"PrivateZone": bool(row.document["_vpcs"])}
    if row.document.get("_comment"):
        config["Comment"] = row.document["_comment"]
    return {
        "Id": f"/hostedzone/{row.id}", "Name": row.name, "CallerReference": row.document["CallerReference"], "Config": config,
        "ResourceRecordSetCount": len(row.document["_records"]),
    }  # fmt: skip


def _change_info(ctx: Context) -> Document:
    return {"Id": f"/change/C{ctx.new_id('', 20).upper()}", "Status": "INSYNC", "SubmittedAt": ctx.now}


def _check_vpc(ctx: Context, vpc: Document) -> Document:
    region = vpc.get("VPCRegion") or ctx.caller.region
    row = ctx.tx.get("ec2:Vpc", vpc.get("VPCId", ""), ctx.caller.account, region)
    if row is None or row.status == "deleting":
        text = f"The VPC: {vpc.get('VPCId')} you provided is not authorized to make the association, or does not exist in {region}."
        raise Invalid(text, code="InvalidVPCId")
    return {"VPCRegion": region, "VPCId": row.id}


def _check_overlap(ctx: Context, name: str, vpc: Document, own_id: str = "") -> None:
    """A VPC sees one zone of a name ("ConflictingDomainExists")."""
    for zone in ctx.rows("route53:HostedZone"):
        if zone.id != own_id and zone.name == name and vpc in zone.document["_vpcs"]:
            text = f"The VPC {vpc['VPCId']} in region {vpc['VPCRegion']} has already been associated with the hosted zone {zone.id} with the same domain name."
            raise Conflict(text, code="ConflictingDomainExists")


def create_zone(ctx: Context, params: Document) -> Document:
    name = absolute(params["Name"])
    if not NAME.match(name) or len(name) > LONGEST or "*" in name:
        raise Invalid(f"{params['Name']} is not a valid domain name.", code="InvalidDomainName")
    if any(zone.document["CallerReference"] == params["CallerReference"] for zone in ctx.rows("route53:HostedZone")):
        text = f"A hosted zone has already been created with the specified caller reference: {params['CallerReference']}"
        raise Conflict(text, code="HostedZoneAlreadyExists")
    vpcs = [_check_vpc(ctx, params["VPC"])] if params.get("VPC") else []
    config = params.get("HostedZoneConfig") or {}
    if config.get("PrivateZone") and not vpcs:
        raise Invalid("When you're creating a private hosted zone, you must specify a VPC.", code="InvalidInput")
    for vpc in vpcs:
        _check_overlap(ctx, name, vpc)
    document = {"CallerReference": params["CallerReference"], "_comment": config.get("Comment"), "_vpcs": vpcs, "_records": zone_records(name, NAME_SERVERS)}
    row = ctx.create("route53:HostedZone", document, id="Z" + ctx.new_id("", 20).upper(), name=name)
    _link(ctx, row)
    answer: Document = {"HostedZone": show(row), "ChangeInfo": _change_info(ctx), "Location": f"https://route53.amazonaws.com/2013-04-01/hostedzone/{row.id}"}
    return {**answer, **({"VPC": vpcs[0]} if vpcs else {"DelegationSet": {"NameServers": NAME_SERVERS}})}


def _link(ctx: Context, row: Row) -> None:
    """Deleting a VPC leaves its zones; the association is forgotten with it."""
    for vpc in row.document["_vpcs"]:
        ctx.tx.link(Edge(row.kind, row.id, "vpc", "ec2:Vpc", vpc["VPCId"], "clear"))


def _present_vpcs(ctx: Context, row: Row) -> list[Document]:
    return [vpc for vpc in row.document["_vpcs"] if ctx.tx.get("ec2:Vpc", vpc["VPCId"])]


def get_zone(ctx: Context, params: Document) -> Document:
    row = find_zone(ctx, params["Id"])
    vpcs = _present_vpcs(ctx, row)
    return {"HostedZone": show(row), **({"VPCs": vpcs} if row.document["_vpcs"] else {"DelegationSet": {"NameServers": NAME_SERVERS}})}


def list_zones(ctx: Context, params: Document) -> Document:
    zones = sorted(ctx.rows("route53:HostedZone"), key=lambda row: row.id)
    return {
        "HostedZones": [show(row) for row in zones], "IsTruncated": False, "MaxItems": str(_most(params, 100)), "Marker": params.get("Marker") or "",
    }  # fmt: skip


def _most(params: Document, default: int) -> int:
    """How many to answer with. Raises InvalidInput."""
    given = params.get("MaxItems") or default
    if not str(given).isascii() or not str(given).isdigit() or not int(given):
        raise Invalid(f"MaxItems must be a positive whole number, not {given}", code="InvalidInput")
    return int(given)


def list_by_name(ctx: Context, params: Document) -> Document:
    """Zones in DNS order from a name on."""
    zones = sorted(ctx.rows("route53:HostedZone"), key=lambda row: (record_order(row.name), row.id))
    start = (record_order(absolute(params["DNSName"])), params.get("HostedZoneId", "").rsplit("/", 1)[-1]) if params.get("DNSName") else ([], "")
    rest = [row for row in zones if (record_order(row.name), row.id) >= start]
    limit = _most(params, 100)
    answer: Document = {"HostedZones": [show(row) for row in rest[:limit]], "IsTruncated": len(rest) > limit, "MaxItems": str(limit)}
    if len(rest) > limit:
        answer |= {"NextDNSName": rest[limit].name, "NextHostedZoneId": rest[limit].id}
    return answer


def list_by_vpc(ctx: Context, params: Document) -> Document:
    vpc = {"VPCRegion": params["VPCRegion"], "VPCId": params["VPCId"]}
    found = [
        {"HostedZoneId": row.id, "Name": row.name, "Owner": {"OwningAccount": row.account}}
        for row in ctx.rows("route53:HostedZone")
        if vpc in row.document["_vpcs"]
    ]
    return {"HostedZoneSummaries": found, "MaxItems": str(_most(params, 100))}


def count_zones(ctx: Context, _: Document) -> Document:
    return {"HostedZoneCount": len(ctx.rows("route53:HostedZone"))}


def delete_zone(ctx: Context, params: Document) -> Document:
    row = find_zone(ctx, params["Id"])
    if any(not (record["Name"] == row.name and record["Type"] in ("NS", "SOA")) for record in row.document["_records"]):
        raise Conflict("The specified hosted zone contains non-required resource record sets and so cannot be deleted.", code="HostedZoneNotEmpty")
    ctx.remove(row)
    return {"ChangeInfo": _change_info(ctx)}


def update_comment(ctx: Context, params: Document) -> Document:
    row = ctx.change(find_zone(ctx, params["Id"]), {"_comment": params.get("Comment")})
    return {"HostedZone": show(row)}


def associate(ctx: Context, params: Document) -> Document:
    row = find_zone(ctx, params["HostedZoneId"])
    if not row.document["_vpcs"]:
        raise Invalid("You're trying to associate a VPC with a public hosted zone.", code="PublicZoneVPCAssociation")
    vpc = _check_vpc(ctx, params["VPC"])
    _check_overlap(ctx, row.name, vpc, row.id)
    if vpc not in row.document["_vpcs"]:
        row = ctx.change(row, {"_vpcs": [*row.document["_vpcs"], vpc]})
        _link(ctx, row)
    return {"ChangeInfo": _change_info(ctx)}


def disassociate(ctx: Context, params: Document) -> Document:
    row = find_zone(ctx, params["HostedZoneId"])
    vpc = {"VPCRegion": params["VPC"].get("VPCRegion") or ctx.caller.region, "VPCId": params["VPC"].get("VPCId")}
    if vpc not in row.document["_vpcs"]:
        raise NotFound("The specified VPC and hosted zone are not currently associated.", code="VPCAssociationNotFound")
    if len(row.document["_vpcs"]) == 1:
        raise Conflict("The last VPC of a private hosted zone cannot be disassociated.", code="LastVPCAssociation")
    ctx.change(row, {"_vpcs": [other for other in row.document["_vpcs"] if other != vpc]})
    ctx.forget(row, "vpc", str(vpc["VPCId"]))
    return {"ChangeInfo": _change_info(ctx)}


def change(ctx: Context, params: Document) -> Document:
    """All changes of a batch, or none."""
    row = find_zone(ctx, params["HostedZoneId"])
    ctx.change(row, {"_records": change_records(row, params["ChangeBatch"]["Changes"])})
    return {"ChangeInfo": _change_info(ctx)}


def list_records(ctx: Context, params: Document) -> Document:
    row = find_zone(ctx, params["HostedZoneId"])
    records = sorted(row.document["_records"], key=place)
    if params.get("StartRecordName"):
        given = {"Name": params["StartRecordName"], "Type": params.get("StartRecordType") or "", "SetIdentifier": params.get("StartRecordIdentifier") or ""}
        start = place(normalise(given))
        records = [record for record in records if place(record) >= start]
    limit = min(_most(params, 300), 300)
    shown = [{**record, "Name": spell(record["Name"])} for record in records[:limit]]
    answer: Document = {"ResourceRecordSets": shown, "IsTruncated": len(records) > limit, "MaxItems": str(limit)}
    if len(records) > limit:
        answer |= {"NextRecordName": spell(records[limit]["Name"]), "NextRecordType": records[limit]["Type"]}
        if identifier := records[limit].get("SetIdentifier"):
            answer["NextRecordIdentifier"] = identifier
    return answer


def get_change(ctx: Context, params: Document) -> Document:
    """Changes are in force when they are acknowledged."""
    return {"ChangeInfo": {"Id": f"/change/{params['Id'].rsplit('/', 1)[-1]}", "Status": "INSYNC", "SubmittedAt": ctx.now}}


def change_tags(ctx: Context, params: Document) -> Document:
    row = find_zone(ctx, params["ResourceId"])
    ctx.tag(row, tags.read(params.get("AddTags")), params.get("RemoveTagKeys") or ())
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    row = find_zone(ctx, params["ResourceId"])
    return {"ResourceTagSet": {"ResourceType": params["ResourceType"], "ResourceId": row.id, "Tags": tags.as_list(row.tags)}}


OPERATIONS: dict[str, Handler] = {
    "CreateHostedZone": create_zone,
    "GetHostedZone": get_zone,
    "ListHostedZones": list_zones,
    "ListHostedZonesByName": list_by_name,
    "ListHostedZonesByVPC": list_by_vpc,
    "GetHostedZoneCount": count_zones,
    "DeleteHostedZone": delete_zone,
    "UpdateHostedZoneComment": update_comment,
    "AssociateVPCWithHostedZone": associate,
    "DisassociateVPCFromHostedZone": disassociate,
    "ChangeResourceRecordSets": change,
    "ListResourceRecordSets": list_records,
    "GetChange": get_change,
    "ChangeTagsForResource": change_tags,
    "ListTagsForResource": list_tags,
}
