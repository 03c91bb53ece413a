"""botocore's request is read back as what it was made of, and our answer is read back by botocore: for every operation of every service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest
from botocore_side import CATALOG, received, sent
from shape_documents import document_of

from latticewall.apimodel.catalog import Operation
from latticewall.apimodel.shapes import Shape
from latticewall.wire.parse import parse
from latticewall.wire.route import identify
from latticewall.wire.serialise import serialise

LEFT_OUT = ("rolesanywhere:CreateSession", "s3:ListDirectoryBuckets", "s3:CreateSession")
"""Not in the SDKs, and S3 Express, which has endpoints of its own."""
READ_ELSEWHERE = ("s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectAnnotation", "s3:GetObjectTorrent", "lambda:Invoke")
"""Answers that botocore's parser leaves to later stages: an element that is all there is, streams."""
SERVICES = [service.name for service in CATALOG.services()]


def operations(service: str) -> list[Operation]:
    """A test for each of thousands of operations would take longer than what it tests, so that there is one for each service."""
    found = CATALOG.service(service).operations.values()
    return [operation for operation in found if operation.qualified_name not in LEFT_OUT and not operation.deprecated]


def seeds(operation: Operation) -> list[tuple[str, bool]]:
    return [(f"{operation.qualified_name} {number}", number == 0) for number in range(2)]


def streams(shape: Shape | None) -> bool:
    return shape is not None and any(member.event_stream for member in shape.members.values())


@pytest.mark.parametrize("service", SERVICES)
def test_request_is_read_back(service: str) -> None:
    for operation in operations(service):
        is_read_back(operation)


def is_read_back(operation: Operation) -> None:
    for seed, full in seeds(operation):
        params = document_of(operation.input, seed, full=full) if operation.input else {}
        request = sent(operation, params)
        assert identify(CATALOG, request, operation.service.signing_name) is operation, operation.qualified_name
        found = parse(operation, request)
        payload = operation.input.payload if operation.input else ""
        if payload and found.get(payload) == {} and payload not in params:
            del found[payload]  # botocore sends an empty document for none
        assert found == params, operation.qualified_name


@pytest.mark.parametrize("service", SERVICES)
def test_answer_is_read_by_botocore(service: str) -> None:
    for operation in operations(service):
        if not streams(operation.output) and operation.qualified_name not in READ_ELSEWHERE:
            is_read_by_botocore(operation)


def is_read_by_botocore(operation: Operation) -> None:
    for seed, full in seeds(operation):
        document = document_of(operation.output, seed, full=full) if operation.output else {}
        found = received(operation, serialise(operation, {**document, "_private": "never leaves"}, "request-1"))
        payload = operation.output.payload if operation.output and operation.service.protocol == "rest-xml" else ""
        if payload and found.get(payload) == {} and payload not in document:
            del found[payload]  # what botocore makes of no body
        succeeded = {"Return": True} if operation.service.name == "ec2" and "Return" in operation_members(operation) else {}
        status = {name: operation.status for name, member in operation_members(operation).items() if member.location == "statusCode"}
        assert decoded(operation, found) == {**succeeded, **status, **document}, operation.qualified_name


def operation_members(operation: Operation) -> Mapping[str, Shape]:
    return operation.output.members if operation.output else {}


def decoded(operation: Operation, document: dict[str, Any]) -> dict[str, Any]:
    """botocore leaves IAM's policy documents percent-encoded until a later stage."""
    plain = _decoded(operation.output, document) if operation.output else document
    assert isinstance(plain, dict)
    return plain


def _decoded(shape: Shape, value: Any) -> Any:
    match shape.type:
        case "structure":
            return {name: _decoded(shape.members[name], item) for name, item in value.items()}
        case "list":
            return [_decoded(shape.member, item) for item in value]
        case _:
            return unquote(value) if shape.percent_encoded else value
