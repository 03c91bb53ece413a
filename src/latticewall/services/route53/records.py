"""Record sets: what is accepted, and how a batch of changes is applied.

Pages: "ChangeResourceRecordSets", "Supported DNS record types". Simple, weighted and
multivalue answer routing; alias records to names that this region serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

import dns.exception
import dns.rdata

from latticewall.base.faults import Invalid
from latticewall.base.rows import Row

Record = dict[str, Any]
NAME = re.compile(r"(?:(?:\*|[a-z0-9_-]{1,63})\.)(?:[a-z0-9_-]{1,63}\.)*\Z")
"""Labels of letters, digits, hyphens and underscores; the first one may be an asterisk. Other characters (escaped ones) are refused."""
LONGEST = 256
"""Characters of a name with its final dot."""
_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")
"""Route 53 writes any character as a backslash and three octal digits."""
TYPES = ("A", "AAAA", "CNAME", "TXT", "MX", "SRV", "PTR", "NS", "SOA", "CAA")
ROUTING = ("Weight", "MultiValueAnswer")
"""Members that say how one of several record sets of a name and type is chosen, and that are known here."""
NO_ROUTING = ("Region", "Failover", "GeoLocation", "HealthCheckId", "CidrRoutingConfig", "GeoProximityLocation")
MOST_WEIGHT = 255
Key = tuple[str, str, str]
"""Name, type and set identifier ("" of a simple record set)."""


def zone_records(name: str, servers: Iterable[str]) -> list[Record]:
    """The NS and SOA every zone has."""
    names = list(servers)
    soa = f"{names[0]}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
    return [
        {"Name": name, "Type": "NS", "TTL": 172800, "ResourceRecords": [{"Value": f"{server}."} for server in names]},
        {"Name": name, "Type": "SOA", "TTL": 900, "ResourceRecords": [{"Value": soa}]},
    ]


def spell(name: str) -> str:
    """A name as Route 53 answers it: an asterisk in octal."""
    return name.replace("*", "\\052")


def record_order(name: str) -> list[str]:
    """Route 53 lists names by their labels from the right."""
    return list(reversed(name.rstrip(".").split(".")))


def place(record: Record) -> tuple[list[str], str, str]:
    """The order in which Route 53 lists record sets."""
    return record_order(record["Name"]), record["Type"], record.get("SetIdentifier", "")


def key_of(record: Record) -> Key:
    return record["Name"], record["Type"], record.get("SetIdentifier", "")


def _batch(messages: list[str]) -> Invalid:
    return Invalid("[" + ", ".join(messages) + "]", code="InvalidChangeBatch", members={"messages": messages})


def change_records(zone: Row, changes: list[dict[str, Any]]) -> list[Record]:
    """The zone's records after the batch. Raises InvalidChangeBatch with every reason; then nothing is changed."""
    records: dict[Key, Record] = {key_of(record): record for record in zone.document["_records"]}
    messages: list[str] = []
    for change in changes:
        record = normalise(change["ResourceRecordSet"])
        key = key_of(record)
        what = f"[name='{key[0]}', type='{key[1]}'" + (f", set identifier='{key[2]}']" if key[2] else "]")
        if message := _wrong(zone, record):
            messages.append(message)
        elif change["Action"] == "DELETE":
            messages += _delete(records, key, record, what, zone)
        elif change["Action"] == "CREATE" and key in records:
            messages.append(f"Tried to create resource record set {what} but it already exists")
        elif other := _clash(records, key):
            messages.append(f"RRSet of type {key[1]} with DNS name {key[0]} is not permitted because of a conflict with the RRSet of type {other}")
        elif other := _other_routing(records, key, record):
            who = f"RRSet with DNS name {key[0]}, type {key[1]}{_identified(key)}"
            messages.append(f"{who} cannot be created because {other} RRSet with the same name and type exists")
        else:
            records[key] = record
    if messages:
        raise _batch(messages)
    return sorted(records.values(), key=place)


def _identified(key: Key) -> str:
    return f", SetIdentifier {key[2]}" if key[2] else ""


def _routing(record: Record) -> str:
    return next((member for member in ROUTING if member in record), "")


