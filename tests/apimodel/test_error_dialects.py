"""One row per service: every code a row names is the service's own, and every fault has a code."""

from __future__ import annotations

import pytest

from latticewall.apimodel.catalog import IN_SCOPE, Catalog
from latticewall.apimodel.error_dialects import CLASSES, dialect
from latticewall.apimodel.error_tables import DIALECTS
from latticewall.base import faults

CATALOG = Catalog()
COMMON = {"AccessDenied", "AccessDeniedException", "InvalidParameterCombination", "InvalidParameterValue", "ValidationError"}
S3_LISTED = {"BucketNotEmpty", "InvalidArgument", "NotImplemented", "OperationAborted", "TooManyBuckets"}
"""Codes that every service of a protocol has, without modelling them ("Common errors")."""


@pytest.mark.parametrize("name", [name for name in IN_SCOPE if name != "ec2"])
def test_rows_hold_modelled_codes(name: str) -> None:
    assert set(DIALECTS[name].values()) - set(CATALOG.service(name).errors) <= COMMON | (S3_LISTED if name == "s3" else set())
    assert {column for _, column in CLASSES} <= set(DIALECTS[name])


@pytest.mark.parametrize("name", IN_SCOPE)
@pytest.mark.parametrize("cls", [cls for cls, _ in CLASSES])
def test_no_refusal_is_a_server_error(name: str, cls: type[faults.Fault]) -> None:
    code, status, members = dialect(CATALOG.service(name)).code_and_members(cls("why", kind=f"{name}:Thing", id="t-1"))
    assert code
    assert 400 <= status < 500 or code == "NotImplemented"
    assert "why" in members.values()


def test_a_faults_own_code_wins() -> None:
    fault = faults.Invalid("bad document", code="MalformedPolicyDocument")
    assert dialect(CATALOG.service("iam")).code_and_members(fault) == ("MalformedPolicyDocument", 400, {"message": "bad document"})


def test_members_of_the_fault_reach_the_modelled_error() -> None:
    fault = faults.Invalid("no", code="InvalidInputException", members={"Reason": "INVALID_PATTERN"})
    assert dialect(CATALOG.service("organizations")).code_and_members(fault)[2] == {"Message": "no", "Reason": "INVALID_PATTERN"}


def test_required_members_are_never_missing() -> None:
    members = dialect(CATALOG.service("vpc-lattice")).code_and_members(faults.LimitExceeded("full", kind="vpc-lattice:Service"))[2]
    assert members == {"message": "full", "resourceType": "service", "serviceCode": "vpc-lattice", "quotaCode": ""}


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (faults.NotFound("x", kind="ec2:Subnet"), "InvalidSubnetID.NotFound", 400),
        (faults.NotFound("x", kind="ec2:TransitGatewayRouteTable"), "InvalidRouteTableID.NotFound", 400),
        (faults.NotFound("x", kind="ec2:Unheard"), "InvalidParameterValue", 400),
        (faults.Conflict("x", kind="ec2:Subnet"), "InvalidSubnet.Conflict", 400),
        (faults.Conflict("x", kind="ec2:Vpc"), "IncorrectState", 400),
        (faults.InUse("x", kind="ec2:Subnet"), "DependencyViolation", 400),
        (faults.InUse("x", kind="ec2:NetworkInterface"), "InvalidNetworkInterface.InUse", 400),
        (faults.LimitExceeded("x", kind="ec2:Vpc"), "VpcLimitExceeded", 400),
        (faults.Denied("x"), "UnauthorizedOperation", 403),
        (faults.Invalid("x", code="DryRunOperation"), "DryRunOperation", 412),
    ],
)
def test_ec2_nouns(fault: faults.Fault, code: str, status: int) -> None:
    assert dialect(CATALOG.service("ec2")).code_and_members(fault) == (code, status, {"message": "x"})


def test_a_service_without_a_row_speaks_its_protocols_codes() -> None:
    assert dialect(CATALOG.service("sqs")).code(faults.Invalid("x")) == "InvalidParameterException"
    assert dialect(CATALOG.service("sns")).code(faults.NotFound("x")) == "ValidationError"
