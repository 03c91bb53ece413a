"""What a rule does with a request: forward, redirect or answer ("Rule action types", "Listener rules for your Application Load Balancer")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import find, stickiness, text
from latticewall.services.elbv2.account import LIMITS
from latticewall.services.elbv2.nouns import TARGET_GROUP
from latticewall.services.elbv2.view import balancer_of

LAST = ("forward", "redirect", "fixed-response")
"""The actions that end a rule; each rule has exactly one of them."""
CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
REDIRECT = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
"""The parts of a redirection and what they are when nothing is said: as in the request."""
MOST_WEIGHT = 999
_PLACEHOLDER = re.compile(r"#\{(?:protocol|host|port|path|query)\}")
_URL_TEXT = re.compile(r"[\x21-\x7e]*")
_HEADER_TEXT = re.compile(r"[\t\n\r\x20-\x7e\x80-\U0010ffff]*")


class Actions(NamedTuple):
    """The actions as they are stored and shown, and the target groups they forward to."""

    documents: list[Document]
    groups: tuple[Row, ...] = ()


def read(ctx: Context, balancer: Row, given: Sequence[Document]) -> Actions:
    """Check the actions of a rule of the load balancer."""
    if len(given) != 1:
        raise text.refused("InvalidLoadBalancerAction" if given else "ValidationError", f"A rule must have exactly one action: {', '.join(LAST)}")
    (action,) = given
    kind = action["Type"]
    if kind not in LAST:
        raise text.unsupported("Actions", f"Actions of type {kind} are not supported; {', '.join(LAST)} are")
    order = {"Order": action["Order"]} if action.get("Order") else {}
    if kind == "fixed-response":
        return Actions([{"Type": kind, **order, "FixedResponseConfig": _fixed_response(action.get("FixedResponseConfig") or {})}])
    if kind == "redirect":
        return Actions([{"Type": kind, **order, "RedirectConfig": _redirect(action.get("RedirectConfig") or {})}])
    listed, sticky = _forward(action)
    groups = tuple(_group(ctx, balancer, item["TargetGroupArn"]) for item in listed)
    stickiness.check_rule(groups, sticky)
    document: Document = {"Type": kind, **order, "ForwardConfig": {"TargetGroups": listed, "TargetGroupStickinessConfig": sticky}}
    if len(listed) == 1:
        document["TargetGroupArn"] = listed[0]["TargetGroupArn"]
    return Actions([document], groups)


def _fixed_response(given: Document) -> Document:
    status, body, content = str(given.get("StatusCode") or ""), given.get("MessageBody"), given.get("ContentType")
    if not re.fullmatch(r"[245]\d\d", status):
        raise text.invalid("FixedResponseConfig.StatusCode", f"Fixed response status code '{status}' must be 2XX, 4XX or 5XX")
    if content not in (None, "", *CONTENT_TYPES):
        raise text.invalid("FixedResponseConfig.ContentType", f"Content type '{content}' must be one of {', '.join(CONTENT_TYPES)}")
    if body and not _HEADER_TEXT.fullmatch(body):
        raise text.invalid("FixedResponseConfig.MessageBody", "The message body holds characters that are no text")
    return {"StatusCode": status, **({"MessageBody": body} if body else {}), **({"ContentType": content} if content else {})}


def _redirect(given: Document) -> Document:
    found = {part: given[part] if given.get(part) is not None else default for part, default in REDIRECT.items()}
    if given.get("StatusCode") not in ("HTTP_301", "HTTP_302"):
        raise text.invalid("RedirectConfig.StatusCode", "Redirect status code must be HTTP_301 or HTTP_302")
    if found["Protocol"] not in ("HTTP", "HTTPS", "#{protocol}"):
        raise text.invalid("RedirectConfig.Protocol", f"Redirect protocol '{found['Protocol']}' must be HTTP, HTTPS or #{{protocol}}")
    port = found["Port"]
    if port != "#{port}" and not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise text.invalid("RedirectConfig.Port", f"Redirect port '{port}' must be within 1-65535 or #{{port}}")
    if not found["Path"].startswith("/"):
        raise text.invalid("RedirectConfig.Path", f"Redirect path '{found['Path']}' must begin with /")
    if found["Query"].startswith("?"):
        raise text.invalid("RedirectConfig.Query", "Redirect query must not begin with ?")
    for part in ("Host", "Path", "Query"):
        plain = _PLACEHOLDER.sub("", found[part])
        if not _URL_TEXT.fullmatch(plain) or "#" in plain or (part == "Host" and not re.fullmatch(r"[A-Za-z0-9._-]*", plain)):
            raise text.invalid(f"RedirectConfig.{part}", f"Redirect {part.lower()} '{found[part]}' holds characters that it cannot have")
    if all(found[part] == REDIRECT[part] for part in ("Protocol", "Port", "Host", "Path")):
        raise text.refused("InvalidLoadBalancerAction", "A redirection must change the protocol, the port, the host or the path, or it leads to itself")
    return {**found, "StatusCode": given["StatusCode"]}


def _forward(action: Document) -> tuple[list[Document], Document]:
    """The weighted target groups and the stickiness of a forward action."""
    config = action.get("ForwardConfig") or {}
    single, several = action.get("TargetGroupArn"), config.get("TargetGroups") or []
    if single and several and [item["TargetGroupArn"] for item in several] != [single]:
        raise text.refused("InvalidLoadBalancerAction", "TargetGroupArn and ForwardConfig name different target groups")
    listed = several or ([{"TargetGroupArn": single}] if single else [])
    if not listed:
        raise text.invalid("Actions", "A forward action must name a target group")
    if len(listed) > LIMITS["target-groups-per-action-on-application-load-balancer"]:
        raise text.too_many("TooManyTargetGroups", f"A forward action can have at most {len(listed) - 1} target groups")
    if len({item["TargetGroupArn"] for item in listed}) < len(listed):
        raise text.refused("InvalidLoadBalancerAction", "A target group is named more than once")
    weights = [1 if item.get("Weight") is None else item["Weight"] for item in listed]
    if any(not 0 <= weight <= MOST_WEIGHT for weight in weights):
        raise text.invalid("ForwardConfig.TargetGroups.Weight", f"Weights must be within 0-{MOST_WEIGHT}")
    sticky = stickiness.of_groups(config.get("TargetGroupStickinessConfig") or {})
    return [{"TargetGroupArn": item["TargetGroupArn"], "Weight": weight} for item, weight in zip(listed, weights, strict=True)], sticky


def _group(ctx: Context, balancer: Row, arn: str) -> Row:
    """A target group that this load balancer may use: of its VPC, used by no other load balancer."""
    group = find.by_arn(ctx, TARGET_GROUP, arn)
    if group.document["VpcId"] != balancer.document["VpcId"]:
        raise text.configuration(f"The target group '{arn}' and the load balancer '{balancer.arn}' are in different VPCs")
    if group.document["IpAddressType"] == "ipv6" and balancer.document["IpAddressType"] != "dualstack":
        raise text.configuration(f"The target group '{arn}' is of IPv6: the load balancer '{balancer.arn}' must be of type dualstack")
    other = balancer_of(ctx, group)
    if other is not None and other.id != balancer.id:
        message = f"The following target groups cannot be associated with more than one load balancer: {arn}"
        raise text.refused("TargetGroupAssociationLimit", message)
    return group
