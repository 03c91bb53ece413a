"""Attributes of load balancers, listeners and target groups ("Edit attributes for your Application Load Balancer" and its kin).

An attribute that does something here can be set; of the others only the value that says so is accepted, the rest is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.elbv2 import access_logs, find, stickiness, text
from latticewall.services.elbv2.nouns import LISTENER, LOAD_BALANCER, TARGET_GROUP
from latticewall.services.elbv2.stickiness import COOKIE_NAME


@dataclass(frozen=True)
class Attribute:
    """default: as text. words: accepted values, none = only the default; span: lowest and highest of a number."""

    default: str
    words: tuple[str, ...] = ()
    span: tuple[int, int] = (0, 0)
    zero: bool = False
    """0 is accepted below the span too: off."""
    pattern: str = ""
    """What other values than the default look like."""

    @property
    def wanted(self) -> str:
        """What it must be, in words."""
        if self.pattern:
            return f"text of the form {self.pattern}"
        return f"between {self.span[0]} and {self.span[1]}" if self.span != (0, 0) else f"one of {', '.join((self.default, *self.words)) or 'nothing'}"

    def accepts(self, value: str) -> bool:
        if self.pattern:
            return value == self.default or bool(re.fullmatch(self.pattern, value))
        if self.span == (0, 0):
            return value == self.default or value in self.words
        number = int(value) if re.fullmatch(r"\d{1,9}", value) else -1
        return self.span[0] <= number <= self.span[1] or (self.zero and number == 0)


_SWITCH = Attribute("false", ("true",))
_OFF = Attribute("false")
LOAD_BALANCER_ATTRIBUTES: Mapping[str, Attribute] = {
    "access_logs.s3.enabled": _SWITCH,
    "access_logs.s3.bucket": Attribute("", pattern=r"[a-z0-9.-]{3,63}"),
    "access_logs.s3.prefix": Attribute("", pattern=r"[A-Za-z0-9!_.*'()/=-]{1,255}"),
    "client_keep_alive.seconds": Attribute("3600", span=(60, 604800)),
    "connection_logs.s3.enabled": _OFF,
    "connection_logs.s3.bucket": Attribute(""),
    "connection_logs.s3.prefix": Attribute(""),
    "deletion_protection.enabled": _SWITCH,
    "ipv6.deny_all_igw_traffic": Attribute("true"),
    "idle_timeout.timeout_seconds": Attribute("60", span=(1, 4000)),
    "load_balancing.cross_zone.enabled": Attribute("true"),
    "routing.http.desync_mitigation_mode": Attribute("defensive"),
    "routing.http.drop_invalid_header_fields.enabled": _SWITCH,
    "routing.http.preserve_host_header.enabled": _SWITCH,
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": _OFF,
    "routing.http.xff_client_port.enabled": _OFF,
    "routing.http.xff_header_processing.mode": Attribute("append", ("preserve", "remove")),
    "routing.http2.enabled": Attribute("true", ("false",)),
    "waf.fail_open.enabled": _OFF,
    "zonal_shift.config.enabled": _OFF,
}
"""The Host header is handed on as it came in either case, which is what clients of a port other than 80 see at AWS too."""
TARGET_GROUP_ATTRIBUTES: Mapping[str, Attribute] = {
    "deregistration_delay.timeout_seconds": Attribute("300", span=(0, 3600)),
    "load_balancing.algorithm.anomaly_mitigation": Attribute("off"),
    "load_balancing.algorithm.type": Attribute("round_robin", ("least_outstanding_requests", "weighted_random")),
    "load_balancing.cross_zone.enabled": Attribute("use_load_balancer_configuration", ("true",)),
    "slow_start.duration_seconds": Attribute("0", span=(30, 900), zero=True),
    "stickiness.enabled": _SWITCH,
    "stickiness.type": Attribute("lb_cookie", ("app_cookie",)),
    "stickiness.lb_cookie.duration_seconds": Attribute("86400", span=(1, 604800)),
    "stickiness.app_cookie.cookie_name": Attribute("", pattern=COOKIE_NAME),
    "stickiness.app_cookie.duration_seconds": Attribute("86400", span=(1, 604800)),
    "target_group_health.dns_failover.minimum_healthy_targets.count": Attribute("1"),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": Attribute("off"),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": Attribute("1"),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": Attribute("off"),
}
LISTENER_ATTRIBUTES: Mapping[str, Attribute] = {"routing.http.response.server.enabled": Attribute("true", ("false",))}
LOAD_BALANCER_DEFAULTS = {key: attribute.default for key, attribute in LOAD_BALANCER_ATTRIBUTES.items()}
TARGET_GROUP_DEFAULTS = {key: attribute.default for key, attribute in TARGET_GROUP_ATTRIBUTES.items()}
LISTENER_DEFAULTS = {key: attribute.default for key, attribute in LISTENER_ATTRIBUTES.items()}
KNOWN = {LOAD_BALANCER: LOAD_BALANCER_ATTRIBUTES, TARGET_GROUP: TARGET_GROUP_ATTRIBUTES, LISTENER: LISTENER_ATTRIBUTES}


def shown(row: Row) -> list[Document]:
    return [{"Key": key, "Value": value} for key, value in sorted(row.document["_attributes"].items())]


def read(kind: str, given: list[Document]) -> dict[str, str]:
    """Attributes of a request, checked."""
    found: dict[str, str] = {}
    for item in given:
        key, value = str(item.get("Key") or ""), str(item.get("Value") or "")
        attribute = KNOWN[kind].get(key)
        if attribute is None:
            raise text.invalid("Attributes", f"The attribute '{key}' is not recognized")
        if key in found:
            raise text.invalid("Attributes", f"The attribute '{key}' is named more than once")
        if not attribute.accepts(value):
            raise text.configuration(f"The value '{value}' of the attribute '{key}' is not supported: it must be {attribute.wanted}")
        found[key] = value
    return found


def _describe(kind: str, member: str) -> Handler:
    def handler(ctx: Context, params: Document) -> Document:
        return {"Attributes": shown(find.by_arn(ctx, kind, params[member]))}

    return handler


def _modify(kind: str, member: str) -> Handler:
    def handler(ctx: Context, params: Document) -> Document:
        row = find.by_arn(ctx, kind, params[member])
        found = {**row.document["_attributes"], **read(kind, params["Attributes"])}
        if kind == TARGET_GROUP:
            stickiness.check_group(ctx, row, found)
        elif kind == LOAD_BALANCER:
            access_logs.check(ctx, row, found)
        changed = ctx.change(row, {"_attributes": found}, settle=True)
        return {"Attributes": shown(changed)}

    return handler


OPERATIONS = {
    f"{verb}{kind.partition(':')[2]}Attributes": make(kind, f"{kind.partition(':')[2]}Arn")
    for kind in KNOWN
    for verb, make in (("Describe", _describe), ("Modify", _modify))
}
