"""An answer's or a refusal's bytes: the members that the output or error shape knows, in the form of the service's protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.apimodel.catalog import Operation, Service
from latticewall.apimodel.error_dialects import dialect
from latticewall.apimodel.shapes import Shape
from latticewall.base.faults import Fault, Unsupported
from latticewall.base.streamed import Streamed
from latticewall.wire import cbor, json_body, s3, scalars, xml_body
from latticewall.wire.message import Headers, HttpResponse
from latticewall.wire.xml_body import XmlStyle

XML = "text/xml;charset=UTF-8"
EC2_STYLE = XmlStyle(item="item")
QUERY_STYLE = XmlStyle()


def serialise(operation: Operation, document: Mapping[str, Any], request_id: str) -> HttpResponse:
    """The answer to a successful call. Members that the shape does not know, and those that are None, are left out.

    Raises Unsupported for an operation that answers with an event stream.
    """
    if operation.streams_events:
        raise Unsupported(f"{operation.name} answers with an event stream, which is not supported")
    match operation.service.protocol:
        case "json":
            return _json(operation, document, request_id)
        case "smithy-rpc-v2-cbor":
            return HttpResponse(200, _cbor_head(request_id), cbor.write_members(operation.output, document))
        case "query":
            return _query(operation, document, request_id)
        case "ec2":
            return _ec2(operation, document, request_id)
        case protocol:
            return _rest(operation, document, request_id, xml=protocol == "rest-xml")


def json_type(service: Service) -> str:
    return "application/json" if service.protocol == "rest-json" else f"application/x-amz-json-{service.json_version}"


def _head(request_id: str, content_type: str) -> Headers:
    return (("x-amzn-RequestId", request_id), *((("Content-Type", content_type),) if content_type else ()))


def _cbor_head(request_id: str) -> Headers:
    return (*_head(request_id, cbor.TYPE), ("smithy-protocol", "rpc-v2-cbor"))


def _json(operation: Operation, document: Mapping[str, Any], request_id: str) -> HttpResponse:
    body = json_body.body(operation.output, document) if operation.output else b""
    return HttpResponse(200, _head(request_id, json_type(operation.service)), body)


def _namespace(service: Service) -> str:
    return f' xmlns="{xml_body.escape(service.xml_namespace)}"' if service.xml_namespace else ""


def _query(operation: Operation, document: Mapping[str, Any], request_id: str) -> HttpResponse:
    content = ""
    if operation.output:
        members = xml_body.members(operation.output, document, QUERY_STYLE)
        wrapper = operation.output.result_wrapper
        content = xml_body.element(wrapper, members) if wrapper else members
    metadata = xml_body.element("ResponseMetadata", xml_body.text_element("RequestId", request_id))
    root = xml_body.element(f"{operation.name}Response", content + metadata, _namespace(operation.service))
    return HttpResponse(200, _head(request_id, XML), xml_body.document(root))


def _ec2(operation: Operation, document: Mapping[str, Any], request_id: str) -> HttpResponse:
    """EC2 says `return` true where it has nothing else to say, and in every output that has the member."""
    shape = operation.output
    if shape is None:
        content = xml_body.text_element("return", "true")
    else:
        succeeded = {"Return": True} if "Return" in shape.members and shape.members["Return"].type == "boolean" else {}
        content = xml_body.members(shape, {**succeeded, **document}, EC2_STYLE)
    identity = xml_body.text_element("requestId", request_id)
    root = xml_body.element(f"{operation.name}Response", identity + content, _namespace(operation.service))
    return HttpResponse(200, _head(request_id, XML), xml_body.document(root))


def _rest(operation: Operation, document: Mapping[str, Any], request_id: str, *, xml: bool) -> HttpResponse:
    shape = operation.output
    if shape is None:
        return HttpResponse(operation.status, _head(request_id, ""))
    status = operation.status
    headers: list[tuple[str, str]] = []
    for name, member in shape.located_members:
        value = document.get(name)
        if member.location == "statusCode" and value is not None:
            status = int(value)
        elif value is not None:
            headers += _header(name, member, value)
    stream = document.get(shape.payload) if shape.payload else None
    if isinstance(stream, Streamed):
        status = 206 if document.get("ContentRange") else status
        return HttpResponse(status, (*_head(request_id, ""), *headers), stream=stream)
    body, content_type = (b"", "") if status == 204 else _payload(operation, shape, document, xml=xml)
    return HttpResponse(status, (*_head(request_id, content_type if body else ""), *headers), body)


def _header(name: str, shape: Shape, value: Any) -> Headers:
    own = shape.location_name or name
    if shape.location == "headers":
        return tuple((f"{own}{key}", str(item)) for key, item in value.items())
    if shape.type == "list":
        return ((own, ",".join(scalars.to_text(shape.member, item, "rfc822") for item in value)),)
    return ((own, scalars.to_text(shape, value, "rfc822")),)


def _payload(operation: Operation, shape: Shape, document: Mapping[str, Any], *, xml: bool) -> tuple[bytes, str]:
    if shape.payload:
        payload, value = shape.members[shape.payload], document.get(shape.payload)
        if value is None:
            return b"", ""
        if payload.type in ("blob", "string"):
            return (value.encode() if isinstance(value, str) else value), "application/octet-stream"
        if not xml:
            return json_body.text(payload, value), json_type(operation.service)
        root = xml_body.element(payload.location_name or payload.name, xml_body.members(payload, value, QUERY_STYLE), _namespace(operation.service))
        return xml_body.document(root), "text/xml"
    if not xml:
        return json_body.body(shape, document), json_type(operation.service)
    if operation.name == "GetBucketLocation":
        return s3.location(_namespace(operation.service), document.get("LocationConstraint")), "application/xml"
    if all(member.location for member in shape.members.values()):
        return b"", ""
    content = xml_body.members(shape, document, QUERY_STYLE)
    root = s3.ROOTS.get(operation.name, shape.name) if operation.service.name == "s3" else shape.name
    return xml_body.document(xml_body.element(root, content, _namespace(operation.service))), "text/xml"


# --- refusals


def serialise_fault(service: Service | None, fault: Fault, request_id: str) -> HttpResponse:
    """The error answer of a service; of no service, where the request did not say which, plain JSON."""
    if service is None:
        code = fault.code or "UnknownOperationException"
        headers = (*_head(request_id, "application/json"), ("x-amzn-ErrorType", code))
        return HttpResponse(fault.status, headers, json_body.dump({"__type": code, "message": fault.message}))
    code, status, members = dialect(service).code_and_members(fault)
    shape = service.errors.get(code)
    match service.protocol:
        case "json" | "rest-json":
            return _json_fault(service, code, status, members, shape, request_id)
        case "smithy-rpc-v2-cbor":
            return _cbor_fault(service, code, status, members, shape, request_id)
        case "ec2":
            return _ec2_fault(code, status, members, request_id)
        case "rest-xml" if service.name == "s3":
            body = b"" if status == 304 else s3.error(code, _message(members), request_id, {**fault.members})
            return HttpResponse(status, (*_head(request_id, "application/xml"), ("x-amz-request-id", request_id)), body)
        case _:
            return _xml_fault(service, code, status, members, shape, request_id)


def _message(members: Mapping[str, Any]) -> str:
    return str(next((value for name, value in members.items() if name.lower() == "message"), ""))


def _json_fault(service: Service, code: str, status: int, members: Mapping[str, Any], shape: Shape | None, request_id: str) -> HttpResponse:
    """json names the error in the body, rest-json in a header as well; the message member is spelled as the model spells it."""
    body = json_body.write_members(shape, members) if shape else {}
    if not any(name.lower() == "message" for name in body):
        body["Message" if service.name == "network-firewall" else "message"] = _message(members)
    headers = [*_head(request_id, json_type(service)), *_query_error(service, code, status)]
    if service.protocol == "rest-json":
        headers.append(("x-amzn-ErrorType", code))
        headers += _located(shape, members)
    return HttpResponse(status, tuple(headers), json_body.dump({"__type": _error_type(service, code, shape), **body}))


def _query_error(service: Service, code: str, status: int) -> Headers:
    """A service that once spoke query alone says the code of that time too."""
    sender = "Receiver" if status >= 500 else "Sender"
    return (("x-amzn-query-error", f"{code};{sender}"),) if "awsQueryCompatible" in service.metadata else ()


def _error_type(service: Service, code: str, shape: Shape | None) -> str:
    return shape.name if shape and "awsQueryCompatible" in service.metadata else code


def _cbor_fault(service: Service, code: str, status: int, members: Mapping[str, Any], shape: Shape | None, request_id: str) -> HttpResponse:
    """A map with the error's name, its message, and the further members that are texts."""
    known = {"message": _message(members), **{name: str(value) for name, value in members.items() if name.lower() != "message" and isinstance(value, str)}}
    named = {"__type": _error_type(service, code, shape), **known}
    return HttpResponse(status, (*_cbor_head(request_id), *_query_error(service, code, status)), cbor.write_texts(named))


def _located(shape: Shape | None, members: Mapping[str, Any]) -> Headers:
    """Members of an error that travel as headers, such as Lattice's Retry-After."""
    found = shape.members.items() if shape else ()
    return tuple((member.location_name or name, str(members[name])) for name, member in found if member.location == "header" and name in members)


def _ec2_fault(code: str, status: int, members: Mapping[str, Any], request_id: str) -> HttpResponse:
    error = xml_body.element("Error", xml_body.text_element("Code", code) + xml_body.text_element("Message", _message(members)))
    root = xml_body.element("Response", xml_body.element("Errors", error) + xml_body.text_element("RequestID", request_id))
    return HttpResponse(status, _head(request_id, XML), xml_body.document(root))


def _xml_fault(service: Service, code: str, status: int, members: Mapping[str, Any], shape: Shape | None, request_id: str) -> HttpResponse:
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
    content = xml_body.element("Error", error) + xml_body.text_element("RequestId", request_id)
    return HttpResponse(status, _head(request_id, XML), xml_body.document(xml_body.element("ErrorResponse", content, _namespace(service))))
