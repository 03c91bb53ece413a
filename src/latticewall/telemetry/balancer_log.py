"""Envoy's access-log lines -> the access-log entries of load balancers, and the files that they are put in. Pure.

Page followed: "Access logs for your Application Load Balancer". Fields without a value are `-`. In what clients send, all but printable ASCII, the quotation
mark and the backslash are written as \\xHH, so that an entry is one line and a quoted field ends where it seems to.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from latticewall.telemetry.access_log import whole
from latticewall.telemetry.batches import File, moment

KIND = "load-balancer"
NONE = "-"
LONGEST_AGENT = 8192
"""Bytes of a user agent that are kept."""
VIA_TARGET = "via_upstream"
"""Envoy's response code details of an answer that is the target's."""
_VERSIONS = {"HTTP/2": "HTTP/2.0"}
_UNSAFE = re.compile(rb'[^\x20-\x7e]|["\\]')


def read(line: str) -> dict[str, Any]:
    """One line of Envoy's log about a request to a load balancer. Raises ValueError for any other."""
    found = whole(line)
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise ValueError("not a line about a load balancer")
    return found


def entry(of: Mapping[str, Any]) -> str:
    """The entry of a line, all its fields."""
    target = str(of["target"] or "") or NONE
    answered = target != NONE and str(of["details"] or "").partition("{")[0] == VIA_TARGET
    status = str(of["status"] or 0)
    target_status = status if answered else NONE
    priority, _, action = str(of["rule"] or "-1 -").partition(" ")
    times = [_seconds(of["toTarget"])] if target != NONE else ["-1"]
    times += [_seconds(of["atTarget"]), _seconds(of["toClient"])] if answered else ["-1", "-1"]
    fields = [
        _type(of), str(of["time"]), str(of["balancer"]), str(of["client"] or NONE), target, *times, status if status != "0" else NONE, target_status,
        str(of["received"] or 0), str(of["sent"] or 0), quoted(_request(of)), quoted(_agent(of)), str(of["cipher"] or NONE),
        str(of["version"] or NONE), str(of["group"] or NONE), quoted(of["trace"]), quoted(of["serverName"]), quoted(of["certificate"]), priority,
        str(of["created"]), quoted(action), quoted(of["location"] if action == "redirect" else None), quoted(None), quoted(target),
        quoted(target_status), quoted(None), quoted(None), _connection(of), quoted(None), quoted(None), quoted(None),
    ]  # fmt: skip
    return " ".join(fields)


def _type(of: Mapping[str, Any]) -> str:
    secure = bool(of["cipher"])
    if str(of["upgrade"] or "").lower() == "websocket" and of["status"] == 101:
        return "wss" if secure else "ws"
    if secure and of["protocol"] == "HTTP/2":
        return "grpcs" if str(of["contentType"] or "").startswith("application/grpc") else "h2"
    return "https" if secure else "http"


def _seconds(microseconds: Any) -> str:
    return f"{int(microseconds) / 1_000_000:.3f}" if isinstance(microseconds, int) else "-1"


def _request(of: Mapping[str, Any]) -> str:
    """The request line with the whole URL; `-` for what a malformed request has not."""
    scheme = "https" if of["cipher"] else "http"
    host = re.sub(r":\d+$", "", str(of["host"] or of["node"]))
    version = str(of["protocol"] or NONE)
    return f"{of['method'] or NONE} {scheme}://{host}:{of['port']}{of['path'] or NONE} {_VERSIONS.get(version, version)}"


def _agent(of: Mapping[str, Any]) -> str:
    return str(of["agent"] or NONE).encode()[:LONGEST_AGENT].decode(errors="ignore")


def _connection(of: Mapping[str, Any]) -> str:
    """Opaque, the same for all requests of a connection."""
    words = f"{of['balancer']} {of['node']} {of['connection']} {of['client']}"
    return f"TID_{hashlib.blake2b(words.encode(), digest_size=16).hexdigest()}"


def quoted(value: Any) -> str:
    text = _UNSAFE.sub(lambda found: b"\\x%02X" % found[0][0], str(value or NONE).encode(errors="replace"))
    return f'"{text.decode()}"'


def file(about: Mapping[str, Any], batch: str, records: Sequence[tuple[int, bytes]]) -> File:
    """The file of a batch of one node's entries. about: Bucket, Folder, Account, Region, LoadBalancer (its id), Node (its address), Interval (seconds)."""
    ends = moment(records[0][0]) + timedelta(seconds=about["Interval"])
    account, region, balancer = about["Account"], about["Region"], str(about["LoadBalancer"]).replace("/", ".")
    name = f"{account}_elasticloadbalancing_{region}_{balancer}_{ends:%Y%m%dT%H%MZ}_{about['Node']}_{batch[:8]}.log.gz"
    key = f"{about['Folder']}/elasticloadbalancing/{region}/{ends:%Y/%m/%d}/{name}"
    content = gzip.compress(b"".join(line + b"\n" for _, line in records), mtime=0)
    return File(about["Bucket"], key, content, {"ContentType": "application/octet-stream"})
