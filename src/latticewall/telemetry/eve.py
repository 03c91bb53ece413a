"""The engine's EVE log -> the records of Network Firewall's ALERT and FLOW logs ("Contents of a AWS Network Firewall log").

In strict order the engine logs what rules matched, and the rank of the rules says what was decided (`compile.firewall.strict`); so the alerts
of one packet are read together. They stand one after another in the log, with the same flow and time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

ALERT, FLOW = "ALERT", "FLOW"
_NOT_IN_ALERT = ("flow", "in_iface", "payload", "payload_printable", "packet", "packet_info", "stream", "community_id", "metadata", "host", "pcap_cnt")
_NOT_IN_FLOW = ("in_iface", "community_id", "metadata", "host", "vlan", "pcap_cnt")
_PACKET_SOURCE = "geneve encapsulation"
_BLOCKING = ("drop", "reject")
MOST_PASSED_FLOWS = 100_000


class Meaning(Protocol):
    """What is known about a rule of the engine (`plan.firewall.Signature`)."""

    @property
    def gid(self) -> int: ...
    @property
    def sid(self) -> int: ...
    @property
    def group_arn(self) -> str: ...
    @property
    def signature_id(self) -> int: ...
    @property
    def message(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def severity(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def logged(self) -> bool: ...
    @property
    def whole_flow(self) -> bool: ...


@dataclass(frozen=True)
class Source:
    """Where the records come from, and what the engine's rules mean. earlier: what they meant before they were exchanged last."""

    firewall_name: str
    availability_zone: str
    signatures: Mapping[tuple[int, int], Meaning]
    earlier: Mapping[tuple[int, int], Meaning] = field(default_factory=dict)

    def meaning(self, alert: Mapping[str, Any]) -> Meaning | None:
        """What an alert's rule stands for. The text of its message tells rules with the same number apart."""
        key = (alert.get("gid", 1), alert.get("signature_id", 0))
        candidates = (self.signatures.get(key), self.earlier.get(key))
        return next((item for item in candidates if item and item.message == alert.get("signature", "")), None)


@dataclass(frozen=True)
class LogRecord:
    """A record for the log destination of `log_type`, with the time it happened (epoch seconds)."""

    log_type: str
    timestamp: float
    document: dict[str, Any]


def index_signatures(signatures: Iterable[Meaning]) -> dict[tuple[int, int], Meaning]:
    """Rules by the pair that names them in the engine's log."""
    return {(item.gid, item.sid): item for item in signatures}


@dataclass
class PassedFlows:
    """Flows that were passed by their content, by the engine's flow id, with the position of the pass. They end with their flow-log records.

    The engine may go on matching rules below the pass: one that had matched in part before, or any after the rules were exchanged.
    """

    _positions: dict[int, int] = field(default_factory=dict)

    def note(self, flow: int, position: int) -> None:
        """This packet's deciding pass."""
        self._positions.setdefault(flow, position)
        if len(self._positions) > MOST_PASSED_FLOWS:
            self._positions.pop(next(iter(self._positions)))

    def hides(self, flow: int, meaning: Meaning) -> bool:
        position = self._positions.get(flow)
        return position is not None and (not meaning.group_arn or (position > 0 and meaning.position > position))

    def end(self, flow: int) -> None:
        self._positions.pop(flow, None)

    def exchange_rules(self) -> None:
        """Positions lose their meaning: what stays is that no default action concerns these flows (`compile.firewall.marks`)."""
        self._positions = dict.fromkeys(self._positions, 0)


