"""A request that was made, out of its access-log line: what was asked, from where, and what was decided then."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latticewall.analyze.question import Asked
from latticewall.auth.canonical import Head
from latticewall.auth.signature import is_signed
from latticewall.plan.access_log import NO_RULE
from latticewall.policy.lattice import Layer

REFUSED = "lua_response"
UNDECIDED = "fault_filter_abort"
"""How Envoy's response code details begin for a request that the authorization filter refused, and for one that it did not decide about."""
NOT_FOUND = (REFUSED, "route_not_found")
"""The details of an answer to a host that is no service's."""
_HOST = re.compile(r"([^:]*|\[[^]]*\]):?([0-9]{0,5})")
_PSEUDO = (":method", ":path", ":scheme")


@dataclass(frozen=True)
class Denial:
    """What the filter noted. layer: Network, Service, Identity. part: the kind of policy. statement: its number within the layer, -1 for an implicit deny."""

    layer: str
    part: str
    explicit: bool
    statement: int

    def words(self, *, counted: bool = True) -> str:
        """counted: with the statement's number."""
        which = f"statement {self.statement}" if counted else "a statement"
        return f"{which} of the {self.part} denied it" if self.explicit else f"no statement of the {self.part} allowed it"


@dataclass(frozen=True)
class Recorded:
    """A record. endpoint_id: the VPC endpoint that the request came in by. head: as it was signed, None unless the signature was refused. refused: why a
    signature (or the request as a whole) was. enforced: the filter answered itself. undecided: refused without a decision. unread:
    refused for what it is, before any service was looked for. rule_id, service_arn, network_arn,
    listener_id: "" where the request did not get that far."""

    request_id: str
    started: str
    asked: Asked
    vpc_id: str
    address: str
    service_arn: str
    network_arn: str
    listener_id: str
    rule_id: str
    status: int
    caller: str
    access_key_id: str
    failure: str
    target: str
    authorized: bool
    endpoint_id: str = ""
    target_group_arn: str = ""
    target_vpc_id: str = ""
    denial: Denial | None = None
    refused: str = ""
    head: Head | None = None
    enforced: bool = True
    undecided: bool = False
    unread: bool = False

    @property
    def malformed(self) -> bool:
        """The request's shape was refused (400) before anybody judged it, in audit mode too."""
        return self.enforced and self.status == 400 and not (self.denial or self.refused)

    @property
    def outdated(self) -> bool:
        """Of HTTP/1.0, which no rule was asked about."""
        return self.rule_id == NO_RULE

    @property
    def audited(self) -> bool:
        """It would have been denied; audit mode let it pass."""
        return bool(self.denial or self.refused) and not self.enforced


def read_record(entry: Mapping[str, Any], record: Mapping[str, Any]) -> Recorded:
    """entry: Envoy's line. record: VPC Lattice's record made of it, {} for a request that concerned no service."""
    noted = _noted(str(entry.get("authDetail") or ""))
    head = _head(noted.get("head"))
    named = str(entry.get("hostHeader") or "")
    host, port = found.groups() if (found := _HOST.fullmatch(named)) else (named, "")
    details = str(entry.get("responseCodeDetails") or "")
    headers = [("user-agent", str(entry["userAgent"]))] if entry.get("userAgent") else []
    asked = Asked(
        method=str(entry.get("requestMethod") or "GET"), host=host.lower(), port=int(port) if port else 443 if entry.get("tlsVersion") else 80,
        target=head.target if head else str(entry.get("requestPath") or "/"), headers=_plain(head) if head else tuple(headers),
        scheme="https" if entry.get("tlsVersion") else "http",
    )  # fmt: skip
    return Recorded(
        request_id=str(entry.get("requestId") or ""), started=str(entry.get("startTime") or ""), asked=asked, vpc_id=str(entry.get("sourceVpcId") or ""),
        address=str(entry.get("sourceIpPort") or "").rpartition(":")[0].strip("[]"), service_arn=text(entry, "serviceArn"),
        network_arn=text(entry, "serviceNetworkArn"), listener_id=text(entry, "listenerId"), rule_id=text(entry, "ruleId").partition(" ")[0],
        status=int(entry.get("responseCode") or 0), caller=text(record, "callerPrincipal"), access_key_id=text(entry, "accessKeyId"),
        failure=text(record, "failureReason"), target=text(record, "targetIpPort"), authorized=entry.get("authorized") == "yes",
        endpoint_id=text(entry, "vpcEndpointId"), target_vpc_id=text(entry, "targetNamespace"),
        target_group_arn=text(entry, "targetGroupArn"),
        denial=_denial(noted), refused=str(noted.get("refused") or ""), head=head, enforced=details.startswith(REFUSED),
        unread=not text(entry, "serviceArn") and details not in NOT_FOUND,
        undecided=details.startswith(UNDECIDED) or (details.startswith(REFUSED) and not noted),
    )  # fmt: skip


def text(document: Mapping[str, Any], name: str) -> str:
    """A member, "" where there is none."""
    found = document.get(name)
    return "" if found in (None, "-") else str(found)


def _noted(written: str) -> dict[str, Any]:
    """The filter's own note; one that was cut off is kept as the reason."""
    try:
        found = json.loads(written) if written else {}
    except ValueError:
        return {"refused": written[:200]}
    return found if isinstance(found, dict) else {}


def noted_denial(entry: Mapping[str, Any]) -> Denial | None:
    """Who denied, of any line; None when nobody did."""
    return _denial(_noted(str(entry.get("authDetail") or "")))


def _denial(noted: Mapping[str, Any]) -> Denial | None:
    if noted.get("layer") not in tuple(Layer):
        return None
    statement = noted.get("statement")
    return Denial(noted["layer"], str(noted.get("policy", "")), bool(noted.get("explicit")), statement if isinstance(statement, int) else -1)


def _head(noted: Any) -> Head | None:
    if not isinstance(noted, dict) or not isinstance(noted.get("headers"), list):
        return None
    headers = tuple((str(pair[0]), str(pair[1])) for pair in noted["headers"] if len(pair) == 2 and pair[0] not in _PSEUDO)
    head = Head(str(noted.get("method", "")), str(noted.get("target", "")), headers)
    return head if head.is_bytes and is_signed(head) else None


def _plain(head: Head) -> tuple[tuple[str, str], ...]:
    """Headers as policies see them."""
    return tuple((name, value) for name, value in head.headers if not name.startswith(":") and name != "authorization")
