"""Types of Logs, Route 53, Systems Manager and CDK ("AWS resource and property types reference")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latticewall.base.faults import NotFound
from latticewall.resources.context import Context
from latticewall.services.cloudformation import text
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work

RECORD = "Name=! Type! TTL ResourceRecords AliasTarget Comment SetIdentifier= Weight Region Failover GeoLocation MultiValueAnswer HealthCheckId"

# -- hosted zones --------------------------------------------------------------------------------------------------------------------------


def _vpcs(work: Work, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = properties.get("VPCs") or []
    return [{"VPCRegion": work.ctx.caller.region, **work.input("route53:CreateHostedZone", {"VPC": vpc})["VPC"]} for vpc in listed]


def _make_zone(work: Work, properties: Properties) -> Made:
    """A private zone is made with its first VPC; the others join it."""
    vpcs = _vpcs(work, properties)
    given = {key: value for key, value in properties.items() if key in ("Name", "HostedZoneConfig")}
    params = {**work.input("route53:CreateHostedZone", given), "CallerReference": work.name(128)}
    zone = work.call("route53:CreateHostedZone", {**params, **({"VPC": vpcs[0]} if vpcs else {})})["HostedZone"]["Id"].rsplit("/", 1)[-1]
    for vpc in vpcs[1:]:
        work.call("route53:AssociateVPCWithHostedZone", {"HostedZoneId": zone, "VPC": vpc})
    if work.tags:
        tags = [{"Key": key, "Value": value} for key, value in work.tags.items()]
        work.call("route53:ChangeTagsForResource", {"ResourceType": "hostedzone", "ResourceId": zone, "AddTags": tags})
    return Made(zone, zone)


def _change_zone(work: Work, made: Made, properties: Properties) -> None:
    old, new = _vpcs(work, made.properties), _vpcs(work, properties)
    for vpc in [one for one in new if one not in old]:
        work.call("route53:AssociateVPCWithHostedZone", {"HostedZoneId": made.row_id, "VPC": vpc})
    for vpc in [one for one in old if one not in new]:
        work.call("route53:DisassociateVPCFromHostedZone", {"HostedZoneId": made.row_id, "VPC": vpc})
    comment = (properties.get("HostedZoneConfig") or {}).get("Comment", "")
    if comment != (made.properties.get("HostedZoneConfig") or {}).get("Comment", ""):
        work.call("route53:UpdateHostedZoneComment", {"Id": made.row_id, "Comment": comment})


def _name_servers(ctx: Context, made: Made) -> list[str]:
    answer = ctx.call("route53:GetHostedZone", {"Id": made.row_id})
    return list((answer.get("DelegationSet") or {}).get("NameServers") or ())


# -- record sets ---------------------------------------------------------------------------------------------------------------------------


def _zone_of(work: Work, properties: Mapping[str, Any]) -> str:
    """The id of the zone that HostedZoneId or HostedZoneName names."""
    if properties.get("HostedZoneId"):
        return str(properties["HostedZoneId"])
    name = str(properties.get("HostedZoneName", ""))
    found = [row.id for row in work.ctx.live("route53:HostedZone") if row.name == name.rstrip(".") + "."]
    if len(found) != 1:
        raise NotFound(f"{'No' if not found else 'More than one'} hosted zone named {name} found", code="NoSuchHostedZone", id=name)
    return found[0]


def _record(work: Work, given: Mapping[str, Any]) -> dict[str, Any]:
    """A record set of a template as the API wants it: values as members of their own."""
    members = {key: value for key, value in given.items() if key not in ("HostedZoneId", "HostedZoneName", "Comment", "ResourceRecords", "AliasTarget")}
    if given.get("ResourceRecords"):
        members["ResourceRecords"] = [{"Value": value} for value in given["ResourceRecords"]]
    if given.get("AliasTarget"):
        members["AliasTarget"] = {"EvaluateTargetHealth": False, **given["AliasTarget"]}
    change = {"Action": "UPSERT", "ResourceRecordSet": members}
    shaped = work.input("route53:ChangeResourceRecordSets", {"ChangeBatch": {"Changes": [change]}})
    return dict(shaped["ChangeBatch"]["Changes"][0]["ResourceRecordSet"])


def _apply(work: Work, zone: str, changes: Sequence[tuple[str, dict[str, Any]]]) -> None:
    if changes:
        listed = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
        work.call("route53:ChangeResourceRecordSets", {"HostedZoneId": zone, "ChangeBatch": {"Changes": listed}})


def _records(work: Work, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of a RecordSetGroup, or the one of a RecordSet."""
    return [_record(work, record) for record in properties.get("RecordSets", [properties])]


def _make_records(work: Work, properties: Properties) -> Made:
    zone = _zone_of(work, properties)
    _apply(work, zone, [("CREATE", record) for record in _records(work, properties)])
    return Made(str(properties["Name"]) if "Name" in properties else work.name(128))


