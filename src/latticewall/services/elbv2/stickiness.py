"""Sticky sessions: what target groups and rules may say of them ("Sticky sessions for your Application Load Balancer")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import text
from latticewall.services.elbv2.nouns import RULE

LONGEST = 604_800
"""Seconds in a week."""
COOKIE_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}"
OUR_OWN = ("AWSALB", "AWSALBAPP", "AWSALBTG")


def of_groups(given: Document) -> Document:
    """The TargetGroupStickinessConfig of a forward action, checked."""
    enabled, seconds = bool(given.get("Enabled")), given.get("DurationSeconds")
    if enabled and seconds is None:
        raise text.invalid("ForwardConfig.TargetGroupStickinessConfig", "Target group stickiness needs a duration in seconds when it is enabled")
    if seconds is not None and not 1 <= seconds <= LONGEST:
        raise text.invalid("ForwardConfig.TargetGroupStickinessConfig", f"Target group stickiness duration must be between 1 and {LONGEST} seconds")
    return {"Enabled": enabled, **({"DurationSeconds": seconds} if seconds is not None else {})}


def check_rule(groups: Iterable[Row], config: Document) -> None:
    """Clients of a rule of several target groups can stick to targets only if they stick to a group."""
    found = tuple(groups)
    if len(found) > 1 and not config["Enabled"] and any(_is_sticky(group.document["_attributes"]) for group in found):
        message = "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups"
        raise text.configuration(message)


def check_group(ctx: Context, group: Row, attributes: Mapping[str, str]) -> None:
    """attributes: those that the target group shall have."""
    name = attributes["stickiness.app_cookie.cookie_name"]
    if name.upper().startswith(OUR_OWN):
        raise text.configuration(f"The cookie name '{name}' is reserved: it must not begin with {', '.join(OUR_OWN)}")
    if not _is_sticky(attributes):
        return
    if attributes["stickiness.type"] == "app_cookie" and not name:
        raise text.configuration("Application-based stickiness needs the name of a cookie: stickiness.app_cookie.cookie_name")
    for rule in ctx.referring(group, RULE):
        config = rule.document["Actions"][-1]["ForwardConfig"]
        if len(config["TargetGroups"]) > 1 and not config["TargetGroupStickinessConfig"]["Enabled"]:
            message = f"This target group appears behind a rule with group stickiness disabled ({rule.arn}). You must enable group stickiness before"
            raise text.configuration(f"{message} enabling target stickiness")


def _is_sticky(attributes: Mapping[str, str]) -> bool:
    return attributes["stickiness.enabled"] == "true"
