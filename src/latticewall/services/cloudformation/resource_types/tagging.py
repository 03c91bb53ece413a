"""How services are told tags: in the call that creates, and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from latticewall.base.faults import Unsupported
from latticewall.base.rows import Row
from latticewall.resources.tags import as_list
from latticewall.services.cloudformation.resource_types.row import ResourceType, Work

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Style:
    """at_creation: the members for the create call. add, remove: operation and its parameters; "" where tags cannot be changed afterwards."""

    at_creation: Callable[[ResourceType, Tags], dict[str, Any]]
    add: str = ""
    remove: str = ""
    add_params: Callable[[Row, Tags], dict[str, Any]] = lambda *_: {}
    remove_params: Callable[[Row, list[str]], dict[str, Any]] = lambda *_: {}


def _list(_: ResourceType, tags: Tags) -> dict[str, Any]:
    return {"Tags": as_list(tags)}


def _lower(tags: Tags) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _map(_: ResourceType, tags: Tags) -> dict[str, Any]:
    return {"tags": dict(tags)}


def _specifications(resource_type: ResourceType, tags: Tags) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": resource_type.tag_type, "Tags": as_list(tags)}]}


def _iam(noun: str) -> Style:
    member = f"{noun}Name"
    return Style(
        _list, f"iam:Tag{noun}", f"iam:Untag{noun}",
        lambda row, tags: {member: row.name, "Tags": as_list(tags)}, lambda row, keys: {member: row.name, "TagKeys": keys},
    )  # fmt: skip


def _zone(row: Row) -> dict[str, Any]:
    return {"ResourceType": "hostedzone", "ResourceId": row.id}


def _parameter(row: Row) -> dict[str, Any]:
    return {"ResourceType": "Parameter", "ResourceId": row.name}


def _bucket(row: Row, tags: Tags) -> dict[str, Any]:
    """All tags of a bucket are set at once."""
    own = {key: value for key, value in tags.items() if not key.startswith("aws:")}
    return {"Bucket": row.id, "Tagging": {"TagSet": as_list(own)}}


STYLES: Mapping[str, Style] = {
    "ec2": Style(
        _specifications, "ec2:CreateTags", "ec2:DeleteTags", lambda row, tags: {"Resources": [row.id], "Tags": as_list(tags)},
        lambda row, keys: {"Resources": [row.id], "Tags": [{"Key": key} for key in keys]},
    ),
    "lattice": Style(
        _map, "vpc-lattice:TagResource", "vpc-lattice:UntagResource", lambda row, tags: {"resourceArn": row.arn, "tags": dict(tags)},
        lambda row, keys: {"resourceArn": row.arn, "tagKeys": keys},
    ),
    "balancing": Style(
        _list, "elbv2:AddTags", "elbv2:RemoveTags", lambda row, tags: {"ResourceArns": [row.arn], "Tags": as_list(tags)},
        lambda row, keys: {"ResourceArns": [row.arn], "TagKeys": keys},
    ),
    "firewall": Style(
        _list, "network-firewall:TagResource", "network-firewall:UntagResource", lambda row, tags: {"ResourceArn": row.arn, "Tags": as_list(tags)},
        lambda row, keys: {"ResourceArn": row.arn, "TagKeys": keys},
    ),
    "lambda": Style(
        lambda _, tags: {"Tags": dict(tags)}, "lambda:TagResource", "lambda:UntagResource", lambda row, tags: {"Resource": row.arn, "Tags": dict(tags)},
        lambda row, keys: {"Resource": row.arn, "TagKeys": keys},
    ),
    "logs": Style(
        _map, "logs:TagResource", "logs:UntagResource", lambda row, tags: {"resourceArn": row.id, "tags": dict(tags)},
        lambda row, keys: {"resourceArn": row.id, "tagKeys": keys},
    ),
    "organizations": Style(
        _list, "organizations:TagResource", "organizations:UntagResource", lambda row, tags: {"ResourceId": row.id, "Tags": as_list(tags)},
        lambda row, keys: {"ResourceId": row.id, "TagKeys": keys},
    ),
    "route53": Style(
        lambda *_: {}, "route53:ChangeTagsForResource", "route53:ChangeTagsForResource",
        lambda row, tags: {**_zone(row), "AddTags": as_list(tags)}, lambda row, keys: {**_zone(row), "RemoveTagKeys": keys},
    ),
    "role": _iam("Role"),
    "user": _iam("User"),
    "profile": _iam("InstanceProfile"),
    "provider": Style(
        _list, "iam:TagOpenIDConnectProvider", "iam:UntagOpenIDConnectProvider",
        lambda row, tags: {"OpenIDConnectProviderArn": row.arn, "Tags": as_list(tags)},
        lambda row, keys: {"OpenIDConnectProviderArn": row.arn, "TagKeys": keys},
    ),
    "anywhere": Style(
        lambda _, tags: {"tags": _lower(tags)}, "rolesanywhere:TagResource", "rolesanywhere:UntagResource",
        lambda row, tags: {"resourceArn": row.arn, "tags": _lower(tags)}, lambda row, keys: {"resourceArn": row.arn, "tagKeys": keys},
    ),
    "ram": Style(
        lambda _, tags: {"tags": _lower(tags)}, "ram:TagResource", "ram:UntagResource",
        lambda row, tags: {"resourceArn": row.arn, "tags": _lower(tags)}, lambda row, keys: {"resourceArn": row.arn, "tagKeys": keys},
    ),
    "firehose": Style(
        _list, "firehose:TagDeliveryStream", "firehose:UntagDeliveryStream",
        lambda row, tags: {"DeliveryStreamName": row.name, "Tags": as_list(tags)}, lambda row, keys: {"DeliveryStreamName": row.name, "TagKeys": keys},
    ),
    "s3": Style(
        lambda _, tags: {"CreateBucketConfiguration": {"Tags": as_list(tags)}}, "s3:PutBucketTagging", "s3:PutBucketTagging",
        lambda row, tags: _bucket(row, {**row.tags, **tags}),
        lambda row, keys: _bucket(row, {key: value for key, value in row.tags.items() if key not in keys}),
    ),
    "acm": Style(
        _list, "acm:AddTagsToCertificate", "acm:RemoveTagsFromCertificate", lambda row, tags: {"CertificateArn": row.arn, "Tags": as_list(tags)},
        lambda row, keys: {"CertificateArn": row.arn, "Tags": [{"Key": key} for key in keys]},
    ),
    "rds": Style(
        _list, "rds:AddTagsToResource", "rds:RemoveTagsFromResource", lambda row, tags: {"ResourceName": row.arn, "Tags": as_list(tags)},
        lambda row, keys: {"ResourceName": row.arn, "TagKeys": keys},
    ),
    "ssm": Style(
        _list, "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource", lambda row, tags: {**_parameter(row), "Tags": as_list(tags)},
        lambda row, keys: {**_parameter(row), "TagKeys": keys},
    ),
    "policy": Style(_list),
}  # fmt: skip


def wanted(resource_type: ResourceType, properties: Mapping[str, Any], stack_tags: Tags) -> dict[str, str]:
    """The tags a resource shall have: the stack's, and its own over them. A type that takes none has none."""
    if not resource_type.tagging:
        return {}
    own = properties.get(resource_type.tag_property) or []
    listed = own.items() if isinstance(own, Mapping) else ((str(tag.get("Key", "")), tag.get("Value", "")) for tag in own)
    return {**stack_tags, **{key: _text(value) for key, value in listed}}


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def change(work: Work, resource_type: ResourceType, row: Row, old: Tags, new: Tags) -> None:
    """Bring a resource's own tags from old to new."""
    style = STYLES[resource_type.tagging]
    added = {key: value for key, value in new.items() if old.get(key) != value}
    removed = [key for key in old if key not in new]
    if (added or removed) and not style.add:
        raise Unsupported(f"Changing the tags of {resource_type.type} is not supported yet")
    if removed:
        work.call(style.remove, style.remove_params(row, removed))
    if added:
        work.call(style.add, style.add_params(work.ctx.tx.get(row.kind, row.id) or row, added))