def _change_records(work: Work, made: Made, properties: Properties) -> None:
    old, new = _records(work, made.properties), _records(work, properties)
    kept = {(record["Name"], record["Type"], record.get("SetIdentifier")) for record in new}
    gone = [record for record in old if (record["Name"], record["Type"], record.get("SetIdentifier")) not in kept]
    _apply(work, _zone_of(work, properties), [*(("DELETE", record) for record in gone), *(("UPSERT", record) for record in new if record not in old)])


def _delete_records(work: Work, made: Made) -> None:
    _apply(work, _zone_of(work, made.properties), [("DELETE", record) for record in _records(work, made.properties)])


# -- parameters ----------------------------------------------------------------------------------------------------------------------------


def _parameter(work: Work, properties: Properties) -> dict[str, Any]:
    """PutParameter's parameters, without tags."""
    if unsupported := [name for name in ("Policies", "AllowedPattern") if properties.get(name)]:
        raise text.invalid(f"The property {unsupported[0]} of AWS::SSM::Parameter is not supported by latticewall")
    return work.input("ssm:PutParameter", {key: value for key, value in properties.items() if key != "Tags"})


def _change_parameter(work: Work, made: Made, properties: Properties) -> None:
    work.call("ssm:PutParameter", {**_parameter(work, {**properties, "Name": made.physical_id}), "Overwrite": True})


def _make_parameter(work: Work, properties: Properties) -> Made:
    tags = [{"Key": key, "Value": value} for key, value in work.tags.items()]
    params = _parameter(work, properties)
    work.call("ssm:PutParameter", {**params, **({"Tags": tags} if tags else {})})
    name = params["Name"]
    rows = [row for row in work.ctx.live("ssm:Parameter") if row.document["_given_name"] == name]
    return Made(name, rows[0].id)


# -- log streams -------------------------------------------------------------------------------------------------------------------------


def _make_stream(work: Work, properties: Properties) -> Made:
    params = work.input("logs:CreateLogStream", properties)
    work.call("logs:CreateLogStream", params)
    group = work.ctx.resolve("logs:LogGroup", params["logGroupName"])
    (row,) = work.ctx.tx.rows("logs:LogStream", parent=group.id, name=params["logStreamName"])
    return Made(row.name, row.id)


def _delete_stream(work: Work, made: Made) -> None:
    params = {"logGroupName": made.properties["LogGroupName"], "logStreamName": made.physical_id}
    work.call("logs:DeleteLogStream", params)


TYPES = (
    ResourceType(  # what CDK says about itself: on AWS, too, nothing is made of it
        "AWS::CDK::Metadata", "Analytics", by_hand=frozenset({"Analytics"}), making=lambda work, _: Made(work.name(128)),
        changing=lambda work, made, properties: None, removing=lambda work, made: None,  # noqa: ARG005 - the signatures of a row
    ),
    ResourceType(
        "AWS::Logs::LogGroup", "LogGroupName= RetentionInDays LogGroupClass= KmsKeyId=", kind="logs:LogGroup", create="logs:CreateLogGroup",
        made="", ref="name", key="logGroupName=name", delete="logs:DeleteLogGroup", tagging="logs", name="LogGroupName:512",
        settings={"RetentionInDays": "logs:PutRetentionPolicy"}, clears={"RetentionInDays": "logs:DeleteRetentionPolicy"},
        attributes={"Arn": lambda _, made: f"{made.row_id}:*"},
    ),
    ResourceType(
        "AWS::Logs::LogStream", "LogGroupName=! LogStreamName=", kind="logs:LogStream", create="logs:CreateLogStream", name="LogStreamName:512",
        making=_make_stream, removing=_delete_stream,
    ),
    ResourceType(
        "AWS::Route53::HostedZone", "Name=! HostedZoneConfig VPCs", kind="route53:HostedZone", create="route53:CreateHostedZone", key="Id=id",
        delete="route53:DeleteHostedZone", tagging="route53", tag_property="HostedZoneTags", making=_make_zone, changing=_change_zone,
        by_hand=frozenset({"VPCs"}), parts={"VPCs": "VPCId VPCRegion"}, attributes={"Id": "@id", "NameServers": _name_servers},
    ),
    ResourceType(
        "AWS::Route53::RecordSet", f"HostedZoneId= HostedZoneName= {RECORD}", making=_make_records, changing=_change_records, removing=_delete_records,
        by_hand=frozenset(f"HostedZoneId HostedZoneName {RECORD}".replace("=", "").replace("!", "").split()),
    ),
    ResourceType(
        "AWS::Route53::RecordSetGroup", "HostedZoneId= HostedZoneName= RecordSets! Comment", making=_make_records, changing=_change_records,
        removing=_delete_records, by_hand=frozenset({"HostedZoneId", "HostedZoneName", "RecordSets", "Comment"}),
        parts={"RecordSets": RECORD.replace("=", "").replace("!", "")},
    ),
    ResourceType(
        "AWS::SSM::Parameter", "Name= Type! Value! Description AllowedPattern Tier DataType= Policies", kind="ssm:Parameter", create="ssm:PutParameter",
        ref="name", name="Name:512", key="Name=name", delete="ssm:DeleteParameter", tagging="ssm", making=_make_parameter, changing=_change_parameter,
        attributes={"Type": "Type", "Value": "Value"},
    ),
)  # fmt: skip
