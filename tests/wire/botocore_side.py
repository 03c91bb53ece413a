"""The client's half of the wire, by botocore alone: what it sends for parameters, and what it reads from our answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

import botocore.awsrequest
import botocore.model
import botocore.parsers
import botocore.serialize
import botocore.session

from latticewall.apimodel.catalog import Catalog, Operation
from latticewall.wire.message import HttpRequest, HttpResponse
from latticewall.wire.scalars import iso

CATALOG = Catalog()


@cache
def service_model(name: str) -> botocore.model.ServiceModel:
    return botocore.session.get_session().get_service_model(name)


def operation_model(operation: Operation) -> botocore.model.OperationModel:
    return service_model(operation.service.name).operation_model(operation.name)


def sent(operation: Operation, params: Mapping[str, Any]) -> HttpRequest:
    """The request botocore makes of the parameters, validated by it, before any endpoint is known."""
    model = operation_model(operation)
    serializer = botocore.serialize.create_serializer(model.service_model.resolved_protocol)
    parts = serializer.serialize_to_request(dict(params), model)
    body = parts["body"]
    headers = {str(name): str(value) for name, value in parts["headers"].items()}
    if isinstance(body, dict):
        body = urlencode(body).encode()
    prepared = botocore.awsrequest.AWSRequest(
        method=parts["method"], url="http://127.0.0.1" + parts["url_path"], params=parts["query_string"] or None, headers=headers, data=body
    ).prepare()
    path, _, query = prepared.url.removeprefix("http://127.0.0.1").partition("?")
    return HttpRequest(parts["method"], path, query, tuple(headers.items()), body if isinstance(body, bytes) else b"")


def received(operation: Operation, response: HttpResponse) -> dict[str, Any]:
    """What botocore makes of an answer, with timestamps in our form and without its metadata."""
    parsed = parsed_response(operation, response)
    parsed.pop("ResponseMetadata", None)
    plain = _plain(parsed)
    assert isinstance(plain, dict)
    return plain


def parsed_response(operation: Operation, response: HttpResponse) -> dict[str, Any]:
    model = operation_model(operation)
    parser = botocore.parsers.create_parser(model.service_model.resolved_protocol)
    headers = botocore.awsrequest.HeadersDict(dict(response.headers))
    result = parser.parse({"status_code": response.status, "headers": headers, "body": response.body, "context": {}}, model.output_shape)
    assert isinstance(result, dict)
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
