"""What a listener does with a request: match and action ("Listener rules for your VPC Lattice service")."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import quotas, text
from latticewall.services.vpc_lattice.find import usable
from latticewall.services.vpc_lattice.nouns import LISTENER, RULE, TARGET_GROUP

TLS_PASSTHROUGH = "TLS_PASSTHROUGH"
FIXED_STATUSES = (404, 500)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]+")
"""What the API's model leaves open and HTTP does not (RFC 9110, 5.6.2 and 5.5)."""
_NOT_A_PATH = frozenset("?#")
"""The API's pattern admits them: what AWS makes of them is written nowhere."""
DEFAULT_WEIGHT = 100


class Action(NamedTuple):
    """An action as it is stored and echoed, and the ids of the target groups it forwards to."""

    document: Document
    target_groups: tuple[str, ...] = ()


def services_of(ctx: Context, group: Row) -> list[str]:
    """The ids of the services whose rules forward to the target group (at most one)."""
    return sorted({rule.document["_serviceId"] for rule in ctx.referring(group, RULE)})


def read(ctx: Context, service_id: str, protocol: str, action: Document, member: str, besides: Collection[str] = ()) -> Action:
    """Check an action for a listener of a service. protocol: the listener's; TLS listeners forward to TCP target groups, and nobody else does.
    member: what the request calls the action. besides: ids of target groups that the same request makes the service use.
    Identifiers stay in the form given (id or ARN)."""
    if fixed := action.get("fixedResponse"):
        if protocol == TLS_PASSTHROUGH:
            raise text.invalid(f"{member}.fixedResponse", f"{TLS_PASSTHROUGH} listeners can only forward")
        if fixed["statusCode"] not in FIXED_STATUSES:
            raise text.invalid(f"{member}.fixedResponse.statusCode", f"Fixed response status code {fixed['statusCode']} is not one of 404, 500")
        return Action({"fixedResponse": {"statusCode": fixed["statusCode"]}})
    groups, forwards = [], []
    for item in action["forward"]["targetGroups"]:
        group = _target_group(ctx, service_id, item["targetGroupIdentifier"])
        if group.id in groups:
            raise text.invalid(f"{member}.forward.targetGroups", f"Target group {group.id} is named more than once")
        config = group.document.get("config") or {}
        group_protocol = config.get("protocol", "HTTP")  # a function's group has none: it takes requests
        if (group_protocol == "TCP") != (protocol == TLS_PASSTHROUGH):
            message = f"Target group {group.id} has protocol {group_protocol}, which listeners of protocol {protocol} cannot forward to"
            raise text.invalid(f"{member}.forward.targetGroups", message)
        version = config.get("protocolVersion", "HTTP1")
        if protocol == "HTTP" and version != "HTTP1":
            message = f"Target group {group.id} has protocol version {version}, which only an HTTPS listener can forward to"
            raise text.invalid(f"{member}.forward.targetGroups", message)
        groups.append(group.id)
        weight = item.get("weight")
        forwards.append({"targetGroupIdentifier": item["targetGroupIdentifier"], "weight": DEFAULT_WEIGHT if weight is None else weight})
    _check_quota(ctx, service_id, {*groups, *besides})
    return Action({"forward": {"targetGroups": forwards}}, tuple(groups))


def _target_group(ctx: Context, service_id: str, identifier: str) -> Row:
    """A target group that this service may use: nobody else's account, used by no other service."""
    group = usable(ctx, TARGET_GROUP, identifier)
    if group.account != ctx.caller.account:
        raise text.not_found(TARGET_GROUP, identifier)
    if others := [other for other in services_of(ctx, group) if other != service_id]:
        raise text.conflict(TARGET_GROUP, group.id, f"Target group {group.id} is in use by another service: {others[0]}")
    return group


def _check_quota(ctx: Context, service_id: str, groups: set[str]) -> None:
    rules = [rule for listener in ctx.rows(LISTENER, parent=service_id) for rule in ctx.live(RULE, parent=listener.id)]
    used = {group.id for rule in rules for group in ctx.referred(rule, "targetGroups")}
    quotas.check(ctx, "vpc-lattice:ServiceTargetGroup", len(used.union(groups)), service_id)


def check_match(match: Document) -> Document:
    """A rule's match, with at least one condition that HTTP can meet; echoed as it was given."""
    http: dict[str, Any] = match.get("httpMatch") or {}
    if not any(http.get(condition) for condition in ("method", "pathMatch", "headerMatches")):
        raise text.invalid("match.httpMatch", "A rule needs at least one condition: method, pathMatch or headerMatches")
    if http.get("method") and not _TOKEN.fullmatch(http["method"]):
        raise text.invalid("match.httpMatch.method", f"{http['method']} is not an HTTP method")
    for path in (http.get("pathMatch") or {}).get("match", {}).values():
        if not _NOT_A_PATH.isdisjoint(path):
            message = f"{path} holds a ? or #, which no path of a request holds: the query string takes no part in the match, so this rule would match nothing"
            raise text.invalid("match.httpMatch.pathMatch.match", message)
    for header in http.get("headerMatches") or ():
        if not _TOKEN.fullmatch(header["name"]):
            raise text.invalid("match.httpMatch.headerMatches.name", f"{header['name']} is not an HTTP header name")
        if any(not _VALUE.fullmatch(value) for value in header["match"].values()):
            raise text.invalid("match.httpMatch.headerMatches.match", f"The value for header {header['name']} cannot be part of an HTTP header")
    return match
