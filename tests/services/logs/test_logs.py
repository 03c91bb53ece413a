"""Log groups, streams and events through boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region

GROUP, STREAM = "/app/web", "one"
AT = 1_767_323_045_000


def fill(region: Region, *messages: str, stream: str = STREAM, at: int = AT) -> None:
    """A stream with these messages, one per second."""
    if GROUP not in {group["logGroupName"] for group in region.logs.describe_log_groups()["logGroups"]}:
        region.logs.create_log_group(logGroupName=GROUP)
    region.logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    events = [{"timestamp": at + 1000 * number, "message": message} for number, message in enumerate(messages)]
    if events:
        region.logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def matching(region: Region, pattern: str = "", **more: Any) -> list[str]:
    return [event["message"] for event in region.logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern, **more)["events"]]


def test_a_group_lives(region: Region) -> None:
    region.logs.create_log_group(logGroupName=GROUP, tags={"team": "net"})
    with region.refused("ResourceAlreadyExistsException"):
        region.logs.create_log_group(logGroupName=GROUP)
    region.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    (shown,) = region.logs.describe_log_groups(logGroupNamePrefix="/app")["logGroups"]
    arn = f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:{GROUP}"
    assert (shown["arn"], shown["logGroupArn"], shown["retentionInDays"], shown["storedBytes"]) == (f"{arn}:*", arn, 7, 0)
    with region.refused("InvalidParameterException"):
        region.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=8)
    region.logs.delete_retention_policy(logGroupName=GROUP)
    assert "retentionInDays" not in region.logs.describe_log_groups()["logGroups"][0]
    assert region.logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "net"}
    region.logs.tag_resource(resourceArn=arn, tags={"cost": "1"})
    region.logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert region.logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"cost": "1"}
    region.logs.delete_log_group(logGroupName=GROUP)
    with region.refused("ResourceNotFoundException", "The specified log group does not exist."):
        region.logs.delete_log_group(logGroupName=GROUP)


def test_a_new_group_of_an_old_name_is_empty(region: Region) -> None:
    fill(region, "old")
    region.logs.delete_log_group(logGroupName=GROUP)
    fill(region, "new")
    assert matching(region) == ["new"]
    region.logs.delete_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    fill(region)
    assert matching(region) == []


def test_streams_and_their_extent(region: Region) -> None:
    fill(region, "first", "second")
    fill(region, "late é", stream="two", at=AT + 60_000)
    fill(region, stream="empty")
    shown = {stream["logStreamName"]: stream for stream in region.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]}
    assert list(shown) == ["empty", "one", "two"]
    assert (shown["one"]["firstEventTimestamp"], shown["one"]["lastEventTimestamp"]) == (AT, AT + 1000)
    assert "firstEventTimestamp" not in shown["empty"]
    by_time = region.logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)["logStreams"]
    assert [stream["logStreamName"] for stream in by_time][:2] == ["two", "one"]
    with region.refused("InvalidParameterException"):
        region.logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="o")
    assert region.logs.describe_log_groups()["logGroups"][0]["storedBytes"] == 3 * 26 + len(b"first" + b"second") + len("late é".encode())
    with region.refused("ResourceAlreadyExistsException"):
        region.logs.create_log_stream(logGroupName=GROUP, logStreamName="two")
    with region.refused("ResourceNotFoundException", "log stream"):
        region.logs.put_log_events(logGroupName=GROUP, logStreamName="none", logEvents=[{"timestamp": AT, "message": "x"}])


def test_events_are_read_in_both_directions(region: Region) -> None:
    fill(region, *"abcdef")

    def read(**more: Any) -> tuple[str, Any]:
        answer = region.logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, limit=2, **more)
        return "".join(event["message"] for event in answer["events"]), answer

    text, page = read(startFromHead=True)
    assert text == "ab"
    for wanted in ("cd", "ef", ""):
        token = page["nextForwardToken"]
        text, page = read(nextToken=token)
        assert text == wanted
    assert page["nextForwardToken"] == token
    text, page = read()
    assert text == "ef"
    assert read(nextToken=page["nextBackwardToken"])[0] == "cd"
    assert read(startFromHead=True, startTime=AT + 1000, endTime=AT + 2000)[0] == "b"
    with region.refused("InvalidParameterException"):
        read(nextToken="sideways")


def test_events_of_one_call_are_in_order(region: Region) -> None:
    fill(region)
    events = [{"timestamp": AT + 1, "message": "b"}, {"timestamp": AT, "message": "a"}]
    with region.refused("InvalidParameterException", "chronological"):
        region.logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)
    assert matching(region) == []


def test_filtering_by_time_stream_and_pages(region: Region) -> None:
    fill(region, *"abc")
    fill(region, *"xyz", stream="two", at=AT + 500)
    assert "".join(matching(region)) == "axbycz"
    assert "".join(matching(region, startTime=AT + 500, endTime=AT + 1500)) == "xby"
    assert "".join(matching(region, logStreamNames=["two"])) == "xyz"
    assert "".join(matching(region, logStreamNamePrefix="o")) == "abc"
    pages = list(region.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 4}))
    assert ["".join(event["message"] for event in page["events"]) for page in pages] == ["axby", "cz"]
    with region.refused("InvalidParameterException", "nextToken"):  # it is for that list
        region.logs.filter_log_events(logGroupName=GROUP, limit=4, nextToken=pages[0]["nextToken"], logStreamNames=["two"])
    arn = f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:{GROUP}"
    for identifier in (arn, GROUP):
        assert len(region.logs.filter_log_events(logGroupIdentifier=identifier)["events"]) == 6


PLAIN = ["ERROR disk full on /dev/sda", "WARN disk slow", "INFO all is well", 'ERROR said "no"']


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("ERROR", [0, 3]), ("disk", [0, 1]), ("ERROR disk", [0]), ("?ERROR ?WARN", [0, 1, 3]), ("disk -WARN", [0]), ('"disk slow"', [1]), ("error", []),
        ('"said \\"no\\""', [3]), ("/dev/sda", [0]), ("", [0, 1, 2, 3]),
    ],
)  # fmt: skip
def test_patterns_of_words(region: Region, pattern: str, found: list[int]) -> None:
    fill(region, *PLAIN)
    assert matching(region, pattern) == [PLAIN[number] for number in found]


RECORDS = [
    {"event": {"alert": {"action": "blocked", "severity": 3}, "dest_port": 5044}, "firewall_name": "gate"},
    {"event": {"alert": {"action": "allowed", "severity": 1}, "dest_port": 443}, "firewall_name": "gate-2"},
    {"event": {"netflow": {"pkts": 12}, "dest_port": 443, "tls": True}, "list": ["a", "b"]},
]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ('{ $.event.alert.action = "blocked" }', [0]), ('{ $.event.alert.action != "blocked" }', [1]), ("{ $.event.dest_port = 443 }", [1, 2]),
        ('{ $.firewall_name = "gate*" && $.event.alert.severity >= 2 }', [0]), ("{ $.event.dest_port > 1000 || $.event.netflow.pkts = 12 }", [0, 2]),
        ('{ $.list[1] = "b" }', [2]), ('{ ($.event.tls = true) }', [2]), ("{ $.none = 1 }", []),
    ],
)  # fmt: skip
def test_patterns_of_members(region: Region, pattern: str, found: list[int]) -> None:
    texts = [json.dumps(record) for record in RECORDS]
    fill(region, *texts, "not json")
    assert matching(region, pattern) == [texts[number] for number in found]


@pytest.mark.parametrize("pattern", ["{ $.a IS NULL }", "{ a = 1 }", "{ $.a = 1 & }", "[ip, user]", "{ $.a == 1 }", '"open', "%regex%&"])
def test_patterns_that_are_not_understood_are_refused(region: Region, pattern: str) -> None:
    fill(region, "x")
    with region.refused("InvalidParameterException", "Invalid filter pattern"):
        matching(region, pattern)


def test_what_is_not_there_is_said(region: Region) -> None:
    with region.refused("InvalidParameterException", "kmsKeyId"):
        region.logs.create_log_group(logGroupName=GROUP, kmsKeyId=f"arn:aws:kms:{NAME}:{ACCOUNT}:key/x")
    fill(region, "x")
    with region.refused("ResourceNotFoundException"):
        region.of("999988887777", "logs").filter_log_events(logGroupIdentifier=f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:{GROUP}")


def test_tags_by_name_as_older_clients_ask(region: Region) -> None:
    region.logs.create_log_group(logGroupName=GROUP)
    region.logs.tag_log_group(logGroupName=GROUP, tags={"a": "1", "b": "2"})
    region.logs.untag_log_group(logGroupName=GROUP, tags=["a"])
    assert region.logs.list_tags_log_group(logGroupName=GROUP)["tags"] == {"b": "2"}


def test_an_event_that_is_nested_too_deeply_fits_no_json_pattern(region: Region) -> None:
    """Whoever writes one event must not spoil the search in all others."""
    messages = ['{"a": 1}', "[" * 100_000, '{"a":' * 20_000]
    fill(region, *messages)
    assert matching(region, "{ $.a = 1 }") == messages[:1]
