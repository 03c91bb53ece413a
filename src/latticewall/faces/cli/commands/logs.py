"""`latticewall logs`: the records of the region's log groups, as lines that can be read."""

from __future__ import annotations

import argparse
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

from latticewall.faces.cli.client import Refused
from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import Problem
from latticewall.faces.cli.records import denied_by, summary
from latticewall.faces.cli.session import Session

_FOLLOW_SECONDS = 0.5
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group", action="append", metavar="NAME", help="only this log group; repeat for more (default: all)")
    since = "only records since then: 90s, 10m, 2h, 1d ago, or a time such as 2026-01-02T03:04:05Z"
    parser.add_argument("--since", type=_since, default=0, metavar="WHEN", help=since)
    denied = "only requests that were denied, or that audit mode let pass and would be denied"
    parser.add_argument("--denied", action="store_true", help=denied)
    parser.add_argument("--follow", action="store_true", help="go on showing records as they come, until interrupted")


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """2 when a group that was asked for does not exist."""
    shown: set[tuple[str, str]] = set()
    start = chosen.since
    if not _groups(session) and not chosen.group and not chosen.follow:
        output.remark("no log group exists: logs appear in the groups that access log subscriptions and logging configurations name")
    while True:
        records = _records(session, chosen.group or _groups(session), start)
        for group, event in records:
            if (group, event["eventId"]) not in shown:
                shown.add((group, event["eventId"]))
                if not chosen.denied or _denies(event["message"]):
                    _show(group, event, output)
        if not chosen.follow:
            return 0
        if records:
            start = max(start, max(event["timestamp"] for _, event in records) - 60_000)
        time.sleep(_FOLLOW_SECONDS)


def _groups(session: Session) -> list[str]:
    return [group["logGroupName"] for group in session.pages("logs:DescribeLogGroups", {}, "logGroups")]


def _records(session: Session, groups: list[str], start: int) -> list[tuple[str, dict[str, Any]]]:
    """Records of the groups since `start` (milliseconds), oldest first."""
    found: list[tuple[str, dict[str, Any]]] = []
    for group in groups:
        try:
            events = session.pages("logs:FilterLogEvents", {"logGroupName": group, "startTime": start}, "events")
        except Refused as refused:
            raise Problem(f"log group {group}: {refused.message[:1].lower()}{refused.message[1:]}") from None
        found += [(group, event) for event in events]
    return sorted(found, key=lambda item: (item[1]["timestamp"], item[0], item[1]["eventId"]))


def _denies(message: str) -> bool:
    try:
        return denied_by(json.loads(message)) != ""
    except ValueError:
        return False


def _show(group: str, event: dict[str, Any], output: Output) -> None:
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if output.as_json:
        output.record({"time": moment, "group": group, "stream": event.get("logStreamName", ""), "message": event["message"]})
    else:
        output.line(f"{moment}  {group}  {summary(event['message'])}")


def _since(text: str) -> int:
    """Milliseconds since the epoch."""
    ago = re.fullmatch(r"(\d+)([smhd])", text)
    if ago:
        return max(0, int((time.time() - int(ago[1]) * _UNITS[ago[2]]) * 1000))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: 90s, 10m, 2h, 1d, or a time such as 2026-01-02T03:04:05Z is needed") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


COMMAND = Command(
    "logs",
    "show the records of the region's log groups: access, alert and flow logs",
    (
        "latticewall logs --since 10m",
        "latticewall logs --group /firewall/alert --follow",
        "latticewall logs --denied --since 1h",
        "latticewall logs --output json",
    ),
    run,
    arguments,
)
