"""Profiles: which roles may be assumed, within which session policies, and what of a certificate becomes tags ("CreateProfile", "Certificate attribute
mapping")."""

from __future__ import annotations

import re

from latticewall.base.faults import Invalid
from latticewall.policy.document import Form, parse_policy
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.rolesanywhere.kinds import PROFILE
from latticewall.services.rolesanywhere.shared import about, refuse_unsupported

DEFAULT_SECONDS = 3600
DEFAULT_MAPPING = {"x509Issuer": ["*"], "x509SAN": ["DNS", "URI", "Name/*"], "x509Subject": ["*"]}
_SPECIFIER = {
    "x509Issuer": re.compile(r"\*|[A-Za-z0-9.]+(/\d+)?"),
    "x509Subject": re.compile(r"\*|[A-Za-z0-9.]+(/\d+)?"),
    "x509SAN": re.compile(r"(DNS|URI)(/\d+)?|Name/(\*|[A-Za-z0-9.]+(/\d+)?)"),
}
_KEPT = ("sessionPolicy", "roleArns", "managedPolicyArns", "durationSeconds", "acceptRoleSessionName")


def create(ctx: Context, params: Document) -> Document:
    refuse_unsupported(params)
    document = {
        "durationSeconds": DEFAULT_SECONDS, "acceptRoleSessionName": False, "managedPolicyArns": [], **_checked(params), "name": params["name"],
        "enabled": bool(params.get("enabled")), "createdBy": ctx.caller.account, "requireInstanceProperties": False,
        "attributeMappings": _as_list(DEFAULT_MAPPING),
    }  # fmt: skip
    row = ctx.create(PROFILE, document, id=ctx.new_uuid(), name=params["name"], tags=tags.read(params.get("tags")))
    return {"profile": ctx.view(row)}


def update(ctx: Context, params: Document) -> Document:
    refuse_unsupported(params)
    row = ctx.resolve(PROFILE, params["profileId"])
    members = _checked(params)
    if params.get("name"):
        row.name = members["name"] = params["name"]
    return {"profile": ctx.view(ctx.change(row, members))}


def _checked(params: Document) -> Document:
    """The members given. Raises ValidationException for what no session could come of."""
    given = {member: params[member] for member in _KEPT if params.get(member) is not None}
    try:
        if policy := given.get("sessionPolicy"):
            parse_policy(policy, Form.IDENTITY)
    except Invalid as fault:
        raise Invalid(fault.message) from fault
    for arn in given.get("managedPolicyArns", ()):
        if not re.fullmatch(r"arn:aws:iam::(\d{12}|aws):policy/.+", arn):
            raise Invalid(f"Invalid managed policy ARN: {arn}")
    return given


def put_mapping(ctx: Context, params: Document) -> Document:
    """Replaces the rules of one field of certificates."""
    row = ctx.resolve(PROFILE, params["profileId"])
    field, specifiers = params["certificateField"], [rule["specifier"] for rule in params["mappingRules"]]
    for specifier in specifiers:
        if not _SPECIFIER[field].fullmatch(specifier):
            raise Invalid(f"Invalid specifier for {field}: {specifier}")
    mapping = {**mapping_of(row.document), field: list(dict.fromkeys(specifiers))}
    return {"profile": ctx.view(ctx.change(row, {"attributeMappings": _as_list(mapping)}))}


def delete_mapping(ctx: Context, params: Document) -> Document:
    """Without specifiers: all rules of the field."""
    row = ctx.resolve(PROFILE, params["profileId"])
    mapping, field, gone = mapping_of(row.document), params["certificateField"], params.get("specifiers") or []
    left = [specifier for specifier in mapping.get(field, []) if specifier not in gone] if gone else []
    return {"profile": ctx.view(ctx.change(row, {"attributeMappings": _as_list({**mapping, field: left})}))}


def mapping_of(document: Document) -> dict[str, list[str]]:
    """Field of certificates -> specifiers."""
    return {mapping["certificateField"]: [rule["specifier"] for rule in mapping["mappingRules"]] for mapping in document["attributeMappings"]}


def _as_list(mapping: dict[str, list[str]]) -> list[Document]:
    return [
        {"certificateField": field, "mappingRules": [{"specifier": specifier} for specifier in specifiers]}
        for field, specifiers in sorted(mapping.items())
        if specifiers
    ]


OPERATIONS: dict[str, Handler] = {
    **about(PROFILE, "profile", "Profiles"),
    "CreateProfile": create,
    "UpdateProfile": update,
    "PutAttributeMapping": put_mapping,
    "DeleteAttributeMapping": delete_mapping,
}
