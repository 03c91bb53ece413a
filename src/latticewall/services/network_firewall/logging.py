"""Where a firewall's alert and flow logs go ("Logging network traffic from AWS Network Firewall"). Destinations here: CloudWatch Logs groups."""

from __future__ import annotations

from latticewall.base.faults import Conflict
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.network_firewall import text
from latticewall.services.network_firewall.firewalls import find


def describe(ctx: Context, params: Document) -> Document:
    row = find(ctx, params)
    shown: Document = {"FirewallArn": row.arn}
    return {**shown, "LoggingConfiguration": {"LogDestinationConfigs": row.document["_logging"]}} if row.document["_logging"] else shown


def update(ctx: Context, params: Document) -> Document:
    """One destination may be added, removed or changed per call."""
    row = find(ctx, params)
    wanted = list((params.get("LoggingConfiguration") or {}).get("LogDestinationConfigs") or ())
    present = {item["LogType"]: item for item in row.document["_logging"]}
    asked = {item["LogType"]: item for item in wanted}
    if len(asked) != len(wanted):
        raise text.invalid("only one destination is allowed per log type", wanted[-1]["LogType"], "LoggingConfiguration.LogDestinationConfigs")
    changed = [key for key in {*present, *asked} if present.get(key) != asked.get(key)]
    if len(changed) > 1:
        raise text.invalid("only one change to the logging configuration is allowed per call", sorted(changed), "LoggingConfiguration")
    for key in changed:
        if key in present and key in asked and present[key]["LogDestinationType"] != asked[key]["LogDestinationType"]:
            raise text.invalid("the destination type of a log type cannot be changed", key, "LoggingConfiguration.LogDestinationConfigs")
        if key in asked:
            _check_destination(ctx, asked[key])
    row = ctx.change(row, {"_logging": wanted})
    ctx.forget(row, "LogGroup")
    for item in wanted:
        ctx.refer(row, "LogGroup", item["LogDestination"]["logGroup"])
    answer: Document = {"FirewallArn": row.arn, "FirewallName": row.name, "LoggingConfiguration": {"LogDestinationConfigs": wanted}}
    return answer


def _check_destination(ctx: Context, item: Document) -> None:
    if item["LogType"] == "TLS":
        raise text.invalid("TLS logs are not supported by latticewall: there is no TLS inspection", "TLS", "LogType")
    if item["LogDestinationType"] != "CloudWatchLogs":
        raise text.invalid("only CloudWatchLogs is supported by latticewall", item["LogDestinationType"], "LogDestinationType")
    group = item["LogDestination"].get("logGroup")
    if not group or ctx.find("logs:LogGroup", group) is None:
        raise Conflict(f"The log destination does not exist or is not writable, parameter: [{group}]", code="LogDestinationPermissionException")


OPERATIONS: dict[str, Handler] = {"DescribeLoggingConfiguration": describe, "UpdateLoggingConfiguration": update}
