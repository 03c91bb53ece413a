"""The file between the control plane and the `functions` process: a FunctionsPlan plus what must not be in a plan (credentials, environment variables)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from latticewall.base.secret import Secret
from latticewall.plan.functions import Function, FunctionsPlan, FunctionTarget, FunctionVersion

VERSION = 1


class BadConfig(ValueError):
    """The file is not what `encode` writes; the message says where."""


@dataclass(frozen=True)
class Config:
    """What the process serves. digest: hex SHA-256 of the file. credentials: by function ARN, as the variables that SDKs read."""

    digest: str
    plan: FunctionsPlan
    credentials: Mapping[str, Mapping[str, Secret]] = field(default_factory=dict)

    def function(self, arn: str) -> Function | None:
        return next((function for function in self.plan.functions if function.arn == arn), None)


def encode(plan: FunctionsPlan, credentials: Mapping[str, Mapping[str, str]]) -> bytes:
    """The file's bytes; equal input gives equal bytes, so that the digest tells whether anything changed."""
    document = {
        "version": VERSION,
        "functions": [_function_document(function) for function in plan.functions],
        "targets": [asdict(target) for target in plan.targets],
        "credentials": {arn: dict(variables) for arn, variables in credentials.items()},
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _function_document(function: Function) -> dict[str, Any]:
    versions = [
        {**asdict(version), "environment": [[name, value.reveal()] for name, value in version.environment]} for version in function.versions
    ]  # fmt: skip
    return {**asdict(function), "versions": versions}


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def decode(content: bytes) -> Config:
    """The file's meaning. Raises BadConfig when it is not complete and well-formed: the caller keeps what it has."""
    try:
        document = json.loads(content)
        if document["version"] != VERSION:
            raise BadConfig(f"version {document['version']!r}, this program reads {VERSION}")
        plan = FunctionsPlan(
            functions=tuple(_function(item) for item in document["functions"]), targets=tuple(FunctionTarget(**item) for item in document["targets"])
        )
        credentials = {arn: {name: Secret(value) for name, value in given.items()} for arn, given in document["credentials"].items()}
    except BadConfig:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadConfig(f"{type(error).__name__}: {error}") from error
    return Config(digest_of(content), plan, credentials)


def _function(item: Mapping[str, Any]) -> Function:
    aliases = tuple((str(name), tuple((str(version), float(weight)) for version, weight in weights)) for name, weights in item["aliases"])
    return Function(**{**item, "versions": tuple(_version(version) for version in item["versions"]), "aliases": aliases})


def _version(item: Mapping[str, Any]) -> FunctionVersion:
    return FunctionVersion(**{**item, "environment": tuple((str(name), Secret(value)) for name, value in item["environment"])})
