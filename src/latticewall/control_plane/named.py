"""Which resources a call is about, as policies name them ("Actions, resources, and condition keys for AWS services").

Every parameter that can identify a resource of the service called counts, and all of them must be allowed: a caller cannot choose which ARN is
looked at. Where AWS asks about fewer resources than the call names, this is the stricter of the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Kind

WITHOUT_RESOURCE = ("ec2:Describe",)
"""Beginnings of operations that AWS knows no resource-level permissions for: always asked for "*"."""
CREATED = {"ec2:RunInstances": "ec2:Instance", "ssm:PutParameter": "ssm:Parameter"}
"""What is created, where the operation's name does not say it."""
FUTURE = {
    "cloudformation:Stack": "arn:aws:cloudformation:{region}:{account}:stack/{name}/*",
    "vpc-lattice:Rule": "{owner}/rule/*",
}
"""ARNs of what does not exist yet, where the kind's own template cannot say it."""
NAME_MEMBERS = {
    "cloudformation:Stack": ("stackname",),
    "logs:LogGroup": ("loggroupname", "loggroupidentifier", "loggroupidentifiers"),
    "ssm:Parameter": ("name", "names", "path"),
}
"""Members that hold names of a kind, in lower case, where they are not the kind's own name member alone."""
STORED_NAME: Mapping[str, Callable[[str], str]] = {"ssm:Parameter": lambda name: "/" + re.sub(r":\d+\Z", "", name).lstrip("/")}
"""How names are stored, where they may be given in several forms."""


@dataclass(frozen=True)
class Named:
    """A resource as policies see it. account: its owner, "" when it does not exist."""

    arn: str
    account: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def named(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> tuple[Named, ...]:
    """The resources a call names, each once; "*" for a call that names none."""
    if operation.qualified_name.startswith(WITHOUT_RESOURCE):
        return (Named("*"),)
    rows: dict[str, Row] = {}
    absent: list[str] = []
    for member, value in _texts(params):
        found, missing = _meant(ctx, operation, member, value, params)
        rows |= {row.arn: row for row in found if row.arn}
        absent += missing
    created = _created(ctx, operation, params, rows.values())
    parents = {row.parent for row in rows.values()} | ({created[1].id} if created and created[1] else set())
    subjects = [Named(_as_policies_write(operation, row), row.account, row.tags) for row in rows.values() if row.id not in parents]
    futures = [*absent, *([created[0]] if created else [])]
    found_all = [*subjects, *(Named(arn) for arn in dict.fromkeys(futures) if arn != "*")]
    return tuple(found_all) or (Named("*"),)


def _texts(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(member, text) of the parameters that are a text or a list of texts."""
    for member, value in params.items():
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, str) and item:
                yield member, item


def _meant(ctx: Context, operation: Operation, member: str, value: str, params: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    """What a text may name in the service called, by ARN, by id, or by name where the member holds names: (resources, ARNs of none that exist)."""
    service = operation.service.name
    if value.startswith("arn:"):
        row = ctx.tx.by_arn(value.removesuffix(":*"))
        if row is not None and row.kind.startswith(service + ":"):
            return [row], []
        return [], [value] if value.split(":")[2:3] == [operation.service.signing_name] else []
    rows, missing = [], []
    identifier = value.rsplit("/", 1)[-1] if service == "route53" else value
    for kind in ctx.registry.services[service].kinds:
        account = "" if service == "organizations" else ctx.caller.account
        if row := ctx.tx.get(kind.name, identifier, account, ctx.region_of(kind)):
            rows.append(row)
        if _holds_names(kind, member):
            name = STORED_NAME.get(kind.name, str)(value)
            of_name = ctx.live(kind.name, name=name)
            rows += of_name
            missing += [] if of_name else [_future_arn(ctx, kind, params, name=name)]
    return rows, missing


def _holds_names(kind: Kind, member: str) -> bool:
    own = (kind.name_member.lower(),) if kind.by_name else ()
    return member.lower() in NAME_MEMBERS.get(kind.name, own)


def _created(ctx: Context, operation: Operation, params: Mapping[str, Any], rows: Iterable[Row]) -> tuple[str, Row | None] | None:
    """What a creation is about: (ARN with "*" for the id, the resource that will own it)."""
    kind = ctx.registry.kinds.get(CREATED.get(operation.qualified_name) or f"{operation.service.name}:{operation.name.removeprefix('Create')}")
    if kind is None:
        return None
    owner = next((row for row in rows if kind.name in ctx.registry.kind(row.kind).owns), None)
    name = str(params.get(kind.name_member) or "*") if kind.name_member else "*"
    return _future_arn(ctx, kind, params, name=STORED_NAME.get(kind.name, str)(name), owner=owner), owner if kind.arn else None


def _future_arn(ctx: Context, kind: Kind, params: Mapping[str, Any], *, name: str, owner: Row | None = None) -> str:
    region, account = ctx.region_of(kind), ctx.caller.account
    if kind.name in FUTURE:
        return FUTURE[kind.name].format(region=region, account=account, name=name, owner=owner.arn if owner else "*")
    arn = kind.arn_of(region, account, dict(params), id="*", name=name, parent=owner.id if owner else "*") or "*"
    return f"{arn}:*" if kind.name == "logs:LogGroup" else arn


def _as_policies_write(operation: Operation, row: Row) -> str:
    """Log groups end in ":*" for all but tagging ("Identity and access management for Amazon CloudWatch Logs")."""
    return f"{row.arn}:*" if row.kind == "logs:LogGroup" and "Tag" not in operation.name else row.arn
