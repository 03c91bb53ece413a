"""Which types of resources an action is about: AWS's published facts ("Actions, resources, and condition keys for AWS services").

`resource_types.json` holds them for every operation of the services in scope, whether it is supported or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

from latticewall.apimodel.catalog import Operation
from latticewall.base.rows import Row
from latticewall.resources.kind import Kind

ANYTHING = frozenset({"*"})
ALIASES = {
    "ec2:ManagedPrefixList": "prefixlist",
    "elbv2:Rule": "listenerrule",
    "iam:OpenIDConnectProvider": "oidcprovider",
    "lambda:Alias": "functionalias",
    "lambda:Version": "functionversion",
    "network-firewall:RuleGroup": "{type}rulegroup",
    "ram:Permission": "customermanagedpermission",
    "rds:DBInstance": "db",
    "rds:DBSubnetGroup": "subgrp",
}
"""Types of kinds that AWS calls otherwise; {type} is the member Type."""
ARN_WORDS = {"ou": "organizationalunit"}
"""Types by the word in their ARNs, where it is not the type's own name."""


@cache
def _facts() -> Mapping[str, Mapping[str, str]]:
    text = resources.files(__package__).joinpath("resource_types.json").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, str]] = json.loads(text)
    return found


@cache
def types_of(operation: Operation) -> frozenset[str] | None:
    """The resource types of the operation's action; empty for an action that is only ever about "*"; None where AWS lists no such action."""
    listed = _facts().get(operation.service.name, {}).get(operation.name)
    return None if listed is None else frozenset(listed.split())


def admits(types: frozenset[str] | None, type_: str) -> bool:
    return types is None or types == ANYTHING or type_ in types


def type_of_kind(kind: Kind, members: Mapping[str, object]) -> str:
    """A kind's type. members: of the resource, or of the request that makes it."""
    return ALIASES.get(kind.name, kind.noun.lower()).format(type=str(members.get("Type") or "").lower())


def type_of_row(kind: Kind, row: Row) -> str:
    return type_of_kind(kind, row.document)


def type_of_arn(arn: str) -> str:
    """The type that an ARN shows: its first word; VPC Lattice's listeners and rules follow their services ("service/svc-1/listener/listener-1"),
    log streams their groups, S3's objects their buckets, and a permission of RAM is a customer's own when it has an account."""
    segments = arn.split(":", 5)
    if segments[2:3] == ["s3"]:
        return "object" if "/" in segments[-1] else "bucket"
    if segments[2:3] == ["servicequotas"]:
        return "quota"
    if segments[2:3] == ["logs"] and ":log-stream:" in segments[-1]:
        return "logstream"
    words = segments[-1].replace(":", "/").split("/")
    if segments[2:3] == ["ram"] and words[0] == "permission" and segments[4] != "aws":
        return "customermanagedpermission"
    word = words[-2] if segments[2:3] == ["vpc-lattice"] and len(words) % 2 == 0 else words[0]
    return ARN_WORDS.get(word, word.replace("-", "").lower())
