"""The file between the control plane and the names process: a NamesPlan plus what must not be in a plan (credentials, the token key).

A line is a document, and a change is a few other lines: the writer writes out what differs, and the reader reads lines that it does not know. The records of a
zone are spread over lines by their names; the zone follows them, then the sets of zones that resolvers have, the resolvers, and the instances.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from latticewall.base.memo import Memo
from latticewall.base.secret import Secret
from latticewall.plan.names import MetadataInstance, NamesPlan, Record, Resolver, Zone

VERSION = 4
TOKEN_KEY_BYTES = 32
SMALL_ZONE = 64
"""Records that are all on one line."""
LINES = 64
"""Over which the records of a larger zone are spread."""

_T = TypeVar("_T")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class BadConfig(ValueError):
    """The file is not what `encode` writes; the message says where."""


class Line(NamedTuple):
    """What a line says, read. kind: records, zone, zones, resolver or instance."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Known:
    """What a file was made of: lines as they were read, zones by origin and the lines of their records, sets of zones. It stays the same in the next file."""

    lines: Mapping[bytes, Line] = field(default_factory=dict)
    zones: Mapping[tuple[Any, ...], Zone] = field(default_factory=dict)
    sets: Mapping[tuple[int, ...], tuple[Zone, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """What the process serves. digest: hex SHA-256 of the file. credentials: JSON document by instance id. token_key: signs IMDSv2 tokens.
    known: for the next file."""

    digest: str
    plan: NamesPlan
    token_key: bytes = field(repr=False)
    credentials: Mapping[str, Secret] = field(default_factory=dict)
    known: Known = field(default_factory=Known, repr=False, compare=False)

    @property
    def zones(self) -> Iterable[Zone]:
        """Those of all resolvers."""
        return self.known.zones.values()


def encode(plan: NamesPlan, token_key: bytes, credentials: Mapping[str, Mapping[str, Any]], memo: Memo | None = None) -> bytes:
    """The file's bytes; equal input gives equal bytes, so that the digest tells whether anything changed. A zone that many VPCs have is there once, and so is a
    set of zones. memo: with it, what was written out before is not again."""
    memo = memo or Memo()
    held = {id(resolver.zones): resolver.zones for resolver in plan.resolvers}
    zones = list({id(zone): zone for of_resolver in held.values() for zone in of_resolver}.values())
    zone_at = {id(zone): at for at, zone in enumerate(zones)}
    sets = {key: tuple(zone_at[id(zone)] for zone in of_resolver) for key, of_resolver in held.items()}
    set_at = {places: at for at, places in enumerate(dict.fromkeys(sets.values()))}
    parts = memo.parts("zones", [(zone.origin, at) for at, zone in enumerate(zones)]).values()
    lines = [
        *chain.from_iterable(part.once(_zone_lines, part, zone) for part, zone in zip(parts, zones, strict=True)),
        *(_text_of({"zones": places}) for places in set_at),
        *memo.map(_resolver_line, *zip(*map(_OWN, plan.resolvers), strict=True), [set_at[sets[id(resolver.zones)]] for resolver in plan.resolvers]),
        *memo.map(_instance_line, plan.metadata),
    ]
    header = {
        "version": VERSION, "lines": len(lines), "token_key": base64.b64encode(token_key).decode(),
        "credentials": {instance_id: dict(document) for instance_id, document in credentials.items()},
    }  # fmt: skip
    return "\n".join((_text_of(header), *lines)).encode()


def _zone_lines(memo: Memo, zone: Zone) -> tuple[str, ...]:
    """Of a zone that has grown or shrunk by a record, one line of records is another one."""
    if len(zone.records) <= SMALL_ZONE:
        groups: list[tuple[Record, ...]] = [zone.records]
    else:
        found = memo.grouped(_line_of, memo.map(_line_of, zone.records), zone.records)
        groups = [found[line] for line in sorted(found)]
    return (*memo.map(_records_line, groups), _text_of({"zone": {"origin": zone.origin, "records": len(groups)}}))


def _line_of(record: Record) -> int:
    return crc32(record.name.encode()) % LINES


def _records_line(records: tuple[Record, ...]) -> str:
    found = [{"name": item.name, "type": item.type, "ttl": item.ttl, "values": item.values, "weight": item.weight} for item in records]
    return _text_of({"records": found})


def _resolver_line(vpc_id: str, namespace: str, addresses: tuple[str, ...], enabled: bool, zones: int) -> str:
    return _text_of({"resolver": {"vpc_id": vpc_id, "namespace": namespace, "addresses": addresses, "enabled": enabled, "zones": zones}})


def _instance_line(instance: MetadataInstance) -> str:
    return _text_of({"instance": asdict(instance)})


_OWN = attrgetter("vpc_id", "namespace", "addresses", "enabled")
"""What a resolver is apart from its zones, which change more often."""


def _text_of(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def decode(content: bytes, known: Known | None = None) -> Config:
    """The file's meaning. known: of the file that was read before; what is the same in both stays the same objects. Raises BadConfig when it is not complete
    and well-formed: the caller keeps what it has."""
    first, *lines = content.split(b"\n")
    try:
        header = json.loads(first)
        if header["version"] != VERSION:
            raise BadConfig(f"version {header['version']!r}, this program reads {VERSION}")
        if header["lines"] != len(lines):
            raise BadConfig(f"{len(lines)} lines, not {header['lines']}")
        key = base64.b64decode(header["token_key"], validate=True)
        if len(key) < TOKEN_KEY_BYTES:
            raise BadConfig(f"token_key has {len(key)} bytes, at least {TOKEN_KEY_BYTES} are needed")
        plan, found = _plan(lines, known or Known())
        credentials = {str(name): Secret(json.dumps(value, indent=2)) for name, value in header["credentials"].items()}
    except BadConfig:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise BadConfig(f"{type(error).__name__}: {error}") from error
    return Config(digest_of(content), plan, key, credentials, found)


def _plan(texts: list[bytes], known: Known) -> tuple[NamesPlan, Known]:
    lines = {text: known.lines.get(text) or _line(text) for text in texts}
    zones: dict[tuple[Any, ...], Zone] = {}
    sets: dict[tuple[int, ...], tuple[Zone, ...]] = {}
    records: list[tuple[Record, ...]] = []
    in_order: list[Zone] = []
    held: list[tuple[Zone, ...]] = []
    resolvers: list[Resolver] = []
    metadata: list[MetadataInstance] = []
    for kind, value in map(lines.__getitem__, texts):
        if kind == "records":
            records.append(value)
        elif kind == "zone":
            origin, count = value
            if count != len(records):
                raise BadConfig(f"{len(records)} lines of records of {origin}, not {count}")
            of_zone = (origin, *map(id, records))  # `lines`, of both files, keep them alive
            zones[of_zone] = zone = known.zones.get(of_zone) or Zone(origin, tuple(sorted(chain.from_iterable(records), key=attrgetter("name"))))
            in_order.append(zone)
            records = []
        elif kind == "zones":
            found = [in_order[at] for at in value]
            of_set = tuple(map(id, found))
            sets[of_set] = known.sets.get(of_set) or tuple(found)
            held.append(sets[of_set])
        elif kind == "resolver":
            own, at = value
            resolvers.append(Resolver(**own, zones=held[at]))
        else:
            metadata.append(value)
    return NamesPlan(tuple(resolvers), tuple(metadata)), Known(lines, zones, sets)


def _line(text: bytes) -> Line:
    ((kind, value),) = json.loads(text).items()
    return Line(kind, _READ[kind](value))


def _records(value: Any) -> tuple[Record, ...]:
    return _each(value, _record)


def _zone(item: Mapping[str, Any]) -> tuple[str, int]:
    return _text(item["origin"]), _place(item["records"])


def _set(value: Any) -> tuple[int, ...]:
    return _each(value, _place)


def _resolver(item: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Its members, and which set of zones it has."""
    own = {
        "vpc_id": _text(item["vpc_id"]), "namespace": _namespace(item["namespace"]), "addresses": _each(item["addresses"], _text),
        "enabled": _flag(item["enabled"]),
    }  # fmt: skip
    return own, _place(item["zones"])


def _record(item: Mapping[str, Any]) -> Record:
    return Record(_text(item["name"]), _text(item["type"]), _number(item["ttl"]), _each(item["values"], _text), _number(item["weight"]))


def _instance(item: Mapping[str, Any]) -> MetadataInstance:
    return MetadataInstance(
        instance_id=_text(item["instance_id"]),
        namespace=_namespace(item["namespace"]),
        addresses=_each(item["addresses"], _text),
        documents=_each(item["documents"], _document),
        role_name=_text(item["role_name"]),
        role_arn=_text(item["role_arn"]),
        http_tokens=_text(item["http_tokens"]),
        http_endpoint=_text(item["http_endpoint"]),
        hop_limit=_number(item["hop_limit"]),
    )


def _document(item: Any) -> tuple[str, str]:
    path, text = item
    return _text(path), _text(text)


def _each(items: Any, one: Callable[[Any], _T]) -> tuple[_T, ...]:
    if not isinstance(items, list):
        raise BadConfig(f"expected a list, found {type(items).__name__}")
    return tuple(one(item) for item in items)


def _namespace(value: Any) -> str:
    """A file name, and nothing that could lead elsewhere."""
    name = _text(value)
    if not _NAMESPACE.fullmatch(name):
        raise BadConfig(f"{name!r} is not the name of a namespace")
    return name


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadConfig(f"expected text, found {type(value).__name__}")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadConfig(f"expected a number, found {type(value).__name__}")
    return value


def _place(value: Any) -> int:
    """How many, or the how manieth."""
    place = _number(value)
    if place < 0:
        raise BadConfig(f"{place} is below nought")
    return place


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadConfig(f"expected true or false, found {type(value).__name__}")
    return value


_READ: Mapping[str, Callable[[Any], Any]] = {"records": _records, "zone": _zone, "zones": _set, "resolver": _resolver, "instance": _instance}