class EveReader:
    """Turns lines as they are appended into records. It holds back the alerts of the last packet, as more of them may follow."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._packet: list[dict[str, Any]] = []
        self._passed = PassedFlows()

    @property
    def source(self) -> Source:
        return self._source

    @source.setter
    def source(self, source: Source) -> None:
        """New rules give old numbers new meanings: what the engine wrote before it loaded them is still read with the old."""
        if source.signatures == self._source.signatures:
            self._source = replace(source, earlier=self._source.earlier)
            return
        self._passed.exchange_rules()
        self._source = replace(source, earlier=self._source.signatures)

    def feed(self, lines: Iterable[str]) -> list[LogRecord]:
        """The records of these lines. Lines that are not JSON objects (cut off by a full disk) are skipped."""
        found: list[LogRecord] = []
        for line in lines:
            event = _parsed(line)
            if event is None:
                continue
            if event.get("event_type") != "alert" or not self._same_packet(event):
                found += self.flush()
            if event.get("event_type") == "alert":
                self._packet.append(event)
            elif event.get("event_type") == "netflow":
                self._passed.end(event.get("flow_id", 0))
                found.append(_record(FLOW, event, self._source, _without(event, _NOT_IN_FLOW)))
        return found

    @property
    def held(self) -> list[str]:
        """The lines held back, for another reader to begin with."""
        return [json.dumps(event) for event in self._packet]

    def flush(self) -> list[LogRecord]:
        """The records held back: call it when the log has not grown for a moment."""
        packet, self._packet = self._packet, []
        return alert_records(packet, self._source, self._passed) if packet else []

    def _same_packet(self, event: Mapping[str, Any]) -> bool:
        return not self._packet or all(self._packet[0].get(key) == event.get(key) for key in ("flow_id", "timestamp", "src_ip", "src_port"))


def alert_records(packet: Sequence[dict[str, Any]], source: Source, passed_flows: PassedFlows) -> list[LogRecord]:
    """What AWS logs of the alerts of one packet; notes a pass that lets the rest of the flow through.

    The first pass, drop or reject decides: what stands below a pass is not looked at, and of what stands below a block only alert rules are,
    down to the next pass.
    """
    flow = packet[0].get("flow_id", 0)
    known = []
    for event in packet:
        meaning = source.meaning(event["alert"])
        if meaning is not None and not passed_flows.hides(flow, meaning):
            known.append((meaning, event))
    ranked = [(meaning.position, meaning.verdict) for meaning, _ in known if meaning.position and meaning.verdict != "alert"]
    position, verdict = min(ranked, default=(0, ""))
    passed = min((place for place, kind in ranked if kind == "pass"), default=0)
    if verdict == "pass" and any(meaning.position == position and meaning.whole_flow for meaning, _ in known):
        passed_flows.note(flow, position)
    found = []
    for meaning, event in known:
        if not meaning.logged or (passed and meaning.position > passed):
            continue
        if position and meaning.position > position and meaning.verdict != "alert":
            continue
        found.append(_record(ALERT, event, source, _alert(event, meaning, verdict)))
    return found


def _alert(event: Mapping[str, Any], meaning: Meaning, decided: str) -> dict[str, Any]:
    """The event as AWS shows it: the rule's own name and number, and what its action did."""
    shown = _without(event, _NOT_IN_ALERT)
    alert = {key: value for key, value in event["alert"].items() if key not in ("gid", "metadata", "rule")}
    blocked = meaning.verdict in _BLOCKING
    alert |= {"action": "blocked" if blocked else "allowed", "signature_id": meaning.signature_id, "signature": meaning.message}
    alert["severity"] = meaning.severity
    shown |= {"alert": alert, "pkt_src": _PACKET_SOURCE}
    if blocked or decided in _BLOCKING:
        shown["verdict"] = {**event.get("verdict", {}), "action": "drop"}
        if "reject" in (meaning.verdict, decided) and event.get("proto") == "TCP":
            shown["verdict"] |= {"reject-target": event["verdict"].get("reject-target", "to_client"), "reject": ["tcp-reset"]}
    elif decided == "pass":
        shown["verdict"] = {**event.get("verdict", {}), "action": "pass"}
    return shown


def _record(log_type: str, event: Mapping[str, Any], source: Source, shown: dict[str, Any]) -> LogRecord:
    seconds = _seconds(str(event.get("timestamp", "")))
    envelope = {
        "firewall_name": source.firewall_name,
        "availability_zone": source.availability_zone,
        "event_timestamp": str(int(seconds)),
        "event": shown,
    }
    return LogRecord(log_type, seconds, envelope)


def _without(event: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    hidden = frozenset(names)
    return {key: value for key, value in event.items() if key not in hidden}


def _seconds(timestamp: str) -> float:
    """EVE's local time with offset ("2026-01-02T03:04:05.678901+0000") as epoch seconds."""
    return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "timestamp" in event else None
