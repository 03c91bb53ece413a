"""Operations on groups, streams and events. Pages: "CreateLogGroup", "PutLogEvents", "FilterLogEvents", "GetLogEvents"."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from latticewall.apimodel import pages
from latticewall.base.faults import Conflict, Invalid, NotFound
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.logs.pattern import compile_pattern

RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
PAGE = 10_000
EVENT_OVERHEAD = 26
"""Bytes that count for an event besides its message ("PutLogEvents")."""


def milliseconds(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp() * 1000)


def find_group(ctx: Context, name: str) -> Row:
    """A log group by name or ARN (with or without ":*")."""
    row = ctx.find("logs:LogGroup", name.removesuffix(":*"))
    if row is None:
        raise NotFound("The specified log group does not exist.", code="ResourceNotFoundException")
    return row


def find_stream(ctx: Context, group: Row, name: str) -> Row:
    found = [row for row in ctx.tx.rows("logs:LogStream", parent=group.id) if row.name == name]
    if not found:
        raise NotFound("The specified log stream does not exist.", code="ResourceNotFoundException")
    return found[0]


def _group_of(ctx: Context, params: Document) -> Row:
    name = params.get("logGroupName") or params.get("logGroupIdentifier")
    if not name:
        raise Invalid("Either logGroupName or logGroupIdentifier must be specified", code="InvalidParameterException")
    return find_group(ctx, name)


def create_group(ctx: Context, params: Document) -> Document:
    name = params["logGroupName"]
    for member in ("kmsKeyId", "deletionProtectionEnabled"):
        if params.get(member):
            raise Invalid(f"{member} is not supported by latticewall", code="InvalidParameterException")
    if ctx.find("logs:LogGroup", name):
        raise Conflict("The specified log group already exists", code="ResourceAlreadyExistsException")
    arn = f"arn:aws:logs:{ctx.caller.region}:{ctx.caller.account}:log-group:{name}"
    document = {"creationTime": milliseconds(ctx.now), "metricFilterCount": 0, "logGroupClass": params.get("logGroupClass") or "STANDARD"}
    ctx.create("logs:LogGroup", document, id=arn, name=name, tags=tags.read(params.get("tags")))
    return {}


def delete_group(ctx: Context, params: Document) -> Document:
    row = find_group(ctx, params["logGroupName"])
    ctx.remove(row)
    ctx.tx.delete_log_events(row.id)
    return {}


def describe_groups(ctx: Context, params: Document) -> Document:
    prefix, part = params.get("logGroupNamePrefix") or "", params.get("logGroupNamePattern") or ""
    if prefix and part:
        raise Invalid("logGroupNamePrefix and logGroupNamePattern are mutually exclusive parameters.", code="InvalidParameterException")
    rows = sorted(ctx.rows("logs:LogGroup"), key=lambda row: row.name)
    shown = []
    for row in rows:
        if row.name.startswith(prefix) and part.lower() in row.name.lower():
            extent = ctx.tx.log_extent(row.id)
            stored = extent["bytes"] + extent["count"] * EVENT_OVERHEAD
            shown.append({**ctx.view(row), "arn": f"{row.arn}:*", "logGroupArn": row.arn, "storedBytes": stored})
    return {"logGroups": shown}


def put_retention(ctx: Context, params: Document) -> Document:
    if params["retentionInDays"] not in RETENTION_DAYS:
        raise Invalid(f"Invalid retention value. Valid values are: {list(RETENTION_DAYS)}", code="InvalidParameterException")
    ctx.change(find_group(ctx, params["logGroupName"]), {"retentionInDays": params["retentionInDays"]})
    return {}


def delete_retention(ctx: Context, params: Document) -> Document:
    ctx.change(find_group(ctx, params["logGroupName"]), {"retentionInDays": None})
    return {}


def create_stream(ctx: Context, params: Document) -> Document:
    group = find_group(ctx, params["logGroupName"])
    name = params["logStreamName"]
    if any(row.name == name for row in ctx.tx.rows("logs:LogStream", parent=group.id)):
        raise Conflict("The specified log stream already exists", code="ResourceAlreadyExistsException")
    document = {"creationTime": milliseconds(ctx.now)}
    ctx.create("logs:LogStream", document, id=f"{group.id}:log-stream:{name}", name=name, parent=group.id)
    return {}


def delete_stream(ctx: Context, params: Document) -> Document:
    group = find_group(ctx, params["logGroupName"])
    row = find_stream(ctx, group, params["logStreamName"])
    ctx.remove(row)
    ctx.tx.delete_log_events(group.id, row.name)
    return {}


def describe_streams(ctx: Context, params: Document) -> Document:
    group = _group_of(ctx, params)
    prefix = params.get("logStreamNamePrefix") or ""
    shown = [_show_stream(ctx, group, row) for row in ctx.tx.rows("logs:LogStream", parent=group.id) if row.name.startswith(prefix)]
    by_time = params.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise Invalid("Cannot order by LastEventTime with a logStreamNamePrefix.", code="InvalidParameterException")
    shown.sort(key=lambda stream: (stream.get("lastEventTimestamp", 0) if by_time else 0, stream["logStreamName"]), reverse=bool(params.get("descending")))
    return {"logStreams": shown}


def _show_stream(ctx: Context, group: Row, row: Row) -> Document:
    shown = {**row.document, "logStreamName": row.name, "arn": row.id, "storedBytes": 0, "uploadSequenceToken": "1"}
    extent = ctx.tx.log_extent(group.id, row.name)
    if extent["count"]:
        shown |= {"firstEventTimestamp": extent["first"], "lastEventTimestamp": extent["last"], "lastIngestionTime": extent["ingestion"]}
    return shown


def put_events(ctx: Context, params: Document) -> Document:
    group = find_group(ctx, params["logGroupName"])
    stream = find_stream(ctx, group, params["logStreamName"])
    times = [event["timestamp"] for event in params["logEvents"]]
    if times != sorted(times):
        raise Invalid("Log events in a single PutLogEvents request must be in chronological order.", code="InvalidParameterException")
    now = milliseconds(ctx.now)
    ctx.tx.add_log_events(group.id, stream.name, [(event["timestamp"], now, event["message"]) for event in params["logEvents"]])
    return {"nextSequenceToken": "1"}


def get_events(ctx: Context, params: Document) -> Document:
    """A window of a stream; tokens are positions, forward and backward."""
    group = _group_of(ctx, params)
    stream = find_stream(ctx, group, params["logStreamName"])
    events = ctx.tx.log_events(group.id, stream.name, params.get("startTime") or 0, params.get("endTime"), limit=-1)
    limit = params.get("limit") or PAGE
    start, end = _window(params, len(events), limit)
    shown = [{"timestamp": event["timestamp"], "message": event["message"], "ingestionTime": event["ingestion"]} for event in events[start:end]]
    return {"events": shown, "nextForwardToken": _token("f", end), "nextBackwardToken": _token("b", start)}


def _window(params: Document, count: int, limit: int) -> tuple[int, int]:
    token = params.get("nextToken")
    if not token:
        return (0, min(limit, count)) if params.get("startFromHead") else (max(0, count - limit), count)
    direction, _, position = str(token).partition("/")
    if direction not in ("f", "b") or not position.isdecimal():
        raise Invalid("The specified nextToken is invalid.", code="InvalidParameterException")
    at = min(int(position), count)
    return (at, min(at + limit, count)) if direction == "f" else (max(0, at - limit), at)


def _token(direction: str, position: int) -> str:
    return f"{direction}/{position:056d}"


def filter_events(ctx: Context, params: Document) -> Document:
    """Events of a group that fit a pattern; one page."""
    group = _group_of(ctx, params)
    wanted, prefix = set(params.get("logStreamNames") or ()), params.get("logStreamNamePrefix") or ""
    if wanted and prefix:
        raise Invalid("logStreamNames and logStreamNamePrefix are mutually exclusive", code="InvalidParameterException")
    fits = compile_pattern(params.get("filterPattern") or "")
    found = [
        event
        for event in ctx.tx.log_events(group.id, "", params.get("startTime") or 0, _after(params.get("endTime")), limit=-1)
        if (not wanted or event["stream"] in wanted) and event["stream"].startswith(prefix) and fits(event["message"])
    ]
    model = ctx.ports["catalog"].operation("logs:FilterLogEvents")
    part = pages.paginate(model, found, params, owner=f"{ctx.caller.account} {ctx.caller.region}", default_limit=PAGE)
    return {"searchedLogStreams": [], "nextToken": None, **part, "events": [_filtered(event) for event in part["events"]]}


def _after(end: int | None) -> int | None:
    """FilterLogEvents' end is inclusive, the store's exclusive."""
    return None if end is None else end + 1


def _filtered(event: dict[str, Any]) -> Document:
    return {
        "logStreamName": event["stream"], "timestamp": event["timestamp"], "message": event["message"], "ingestionTime": event["ingestion"],
        "eventId": f"{event['sequence']:056d}",
    }  # fmt: skip


def _tagged(ctx: Context, params: Document) -> Row:
    return find_group(ctx, params.get("resourceArn") or params.get("logGroupName") or "")


def tag(ctx: Context, params: Document) -> Document:
    ctx.tag(_tagged(ctx, params), tags.read(params["tags"]))
    return {}


def untag(ctx: Context, params: Document) -> Document:
    ctx.tag(_tagged(ctx, params), removed=params.get("tagKeys") or params.get("tags") or ())
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    return {"tags": dict(_tagged(ctx, params).tags)}


OPERATIONS: dict[str, Handler] = {
    "CreateLogGroup": create_group,
    "DeleteLogGroup": delete_group,
    "DescribeLogGroups": describe_groups,
    "PutRetentionPolicy": put_retention,
    "DeleteRetentionPolicy": delete_retention,
    "CreateLogStream": create_stream,
    "DeleteLogStream": delete_stream,
    "DescribeLogStreams": describe_streams,
    "PutLogEvents": put_events,
    "GetLogEvents": get_events,
    "FilterLogEvents": filter_events,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
    "TagLogGroup": tag,
    "UntagLogGroup": untag,
    "ListTagsLogGroup": list_tags,
}