def _other_routing(records: dict[Key, Record], key: Key, record: Record) -> str:
    """All record sets of a name and type are chosen from in one way; a simple one stands alone."""
    for other, present in records.items():
        if other[:2] == key[:2] and other != key and (_routing(present) != _routing(record) or not key[2]):
            return {"Weight": "a weighted", "MultiValueAnswer": "a multivalue answer"}.get(_routing(present), "a non-weighted")
    return ""


def _delete(records: dict[Key, Record], key: Key, record: Record, what: str, zone: Row) -> list[str]:
    if key not in records:
        return [f"Tried to delete resource record set {what} but it was not found"]
    if records[key] != record:
        return [f"Tried to delete resource record set {what} but the values provided do not match the current values"]
    if key[0] == zone.name and key[1] in ("NS", "SOA"):
        return [f"A HostedZone must contain exactly one {key[1]} record for the zone itself."]
    del records[key]
    return []


def _clash(records: dict[Key, Record], key: Key) -> str:
    """A CNAME stands alone at its name."""
    others = [type_ for name, type_, _ in records if name == key[0] and type_ != key[1]]
    if key[1] == "CNAME" and others:
        return others[0]
    return "CNAME" if "CNAME" in others else ""


def normalise(given: dict[str, Any]) -> Record:
    """As it is stored: absolute lower-case name, values as given."""
    name = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), str(given["Name"])).lower().removesuffix(".") + "."
    record: Record = {"Name": name, "Type": given["Type"]}
    for member in ("SetIdentifier", *ROUTING, *NO_ROUTING, "TTL", "ResourceRecords", "AliasTarget"):
        if given.get(member) is not None:
            record[member] = given[member]
    return record


def _wrong(zone: Row, record: Record) -> str:
    name, type_ = record["Name"], record["Type"]
    if not NAME.match(name) or len(name) > LONGEST:
        return f"Invalid Resource Record: FATAL problem: DomainLabelEmpty or illegal character in '{name}'"
    if name != zone.name and not name.endswith("." + zone.name):
        return f"RRSet with DNS name {name} is not permitted in zone {zone.name}"
    if type_ not in TYPES:
        return f"Record type {type_} is not supported by latticewall"
    if wrong := _wrong_routing(record):
        return wrong
    if type_ == "CNAME" and name == zone.name:
        return f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone.name}"
    if "AliasTarget" in record:
        return "" if "ResourceRecords" not in record and "TTL" not in record else "An alias record has neither TTL nor values"
    if not record.get("ResourceRecords") or "TTL" not in record:
        return f"Missing field 'TTL' or 'ResourceRecords' in the record set {name} {type_}"
    return next((wrong for item in record["ResourceRecords"] if (wrong := _wrong_value(type_, str(item["Value"])))), "")


def _wrong_routing(record: Record) -> str:
    if used := [member for member in NO_ROUTING if member in record]:
        return f"Only simple, weighted and multivalue answer routing are supported by latticewall, not {', '.join(used)}"
    given = [member for member in ROUTING if record.get(member) is not None and record[member] is not False]
    if len(given) > 1 or bool(given) != bool(record.get("SetIdentifier")):
        return "Invalid request: a record set has a SetIdentifier together with exactly one of Weight and MultiValueAnswer, or none of them"
    if "Weight" in record and not 0 <= int(record["Weight"]) <= MOST_WEIGHT:
        return f"Invalid request: Weight {record['Weight']} is not between 0 and {MOST_WEIGHT}"
    if "MultiValueAnswer" in record and ("AliasTarget" in record or record["Type"] in ("CNAME", "NS", "SOA")):
        return f"Invalid request: multivalue answer routing is not for alias records and not for type {record['Type']}"
    return ""


def _wrong_value(type_: str, value: str) -> str:
    try:
        if type_ == "A":
            IPv4Address(value)
        elif type_ == "AAAA":
            IPv6Address(value)
    except AddressValueError:
        return f"Invalid Resource Record: FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid address) encountered with '{value}'"
    if type_ == "TXT" and not re.fullmatch(r'(?:"(?:[^"\\]|\\.)*"\s*)+', value):
        return f"Invalid Resource Record: FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with '{value}'"
    if not value.isprintable():
        return f"Invalid Resource Record: FATAL problem: control character (write it as an octal escape) encountered with {value!r}"
    try:
        dns.rdata.from_text("IN", type_, value)
    except dns.exception.DNSException as error:
        return f"Invalid Resource Record: FATAL problem: {type(error).__name__} ({error}) encountered with '{value}'"
    return ""
