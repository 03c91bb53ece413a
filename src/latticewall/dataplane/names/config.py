"""The file between the control plane and the names process: a NamesPlan plus what must not be in a plan (credentials, the token key)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from latticewall.base.secret import Secret
from latticewall.plan.names import MetadataInstance, NamesPlan, Record, Resolver, Zone

VERSION = 1
TOKEN_KEY_BYTES = 32

_T = TypeVar("_T")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class BadConfig(ValueError):
    """The file is not what `encode` writes; the message says where."""


@dataclass(frozen=True)
class Config:
    """What the process serves. digest: hex SHA-256 of the file. credentials: JSON document by instance id. token_key: signs IMDSv2 tokens."""

    digest: str
    plan: NamesPlan
    token_key: bytes = field(repr=False)
    credentials: Mapping[str, Secret] = field(default_factory=dict)


def encode(plan: NamesPlan, token_key: bytes, credentials: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The file's bytes; equal input gives equal bytes, so that the digest tells whether anything changed."""
    document = {
        "version": VERSION,
        "token_key": base64.b64encode(token_key).decode(),
        "resolvers": [asdict(resolver) for resolver in plan.resolvers],
        "metadata": [asdict(instance) for instance in plan.metadata],
        "credentials": {instance_id: dict(document) for instance_id, document in credentials.items()},
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def decode(content: bytes) -> Config:
    """The file's meaning. Raises BadConfig when it is not complete and well-formed: the caller keeps what it has."""
    try:
        document = json.loads(content)
        if document["version"] != VERSION:
            raise BadConfig(f"version {document['version']!r}, this program reads {VERSION}")
        key = base64.b64decode(document["token_key"], validate=True)
        if len(key) < TOKEN_KEY_BYTES:
            raise BadConfig(f"token_key has {len(key)} bytes, at least {TOKEN_KEY_BYTES} are needed")
        plan = NamesPlan(
            resolvers=_each(document["resolvers"], _resolver),
            metadata=_each(document["metadata"], _instance),
        )
        credentials = {str(name): Secret(json.dumps(value, indent=2)) for name, value in document["credentials"].items()}
    except BadConfig:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadConfig(f"{type(error).__name__}: {error}") from error
    return Config(digest_of(content), plan, key, credentials)


def _resolver(item: Mapping[str, Any]) -> Resolver:
    return Resolver(
        vpc_id=_text(item["vpc_id"]),
        namespace=_namespace(item["namespace"]),
        addresses=_each(item["addresses"], _text),
        zones=_each(item["zones"], _zone),
        enabled=_flag(item["enabled"]),
    )


def _zone(item: Mapping[str, Any]) -> Zone:
    return Zone(_text(item["origin"]), _each(item["records"], _record))


def _record(item: Mapping[str, Any]) -> Record:
    return Record(_text(item["name"]), _text(item["type"]), _number(item["ttl"]), _each(item["values"], _text))


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
