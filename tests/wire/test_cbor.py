"""Smithy RPC v2 CBOR and the old query protocol of services that speak several: botocore's requests are read back, our answers and refusals by botocore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict
from botocore_side import CATALOG, _plain, operation_model
from hypothesis import given
from hypothesis import strategies as st
from shape_documents import document_of

from latticewall.apimodel.catalog import CBOR, Operation
from latticewall.base.faults import Denied, Fault, NotFound
from latticewall.wire import cbor
from latticewall.wire.message import HttpRequest, HttpResponse
from latticewall.wire.parse import parse
from latticewall.wire.route import identify, service_of
from latticewall.wire.scalars import Malformed
from latticewall.wire.serialise import serialise, serialise_fault

SPOKEN = [
    (service, protocol) for service in CATALOG.services() for protocol in (CBOR, "query") if protocol in service.protocols and protocol != service.protocol
]
CASES = [(operation, protocol) for service, protocol in SPOKEN for operation in service.operations.values()]
IDS = [f"{operation.qualified_name} {protocol}" for operation, protocol in CASES]


def sent(operation: Operation, protocol: str, params: Mapping[str, Any]) -> HttpRequest:
    parts = botocore.serialize.create_serializer(protocol).serialize_to_request(dict(params), operation_model(operation))
    body = parts["body"]
    body = urlencode(body).encode() if isinstance(body, dict) else body
    return HttpRequest(parts["method"], parts["url_path"], "", tuple((str(key), str(value)) for key, value in parts["headers"].items()), bytes(body))


def received(operation: Operation, protocol: str, response: HttpResponse) -> dict[str, Any]:
    answer = {"status_code": response.status, "headers": HeadersDict(dict(response.headers)), "body": response.body, "context": {}}
    parsed = botocore.parsers.create_parser(protocol).parse(answer, operation_model(operation).output_shape)
    parsed.pop("ResponseMetadata", None)
    plain = _plain(parsed)
    assert isinstance(plain, dict)
    return plain


def test_services_with_several_protocols() -> None:
    assert {(service.name, protocol) for service, protocol in SPOKEN} >= {("cloudwatch", CBOR), ("cloudwatch", "query"), ("network-firewall", CBOR)}


@pytest.mark.parametrize(("operation", "protocol"), CASES, ids=IDS)
def test_there_and_back(operation: Operation, protocol: str) -> None:
    for number in range(2):
        seed = f"{operation.qualified_name} {number}"
        params = document_of(operation.input, seed, full=number == 0) if operation.input else {}
        request = sent(operation, protocol, params)
        found = identify(CATALOG, request, operation.service.signing_name)
        assert (found.qualified_name, found.service.protocol) == (operation.qualified_name, protocol)
        assert parse(found, request) == params
        document = document_of(operation.output, seed, full=number == 0) if operation.output else {}
        assert received(operation, protocol, serialise(found, {**document, "_private": "never leaves"}, "request-1")) == document


@pytest.mark.parametrize("protocol", [CBOR, "query", "json"])
def test_a_refusal_has_its_old_code(protocol: str) -> None:
    """CloudWatch's errors have two names; clients compare the older one."""
    operation = CATALOG.operation("cloudwatch:GetDashboard")
    request = HttpRequest("POST", "/", "", (("x-amz-target", "GraniteServiceVersion20100801.GetDashboard"),))
    if protocol != "json":
        request = sent(operation, protocol, {"DashboardName": "x"})
    service = service_of(CATALOG, request, "monitoring")
    assert service is not None
    for fault, code in ((NotFound("no", code="ResourceNotFound"), "ResourceNotFound"), (Denied("no"), "AccessDenied")):
        response = serialise_fault(service, fault, "request-1")
        answer = {"status_code": response.status, "headers": HeadersDict(dict(response.headers)), "body": response.body, "context": {}}
        error = botocore.parsers.create_parser(protocol).parse(answer, operation_model(operation).output_shape)["Error"]
        assert (error["Code"], error["Message"]) == (code, "no")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        cbor.load(body)
    except Malformed:
        return
    except Fault:
        pytest.fail("only Malformed says what the bytes are")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("bf6161019fff", None),
        ("a161611bffffffffffffffff", {"a": 18446744073709551615}),
        ("bf61619f0102ffff", {"a": [1, 2]}),
        ("a161617f61616162ff", {"a": "ab"}),
        ("a16161c1fb41d452d9e20c0000", {"a": 1363896200.1875}),
        ("a16161f97e00", {"a": pytest.approx(float("nan"), nan_ok=True)}),
    ],
)
def test_forms_of_the_standard(body: str, value: Any) -> None:
    raw = bytes.fromhex(body)
    if value is None:
        with pytest.raises(Malformed):
            cbor.load(raw)
    else:
        assert cbor.load(raw) == value
