"""A request's document: the bytes of any protocol as the members of the operation's input shape."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.apimodel.error_dialects import malformed
from latticewall.apimodel.shapes import Shape
from latticewall.wire import cbor, form, json_body, scalars, xml_body
from latticewall.wire.message import HttpRequest
from latticewall.wire.scalars import Malformed
from latticewall.wire.uri_template import uri_template


def parse(operation: Operation, request: HttpRequest) -> dict[str, Any]:
    """The input document with AWS's member names: timestamps as ISO 8601 text, blobs as bytes, numbers and booleans typed.

    Raises Invalid with the service's own code for a request that cannot be read. Constraints are `apimodel.constraints`' business.
    """
    if operation.input is None:
        return {}
    try:
        match operation.service.protocol:
            case "json":
                document = json_body.read(operation.input, json_body.load(request.body))
                return dict(document or {})
            case "smithy-rpc-v2-cbor":
                return dict(json_body.read(operation.input, cbor.load(request.body)) or {})
            case "query" | "ec2" as protocol:
                return form.read(operation.input, request.form, ec2=protocol == "ec2")
            case protocol:
                return _rest(operation, operation.input, request, xml=protocol == "rest-xml")
    except (Malformed, ValueError, RecursionError) as error:
        raise malformed(operation.service, _sentence(error)) from None


def _sentence(error: Exception) -> str:
    if isinstance(error, Malformed):
        text = str(error)
        return f"{text[:1].upper()}{text[1:]}"
    return "The request is nested too deeply" if isinstance(error, RecursionError) else "The request is not valid UTF-8"


def _rest(operation: Operation, shape: Shape, request: HttpRequest, *, xml: bool) -> dict[str, Any]:
    labels = uri_template(operation.request_uri).match(request.raw_path) or {}
    document: dict[str, Any] = {}
    for name, member in shape.located_members:
        value = _located(name, member, request, labels, shape)
        if value is not None:
            document[name] = value
    return document | _body(shape, request.body, xml=xml)


def _body(shape: Shape, body: bytes, *, xml: bool) -> dict[str, Any]:
    if shape.payload:
        payload = shape.members[shape.payload]
        if payload.type == "blob":
            return {shape.payload: body} if body else {}
        if payload.type in ("string", "character"):
            return {shape.payload: body.decode("utf-8")} if body else {}
        if not body.strip():
            return {}
        return {shape.payload: xml_body.read(payload, xml_body.load(body)) if xml else json_body.read(payload, json_body.load(body))}
    if not shape.body_members:
        return {}
    if xml:
        return xml_body.read_members(shape, xml_body.load(body)) if body.strip() else {}
    return dict(json_body.read(shape, json_body.load(body)) or {})


def _located(name: str, shape: Shape, request: HttpRequest, labels: Mapping[str, str], outer: Shape) -> Any:
    own = shape.location_name or name
    match shape.location:
        case "uri":
            return scalars.from_text(shape, labels[own]) if own in labels else None
        case "querystring":
            return _from_query(shape, own, request, outer)
        case "header":
            return _from_header(shape, own, request)
        case "headers":
            found = {key[len(own) :]: value for key, value in request.headers if key.lower().startswith(own.lower())}
            return found or None
    raise Malformed(f"the member {name} has the unknown location {shape.location}")


def _from_query(shape: Shape, own: str, request: HttpRequest, outer: Shape) -> Any:
    if shape.type == "map":
        known = {member.location_name or name for name, member in outer.members.items() if member.location == "querystring"}
        found: dict[str, Any] = {}
        for key, value in request.query:
            if key not in known and shape.value.type == "list":
                found.setdefault(key, []).append(value)
            elif key not in known:
                found.setdefault(key, value)
        return found or None
    values = [value for key, value in request.query if key == own]
    if shape.type == "list":
        return [scalars.from_text(shape.member, value) for value in values] or None
    return scalars.from_text(shape, values[0]) if values else None


def _from_header(shape: Shape, own: str, request: HttpRequest) -> Any:
    text = next((value for key, value in request.headers if key.lower() == own.lower()), None)
    if text is None:
        return None
    if shape.type != "list":
        return scalars.from_text(shape, text)
    if shape.member.type == "timestamp":  # an RFC 822 date has a comma of its own
        parts = text.split(",")
        return [scalars.timestamp(",".join(parts[at : at + 2]).strip()) for at in range(0, len(parts), 2)]
    items = next(csv.reader([text], skipinitialspace=True, escapechar="\\", doublequote=False), [])
    return [scalars.from_text(shape.member, item.strip()) for item in items]
