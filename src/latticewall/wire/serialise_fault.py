"""A refusal's bytes, in the form each protocol gives an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.apimodel.catalog import Service
from latticewall.apimodel.error_dialects import dialect
from latticewall.apimodel.shapes import Shape
from latticewall.base.faults import Fault
from latticewall.wire import json_body, xml_body
from latticewall.wire.message import Headers, HttpResponse
from latticewall.wire.serialise import QUERY_STYLE, XML, json_type


def serialise_fault(service: Service | None, fault: Fault, request_id: str) -> HttpResponse:
    """The error answer of a service; of no service, where the request did not say which, plain JSON."""
    if service is None:
        code = fault.code or "UnknownOperationException"
        headers = (("x-amzn-RequestId", request_id), ("Content-Type", "application/json"), ("x-amzn-ErrorType", code))
        return HttpResponse(fault.status, headers, json_body.dump({"__type": code, "message": fault.message}))
    code, status, members = dialect(service).code_and_members(fault)
    shape = service.errors.get(code)
    match service.protocol:
        case "json" | "rest-json":
            return _json(service, code, status, members, shape, request_id)
        case "ec2":
            return _ec2(code, status, members, request_id)
        case _:
            return _xml(service, code, status, members, shape, request_id)


def _message(members: Mapping[str, Any]) -> str:
    return str(next((value for name, value in members.items() if name.lower() == "message"), ""))


def _json(
    service: Service, code: str, status: int, members: Mapping[str, Any], shape: Shape | None, request_id: str
) -> HttpResponse:
    """json names the error in the body, rest-json in a header as well; the message member is spelled as the model spells it."""
    body = json_body.write_members(shape, members) if shape else {}
    if not any(name.lower() == "message" for name in body):
        body["Message" if service.name == "network-firewall" else "message"] = _message(members)
    headers: list[tuple[str, str]] = [("x-amzn-RequestId", request_id), ("Content-Type", json_type(service))]
    if service.protocol == "rest-json":
        headers.append(("x-amzn-ErrorType", code))
        headers += _located(shape, members)
    return HttpResponse(status, tuple(headers), json_body.dump({"__type": code, **body}))


def _located(shape: Shape | None, members: Mapping[str, Any]) -> Headers:
    """Members of an error that travel as headers, such as Lattice's Retry-After."""
    found = shape.members.items() if shape else ()
    return tuple(
        (member.location_name or name, str(members[name])) for name, member in found if member.location == "header" and name in members
    )


def _ec2(code: str, status: int, members: Mapping[str, Any], request_id: str) -> HttpResponse:
    error = xml_body.element("Error", xml_body.text_element("Code", code) + xml_body.text_element("Message", _message(members)))
    root = xml_body.element("Response", xml_body.element("Errors", error) + xml_body.text_element("RequestID", request_id))
    return HttpResponse(status, (("x-amzn-RequestId", request_id), ("Content-Type", XML)), xml_body.document(root))


def _xml(
    service: Service, code: str, status: int, members: Mapping[str, Any], shape: Shape | None, request_id: str
) -> HttpResponse:
    """query and rest-xml: the standard envelope, and inside it the further members the model gives the error."""
    further = {name: value for name, value in members.items() if name.lower() != "message"}
    error = "".join(
        (
            xml_body.text_element("Type", "Receiver" if status >= 500 else "Sender"),
            xml_body.text_element("Code", code),
            xml_body.text_element("Message", _message(members)),
            xml_body.members(shape, further, QUERY_STYLE) if shape else "",
        )
    )
    namespace = f' xmlns="{xml_body.escape(service.xml_namespace)}"' if service.xml_namespace else ""
    root = xml_body.element("ErrorResponse", xml_body.element("Error", error) + xml_body.text_element("RequestId", request_id), namespace)
    return HttpResponse(status, (("x-amzn-RequestId", request_id), ("Content-Type", XML)), xml_body.document(root))
