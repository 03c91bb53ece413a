"""The authorizer's file: an AuthorizationPlan and derived signing keys, as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from latticewall.plan.proxy import AuthLayer, AuthorizationPlan, AuthPrincipal

SigningKeys = Mapping[str, Mapping[str, bytes]]
"""Access key id -> day and region ("20260102/us-west-2") -> kSigning."""


@dataclass(frozen=True)
class Configuration:
    """What the authorizer decides from. Keys are left out of its printed form."""

    plan: AuthorizationPlan
    keys: SigningKeys = field(repr=False)


def dump(configuration: Configuration) -> str:
    """The file's text; equal configurations give equal texts."""
    keys = {key_id: {good_for: key.hex() for good_for, key in scopes.items()} for key_id, scopes in configuration.keys.items()}
    return json.dumps({"plan": asdict(configuration.plan), "signingKeys": keys}, sort_keys=True, separators=(",", ":"))


def load(text: str) -> Configuration:
    """Read such a text. Raises ValueError (or a subclass) for anything else."""
    try:
        document = json.loads(text)
        keys = {key_id: {good_for: bytes.fromhex(key) for good_for, key in scopes.items()} for key_id, scopes in document["signingKeys"].items()}
        return Configuration(_plan(document["plan"]), keys)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an authorizer's configuration: {type(error).__name__} {error}") from error


def scope(day: str, region: str) -> str:
    """What a derived key is good for; day: yyyymmdd."""
    return f"{day}/{region}"


def digest(text: str) -> str:
    """What names a configuration between the applier and the process."""
    return hashlib.sha256(text.encode()).hexdigest()


def _plan(document: dict[str, Any]) -> AuthorizationPlan:
    return AuthorizationPlan(
        networks=tuple(AuthLayer(**layer) for layer in document["networks"]),
        services=tuple(AuthLayer(**layer) for layer in document["services"]),
        resource_tags=tuple((arn, _pairs(tags)) for arn, tags in document["resource_tags"]),
        vpc_owners=_pairs(document["vpc_owners"]),
        principals=tuple(_principal(principal) for principal in document["principals"]),
    )


def _principal(document: dict[str, Any]) -> AuthPrincipal:
    return AuthPrincipal(
        **{**document, "org_paths": tuple(document["org_paths"]), "tags": _pairs(document["tags"]), "policies": tuple(document["policies"])}
    )


def _pairs(items: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in items)
