"""From a fault to a service's own error: its code, HTTP status and members. One row per service.

`fault.code` always wins; a row says what a fault without a code means. Statuses and members come from the service's modelled error when
the code is one. EC2 models no errors at all: its nouns and codes follow "Error codes for the Amazon EC2 API".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from latticewall.apimodel.catalog import Service
from latticewall.apimodel.error_tables import DIALECTS, EC2_NOUNS, EC2_STATUS, S3_STATUS, SIGNATURE_CODES, UNMODELLED_STATUS
from latticewall.apimodel.shapes import Shape
from latticewall.base import faults
from latticewall.base.faults import Fault

CLASSES: tuple[tuple[type[Fault], str], ...] = (
    (faults.Invalid, "invalid"),
    (faults.NotFound, "not_found"),
    (faults.InUse, "in_use"),
    (faults.Conflict, "conflict"),
    (faults.Denied, "denied"),
    (faults.LimitExceeded, "limit"),
    (faults.Unsupported, "unsupported"),
)
"""The fault classes, the specific before the general, and the column of a row that each one reads."""

FALLBACK = {
    "json": "InvalidParameterException",
    "smithy-rpc-v2-cbor": "InvalidParameterException",
    "rest-json": "ValidationException",
    "rest-xml": "InvalidInput",
    "query": "ValidationError",
    "ec2": "InvalidParameterValue",
}
"""The code of a service without a row."""


@dataclass(frozen=True)
class Dialect:
    """How one service words its refusals."""

    service: Service
    row: Mapping[str, str] = field(default_factory=dict)

    def code_and_members(self, fault: Fault) -> tuple[str, int, dict[str, Any]]:
        """The error code, the HTTP status and the members of the error's body, the message included."""
        code = self.code(fault)
        shape = self.service.errors.get(code)
        status = fault.status if isinstance(fault, faults.Unavailable) else self._status(code, shape)
        return code, status, self._members(fault, shape)

    def code(self, fault: Fault) -> str:
        """The error code alone."""
        if fault.code in self.service.errors:
            return fault.code
        if fault.code:
            return SIGNATURE_CODES.get(fault.code, {}).get(self.service.protocol, fault.code)
        if self.service.protocol == "ec2":
            named = ec2_code(fault)
            if named:
                return named
        column = next((column for cls, column in CLASSES if isinstance(fault, cls)), "invalid")
        by_kind = self.row.get(f"{column} {fault.kind.partition(':')[2]}")
        return by_kind or self.row.get(column) or FALLBACK[self.service.protocol]

    def _status(self, code: str, shape: Shape | None) -> int:
        if self.service.protocol == "ec2":
            return EC2_STATUS.get(code, 400)
        if self.service.name == "s3" and code in S3_STATUS:
            return S3_STATUS[code]
        if shape is not None:
            return shape.error_status
        if self.service.protocol in ("json", "smithy-rpc-v2-cbor"):
            return 400
        return UNMODELLED_STATUS.get(code, 400)

    def _members(self, fault: Fault, shape: Shape | None) -> dict[str, Any]:
        """What the fault knows, under the names the modelled error gives it; members the model requires are never missing."""
        if shape is None:
            return {"message": fault.message}
        known = {
            "message": fault.message,
            "resourceId": fault.id or None,
            "resourceType": fault.kind.partition(":")[2].lower() or None,
            "serviceCode": self.service.name,
            "fieldList": [{"name": name, "message": message} for name, message in fault.fields] or None,
            "reason": "fieldValidationFailed" if fault.fields else "other",
        }
        members: dict[str, Any] = {}
        for name, member in shape.members.items():
            value = fault.members.get(name)
            if value is None and (name in shape.required or name.lower() == "message" or name == "fieldList"):
                value = known.get("message" if name.lower() == "message" else name)
            if value is None and name in shape.required and member.type == "string":
                value = ""
            if value is not None:
                members[name] = value
        return members if any(name.lower() == "message" for name in members) else {"message": fault.message, **members}


@cache
def dialect(service: Service) -> Dialect:
    """The dialect of a service; one without a row of its own speaks its protocol's usual codes."""
    return Dialect(service, DIALECTS.get(service.name, {}))


def ec2_code(fault: Fault) -> str:
    """EC2's code for a fault about a known kind of resource, such as `InvalidVpcID.NotFound`; empty if there is none of its own."""
    noun = EC2_NOUNS.get(fault.kind)
    if noun is None:
        return ""
    if isinstance(fault, faults.NotFound):
        return noun.not_found
    if isinstance(fault, faults.LimitExceeded):
        return noun.limit
    if isinstance(fault, faults.InUse):
        return noun.in_use
    return noun.duplicate if isinstance(fault, faults.Conflict) else ""


def page_token_code(service: Service) -> str:
    """The code of an invalid page token."""
    row = DIALECTS.get(service.name, {})
    return row.get("page") or row.get("invalid") or FALLBACK[service.protocol]


def unknown_operation(service: Service, name: str, version: str = "") -> Fault:
    """The refusal of an operation the service does not have."""
    if service.protocol == "ec2":
        return faults.Invalid(f"The action {name} is not valid for this web service.", code="InvalidAction")
    if service.protocol == "query":
        return faults.Invalid(f"Could not find operation {name} for version {version or service.api_version}", code="InvalidAction")
    if service.name == "vpc-lattice":
        return faults.Invalid(f"Unknown operation {name}", members={"reason": "unknownOperation"})
    return faults.Invalid(f"Unknown operation {name}", code="UnknownOperationException")


def malformed(service: Service, message: str) -> faults.Invalid:
    """The refusal of a request that cannot be parsed."""
    if service.name == "vpc-lattice":
        return faults.Invalid(message, members={"reason": "cannotParse"})
    code = {"ec2": "InvalidParameterValue", "query": "MalformedInput", "rest-xml": "MalformedInput"}
    return faults.Invalid(message, code=code.get(service.protocol, "SerializationException"))
