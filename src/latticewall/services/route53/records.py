"""Record sets: what is accepted, and how a batch of changes is applied.

Pages: "ChangeResourceRecordSets", "Supported DNS record types". Simple routing only; alias records to names that this region serves.
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
ROUTING = ("SetIdentifier", "Weight", "Region", "Failover", "GeoLocation", "MultiValueAnswer", "HealthCheckId", "CidrRoutingConfig", "GeoProximityLocation")


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


def is_listed_before(record: Record, name: str, type_: str) -> bool:
    return (record_order(record["Name"]), record["Type"]) < (record_order(name), type_)


def _batch(messages: list[str]) -> Invalid:
    return Invalid("[" + ", ".join(messages) + "]", code="InvalidChangeBatch", members={"messages": messages})


def change_records(zone: Row, changes: list[dict[str, Any]]) -> list[Record]:
    """The zone's records after the batch. Raises InvalidChangeBatch with every reason; then nothing is changed."""
    records: dict[tuple[str, str], Record] = {(record["Name"], record["Type"]): record for record in zone.document["_records"]}
    messages: list[str] = []
    for change in changes:
        record = normalise(change["ResourceRecordSet"])
        key = (record["Name"], record["Type"])
        what = f"[name='{key[0]}', type='{key[1]}']"
        if message := _wrong(zone, record):
            messages.append(message)
        elif change["Action"] == "DELETE":
            messages += _delete(records, key, record, what, zone)
        elif change["Action"] == "CREATE" and key in records:
            messages.append(f"Tried to create resource record set {what} but it already exists")
        elif other := _clash(records, key):
            messages.append(f"RRSet of type {key[1]} with DNS name {key[0]} is not permitted because of a conflict with the RRSet of type {other}")
        else:
            records[key] = record
    if messages:
        raise _batch(messages)
    return [records[key] for key in sorted(records, key=lambda key: (record_order(key[0]), key[1]))]


def _delete(records: dict[tuple[str, str], Record], key: tuple[str, str], record: Record, what: str, zone: Row) -> list[str]:
    if key not in records:
        return [f"Tried to delete resource record set {what} but it was not found"]
    if records[key] != record:
        return [f"Tried to delete resource record set {what} but the values provided do not match the current values"]
    if key[0] == zone.name and key[1] in ("NS", "SOA"):
        return [f"A HostedZone must contain exactly one {key[1]} record for the zone itself."]
    del records[key]
    return []


def _clash(records: dict[tuple[str, str], Record], key: tuple[str, str]) -> str:
    """A CNAME stands alone at its name."""
    others = [type_ for name, type_ in records if name == key[0] and type_ != key[1]]
    if key[1] == "CNAME" and others:
        return others[0]
    return "CNAME" if "CNAME" in others else ""


def normalise(given: dict[str, Any]) -> Record:
    """As it is stored: absolute lower-case name, values as given."""
    name = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), str(given["Name"])).lower().removesuffix(".") + "."
    record: Record = {"Name": name, "Type": given["Type"]}
    for member in ("TTL", "ResourceRecords", "AliasTarget", *ROUTING):
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
    if used := [member for member in ROUTING if member in record]:
        return f"Only simple routing is supported by latticewall, not {', '.join(used)}"
    if type_ == "CNAME" and name == zone.name:
        return f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone.name}"
    if "AliasTarget" in record:
        return "" if "ResourceRecords" not in record and "TTL" not in record else "An alias record has neither TTL nor values"
    if not record.get("ResourceRecords") or "TTL" not in record:
        return f"Missing field 'TTL' or 'ResourceRecords' in the record set {name} {type_}"
    return next((wrong for item in record["ResourceRecords"] if (wrong := _wrong_value(type_, str(item["Value"])))), "")


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
