"""The engine's events -> AWS's records."""

from __future__ import annotations

import json
from typing import Any

from latticewall.plan.firewall import Signature
from latticewall.telemetry.eve import EveReader, LogRecord, Source, index_signatures

GROUP = "arn:aws:network-firewall:eu-west-1:111122223333:stateful-rulegroup/g"
SIGNATURES = (
    Signature(2, 1000, GROUP, 7, "watch", "alert", 3, 1),
    Signature(2, 1001, GROUP, 8, "deny", "drop", 1, 2),
    Signature(2, 1002, GROUP, 9, "allow", "pass", 3, 3, logged=False, whole_flow=True),
    Signature(2, 1003, GROUP, 10, "late", "reject", 3, 4),
    Signature(2, 1004, GROUP, 11, "after", "alert", 3, 5),
    Signature(1, 1005, "", 2, "aws:alert_established action", "drop", 3, 6),
)


def source(*signatures: Signature) -> Source:
    return Source("fw", "eu-west-1a", index_signatures(signatures or SIGNATURES))


def alert(sid: int, message: str, at: str = "2026-01-02T03:04:05.000001+0000", gid: int = 2, flow: int = 1, **members: Any) -> str:
    return json.dumps({
        "timestamp": at, "flow_id": flow, "in_iface": "x", "event_type": "alert", "src_ip": "10.1.0.2", "src_port": 4000, "dest_ip": "10.3.0.2",
        "dest_port": 80, "proto": "TCP", "pkt_src": "wire/pcap", "app_proto": "http", "direction": "to_server", "http": {"hostname": "a"},
        "alert": {"action": "allowed", "gid": gid, "signature_id": sid, "rev": 1, "signature": message, "category": "", "severity": 2},
        "flow": {"pkts_toserver": 3}, "verdict": {"action": "alert"}, **members,
    })  # fmt: skip


def read(*lines: str, reader: EveReader | None = None) -> list[LogRecord]:
    reader = reader or EveReader(source())
    return reader.feed(lines) + reader.flush()


def names(records: list[LogRecord]) -> list[str]:
    return [record.document["event"]["alert"]["signature"] for record in records]


def test_an_alert_is_shown_as_aws_shows_it() -> None:
    (record,) = read(alert(1001, "deny"))
    assert (record.log_type, record.timestamp) == ("ALERT", 1767323045.000001)
    assert record.document == {
        "firewall_name": "fw", "availability_zone": "eu-west-1a", "event_timestamp": "1767323045",
        "event": {
            "timestamp": "2026-01-02T03:04:05.000001+0000", "flow_id": 1, "event_type": "alert", "src_ip": "10.1.0.2", "src_port": 4000,
            "dest_ip": "10.3.0.2", "dest_port": 80, "proto": "TCP", "pkt_src": "geneve encapsulation", "app_proto": "http", "direction": "to_server",
            "http": {"hostname": "a"}, "verdict": {"action": "drop"},
            "alert": {"action": "blocked", "signature_id": 8, "rev": 1, "signature": "deny", "category": "", "severity": 1},
        },
    }  # fmt: skip


def test_of_one_packet_what_stands_below_the_deciding_rule_is_hidden() -> None:
    everything = [alert(item.sid, item.message, gid=item.gid) for item in SIGNATURES]
    assert names(read(*everything)) == ["watch", "deny"], "a pass is not logged, and nothing below it"
    assert names(read(everything[0], everything[3], everything[4], everything[5])) == ["watch", "late", "after"]
    assert names(read(everything[0], everything[2], everything[5])) == ["watch"]
    assert names(read(everything[5])) == ["aws:alert_established action"]


def test_packets_are_told_apart_by_flow_and_time() -> None:
    later = "2026-01-02T03:04:05.000002+0000"
    assert names(read(alert(1001, "deny"), alert(1003, "late", flow=2))) == ["deny", "late"]
    assert names(read(alert(1001, "deny"), alert(1003, "late", at=later))) == ["deny", "late"]


def test_a_passed_flow_stays_silent_until_it_ends() -> None:
    reader, later = EveReader(source()), "2026-01-02T03:04:06.000000+0000"
    assert read(alert(1002, "allow"), reader=reader) == []
    assert names(read(alert(1000, "watch", at=later), alert(1003, "late", at=later), reader=reader)) == ["watch"]
    assert read(alert(1005, "aws:alert_established action", at=later, gid=1), reader=reader) == []
    ended = json.dumps({"timestamp": later, "event_type": "netflow", "flow_id": 1, "in_iface": "x", "netflow": {"pkts": 4}, "tcp": {"syn": True}})
    (flow,) = read(ended, reader=reader)
    assert flow.log_type == "FLOW"
    assert flow.document["event"] == {"timestamp": later, "event_type": "netflow", "flow_id": 1, "netflow": {"pkts": 4}, "tcp": {"syn": True}}
    assert names(read(alert(1003, "late"), reader=reader)) == ["late"]


def test_a_pass_of_a_single_packet_says_nothing_about_the_next() -> None:
    once = Signature(2, 1002, GROUP, 9, "allow", "pass", 3, 3, logged=True, whole_flow=False)
    reader = EveReader(source(*SIGNATURES[:2], once, *SIGNATURES[3:]))
    assert names(read(alert(1002, "allow"), alert(1003, "late"), reader=reader)) == ["allow"]
    assert names(read(alert(1003, "late", at="2026-01-02T03:04:06.000000+0000"), reader=reader)) == ["late"]


def test_lines_written_before_the_rules_were_exchanged_keep_their_meaning() -> None:
    reader = EveReader(source())
    read(alert(1002, "allow", flow=5), reader=reader)
    reader.source = source(Signature(2, 1001, GROUP, 70, "other", "alert", 3, 1), Signature(1, 1002, "", 2, "aws:alert_established action", "drop", 3, 2))
    assert names(read(alert(1001, "deny"), alert(1001, "other", flow=2), reader=reader)) == ["deny", "other"]
    assert read(alert(1002, "aws:alert_established action", gid=1, flow=5), reader=reader) == [], "passed flows are none of the default action's"


def test_a_reject_says_what_was_sent() -> None:
    (record,) = read(alert(1003, "late"))
    assert record.document["event"]["verdict"] == {"action": "drop", "reject-target": "to_client", "reject": ["tcp-reset"]}


def test_what_aws_does_not_log_is_left_out() -> None:
    dropped = json.dumps({"timestamp": "2026-01-02T03:04:05.000001+0000", "event_type": "drop", "flow_id": 1})
    assert read(dropped, "not json", "[]", "{}", alert(4242, "unknown")) == []


def test_the_last_packet_is_held_back_until_no_more_of_it_can_come() -> None:
    reader = EveReader(source())
    assert reader.feed([alert(1003, "late")]) == []
    assert reader.feed([alert(1002, "allow")]) == []
    assert reader.flush() == []
