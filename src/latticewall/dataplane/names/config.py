"""The file between the control plane and the names process: a NamesPlan plus what must not be in a plan (credentials, the token key)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from latticewall.base.memo import Memo
from latticewall.base.secret import Secret
from latticewall.plan.names import MetadataInstance, NamesPlan, Record, Resolver, Zone

VERSION = 3
TOKEN_KEY_BYTES = 32

_T = TypeVar("_T")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class BadConfig(ValueError):
    """The file is not what `encode` writes; the message says where."""


@dataclass(frozen=True)
class Config:
    """What the process serves. digest: hex SHA-256 of the file. credentials: JSON document by instance id. token_key: signs IMDSv2 tokens.
    zones: those of all resolvers, by digest."""

    digest: str
    plan: NamesPlan
    token_key: bytes = field(repr=False)
    credentials: Mapping[str, Secret] = field(default_factory=dict)
    zones: Mapping[str, Zone] = field(default_factory=dict)


def encode(plan: NamesPlan, token_key: bytes, credentials: Mapping[str, Mapping[str, Any]], memo: Memo | None = None) -> bytes:
    """The file's bytes; equal input gives equal bytes, so that the digest tells whether anything changed. A zone that many VPCs have is there once, by the
    digest of its content. memo: with it, what was written out before is not again."""
    memo = memo or Memo()
    distinct = _distinct(plan)
    records = [record for zone in distinct for record in zone.records]
    written = iter(memo.map(_record_text, records))
    texts_of = memo.steady(_record_text, {zone.origin + str(number): tuple(islice(written, len(zone.records))) for number, zone in enumerate(distinct)})
    zones = memo.map(_zone_text, distinct, texts_of.values())
    texts = {zone.digest: zone.text for zone in zones}
    digests = {id(zone): text.digest for zone, text in zip(distinct, zones, strict=True)}
    members = {
        "version": _text_of(VERSION),
        "token_key": _text_of(base64.b64encode(token_key).decode()),
        "zones": "{" + ",".join(f'"{digest}":{texts[digest]}' for digest in sorted(texts)) + "}",
        "resolvers": _text_of([_resolver_document(resolver, digests) for resolver in plan.resolvers]),
        "metadata": "[" + ",".join(memo.map(_instance_text, plan.metadata)) + "]",
        "credentials": _text_of({instance_id: dict(document) for instance_id, document in credentials.items()}),
    }
    return ("{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}").encode()


class _ZoneText(NamedTuple):
    digest: str
    text: str


def _distinct(plan: NamesPlan) -> list[Zone]:
    """The zones of all resolvers, each object once."""
    return list({id(zone): zone for resolver in plan.resolvers for zone in resolver.zones}.values())


def _record_text(record: Record) -> str:
    return _text_of({"name": record.name, "type": record.type, "ttl": record.ttl, "values": record.values, "weight": record.weight})


def _zone_text(zone: Zone, records: tuple[str, ...]) -> _ZoneText:
    text = f'{{"origin":{_text_of(zone.origin)},"records":[{",".join(records)}]}}'
    return _ZoneText(hashlib.blake2b(text.encode(), digest_size=16).hexdigest(), text)


def _resolver_document(resolver: Resolver, digests: Mapping[int, str]) -> dict[str, Any]:
    return {
        "vpc_id": resolver.vpc_id, "namespace": resolver.namespace, "addresses": resolver.addresses, "enabled": resolver.enabled,
        "zones": [digests[id(zone)] for zone in resolver.zones],
    }  # fmt: skip


def _instance_text(instance: MetadataInstance) -> str:
    return _text_of(asdict(instance))


def _text_of(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def decode(content: bytes, known: Mapping[str, Zone] | None = None) -> Config:
    """The file's meaning. known: zones by digest that were read before; they stay the same objects. Raises BadConfig when it is not complete and well-formed:
    the caller keeps what it has."""
    known = known or {}
    try:
        document = json.loads(content)
        if document["version"] != VERSION:
            raise BadConfig(f"version {document['version']!r}, this program reads {VERSION}")
        key = base64.b64decode(document["token_key"], validate=True)
        if len(key) < TOKEN_KEY_BYTES:
            raise BadConfig(f"token_key has {len(key)} bytes, at least {TOKEN_KEY_BYTES} are needed")
        zones = {digest: known.get(digest) or _zone(item) for digest, item in document["zones"].items()}
        plan = NamesPlan(
            resolvers=_each(document["resolvers"], partial(_resolver, zones)),
            metadata=_each(document["metadata"], _instance),
        )
        credentials = {str(name): Secret(json.dumps(value, indent=2)) for name, value in document["credentials"].items()}
    except BadConfig:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadConfig(f"{type(error).__name__}: {error}") from error
    return Config(digest_of(content), plan, key, credentials, zones)


def _resolver(zones: Mapping[str, Zone], item: Mapping[str, Any]) -> Resolver:
    return Resolver(
        vpc_id=_text(item["vpc_id"]),
        namespace=_namespace(item["namespace"]),
        addresses=_each(item["addresses"], _text),
        zones=tuple(zones[digest] for digest in _each(item["zones"], _text)),
        enabled=_flag(item["enabled"]),
    )


def _zone(item: Mapping[str, Any]) -> Zone:
    return Zone(_text(item["origin"]), _each(item["records"], _record))


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


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadConfig(f"expected true or false, found {type(value).__name__}")
    return value
