"""AuthorizationPlan -> the proxy's tables: one Lua chunk for each layer, identity and access key, by file name.

A chunk is loaded with the run-time library of compiled policies as its argument and returns a table. Texts reach it only as quoted literals. A policy that
cannot be read allows nothing. Pages followed: VPC Lattice User Guide, "Control access to VPC Lattice services using auth policies", "HTTP targets in VPC
Lattice" (identity headers).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from latticewall.base.faults import Fault
from latticewall.base.x509_attributes import X509_ATTRIBUTES
from latticewall.plan.authorization import AuthIdentity, AuthKey, AuthLayer
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.lattice import INVOKE
from latticewall.policy.request import Principal, principal_context, together
from latticewall.policy.to_lua import compile_set, literal

NOTHING = "function() return 0, -1 end"
"""The evaluator of a layer that allows nothing."""


class Code(str):
    """Lua source, as opposed to a text that becomes a literal."""

    __slots__ = ()


def layer_chunk(layer: AuthLayer) -> str:
    """A service network's or service's table: id, arn, account, region, auth, audit, policy (evaluator, absent without a policy), c (condition keys)."""
    segments = layer.arn.split(":")
    condition_keys: dict[str, Any] = {f"aws:ResourceTag/{key}": value for key, value in layer.tags}
    condition_keys |= {"aws:ResourceAccount": segments[4], "aws:RequestedRegion": segments[3]}
    if layer.org_id:
        condition_keys |= {"aws:ResourceOrgID": layer.org_id, "aws:ResourceOrgPaths": list(layer.org_paths)}
    members: dict[str, Any] = {
        "id": layer.id,
        "arn": layer.arn,
        "region": segments[3],
        "account": segments[4],
        "auth": layer.auth_type,
        "audit": layer.audit,
        "c": _canonical(condition_keys),
    }
    if layer.policy:
        members["policy"] = evaluator((layer.policy,), Form.AUTH)
    return _chunk(members)


def identity_chunk(identity: AuthIdentity) -> str:
    """The table of a holder of identity policies: identity, boundary (absent without), scp (list)."""
    members: dict[str, Any] = {"identity": evaluator(identity.policies, Form.IDENTITY)}
    members["scp"] = [evaluator(level, Form.SERVICE_CONTROL) for level in identity.service_control]
    if identity.boundary:
        members["boundary"] = evaluator((identity.boundary,), Form.IDENTITY)
    return _chunk(members)


def key_chunk(key: AuthKey, signing: Mapping[str, bytes], ecdsa: bytes) -> str:
    """An access key's table. signing: kSigning by day and region ("20260102/us-west-2"). ecdsa: the public point of SigV4A, 65 bytes."""
    principal = principal_of(key)
    members: dict[str, Any] = {
        "id": key.access_key_id,
        "identity": key.identity,
        "signing": dict(signing),
        "ecdsa": ecdsa,
        "token_digest": bytes.fromhex(key.token_digest),
        "expires": _epoch(key.expires),
        "principal": {
            "type": principal.type,
            "arn": principal.arn,
            "account": principal.account,
            "role_arn": principal.role_arn,
            "role_id": principal.userid.partition(":")[0] if principal.role_arn else "",
            "userid": principal.userid,
        },
        "p": _canonical(principal_context(principal)),
        "identity_header": identity_header(key),
        "org": key.org_id,
        "tags_json": json.dumps(dict(key.tags), separators=(",", ":"), ensure_ascii=False) if key.tags else "",
        "tags_header": tags_header(key),
        "certificate": certificate_members(key),
    }
    if key.session_policies:
        members["session"] = evaluator(key.session_policies, Form.IDENTITY)
    return _chunk(members)


@lru_cache(maxsize=4096)
def evaluator(texts: tuple[str, ...], form: Form) -> Code:
    """Lua source of the evaluator of some policies, as far as they speak of requests to services; kept, because most of them stay as they were."""
    try:
        policies = [parse_policy(text, form) for text in texts]
        return Code(f"(function() {compile_set(policies, actions=(INVOKE,))}\nend)()(rt)")
    except Fault:
        return Code(NOTHING)


def _chunk(members: Mapping[str, Any]) -> str:
    """The source of a chunk that returns these members."""
    return "local rt = ...\nreturn {\n" + "".join(f"{name} = {_value(value)},\n" for name, value in members.items()) + "}\n"


def _value(value: Any) -> str:
    if isinstance(value, Code):
        return value
    if isinstance(value, list) and value and isinstance(value[0], Code):
        return "{" + ", ".join(value) + "}"
    return literal(_whole(value))


def _whole(value: Any) -> Any:
    """The value without halves of surrogate pairs, which JSON can express (in a tag, say) and no text on a wire can be."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def _canonical(keys: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
    """Condition keys under the names by which compiled policies look them up."""
    found = together({name: value if isinstance(value, str) else tuple(value) for name, value in keys.items()})
    return {name: value if isinstance(value, str) else list(value) for name, value in found.items()}


def principal_of(key: AuthKey) -> Principal:
    """The caller behind an access key, as policies see it."""
    return Principal(
        arn=key.arn,
        account=key.account,
        type=key.principal_type,
        role_arn=key.role_arn,
        userid=key.user_id,
        username=key.arn.rpartition("/")[2] if key.principal_type == "User" else "",
        tags=dict(key.tags),
        org_id=key.org_id,
        org_paths=key.org_paths,
        session_keys=dict(key.keys),
    )


def identity_header(key: AuthKey) -> str:
    """`x-amzn-lattice-identity`: what targets are told about an authenticated caller; pairs without a value stay. No value (the path of a user may hold
    semicolons) begins another pair."""
    session = key.arn.rpartition("/")[2] if key.principal_type == "AssumedRole" else ""
    pairs = {"Principal": key.arn, "PrincipalOrgID": key.org_id, "PrincipalOrgPaths": ",".join(key.org_paths), "SessionName": session, "Type": "AWS_IAM"}
    if key.certified:
        tags = dict(key.tags)
        pairs |= {name: tags.get(tag, "") for tag, name, _ in X509_ATTRIBUTES}
    return "; ".join(f"{name}={_header_text(value).replace(';', '%3B')}" for name, value in pairs.items())


def certificate_members(key: AuthKey) -> dict[str, str]:
    """The members of the access log that speak of the caller's certificate; {} for a caller without one."""
    tags = dict(key.tags) if key.certified else {}
    return {member: tags[tag] for tag, _, member in X509_ATTRIBUTES if tag in tags}


def tags_header(key: AuthKey) -> str:
    """`x-amzn-lattice-identity-tags`, "" for a caller without tags."""
    if not key.tags:
        return ""
    tags = [("principal", key.arn), ("principalorgid", key.org_id), ("principalorgpath", ",".join(key.org_paths)), *key.tags]
    return ";".join(f"{_header_text(name)}={_header_text(value)}".replace(";", "\\;") for name, value in tags)


def _header_text(text: str) -> str:
    """Nothing that could end a header line."""
    return "".join(character for character in text if character.isprintable())


def _epoch(text: str) -> int:
    """Seconds since 1970 of an ISO 8601 time; 0 for none."""
    if not text:
        return 0
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
