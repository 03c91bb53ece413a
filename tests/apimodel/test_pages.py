"""Pages: the whole list in order, each item once, by tokens that fit only their list."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from latticewall.apimodel.catalog import Catalog
from latticewall.apimodel.constraints import check
from latticewall.apimodel.error_dialects import dialect
from latticewall.apimodel.pages import page_of, paginate
from latticewall.base.faults import Invalid

CATALOG = Catalog()
ITEMS = [{"id": f"item-{number}"} for number in range(7)]


@pytest.mark.parametrize(
    ("name", "limit", "token", "answered", "result"),
    [
        ("vpc-lattice:ListServices", "maxResults", "nextToken", "nextToken", "items"),
        ("ec2:DescribeVpcs", "MaxResults", "NextToken", "NextToken", "Vpcs"),
        ("iam:ListRoles", "MaxItems", "Marker", "Marker", "Roles"),
        ("network-firewall:ListFirewalls", "MaxResults", "NextToken", "NextToken", "Firewalls"),
        ("logs:DescribeLogGroups", "limit", "nextToken", "nextToken", "logGroups"),
        ("route53:ListHostedZones", "MaxItems", "Marker", "NextMarker", "HostedZones"),
        ("cloudformation:ListStacks", "", "NextToken", "NextToken", "StackSummaries"),
    ],
)
def test_pages_cover_the_list(name: str, limit: str, token: str, answered: str, result: str) -> None:
    operation = CATALOG.operation(name)
    assert page_of(operation)
    seen: list[Any] = []
    params: dict[str, Any] = {limit: "3" if name.startswith("route53") else 3} if limit else {}
    for size in (3, 3, 1):
        page = paginate(operation, ITEMS, params, default_limit=3)
        assert len(page[result]) == size
        seen += page[result]
        params = {**params, token: page.get(answered)}
    assert seen == ITEMS
    assert params[token] is None


def test_without_a_limit_everything_is_answered() -> None:
    assert paginate(CATALOG.operation("ec2:DescribeVpcs"), ITEMS, {}) == {"Vpcs": ITEMS}
    assert paginate(CATALOG.operation("ec2:DescribeVpcs"), [], {}) == {"Vpcs": []}


def test_iam_says_whether_there_is_more() -> None:
    operation = CATALOG.operation("iam:ListRoles")
    assert paginate(operation, ITEMS, {"MaxItems": 7})["IsTruncated"] is False
    assert paginate(operation, ITEMS, {"MaxItems": 6})["IsTruncated"] is True


def test_operations_without_a_paginator_in_the_model_page_by_their_member_names() -> None:
    page = page_of(CATALOG.operation("organizations:ListDelegatedServicesForAccount"))
    assert page is not None
    assert page.result == "DelegatedServices"
    guessed = [op for op in CATALOG.service("network-firewall").operations.values() if op.page_model is None and page_of(op)]
    assert all(op.output and page_of(op).result in op.output.members for op in guessed)


def test_route53_records_page_by_several_tokens_which_only_it_understands() -> None:
    operation = CATALOG.operation("route53:ListResourceRecordSets")
    assert page_of(operation) is None
    with pytest.raises(ValueError, match="does not page by one token"):
        paginate(operation, ITEMS, {})


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("vpc-lattice:ListServices", "ValidationException"),
        ("ec2:DescribeVpcs", "InvalidNextToken"),
        ("iam:ListRoles", "ValidationError"),
        ("network-firewall:ListFirewalls", "InvalidRequestException"),
        ("ram:ListResources", "InvalidNextTokenException"),
    ],
)
@pytest.mark.parametrize("token", ["x", "é", "NTo=", "OTk5OTpmb3JlaWdu", "!!"])
def test_a_token_that_was_not_issued_is_refused(name: str, code: str, token: str) -> None:
    operation = CATALOG.operation(name)
    page = page_of(operation)
    assert page is not None
    with pytest.raises(Invalid) as caught:
        paginate(operation, ITEMS, {page.input_token: token})
    assert dialect(operation.service).code(caught.value) == code


def test_a_token_of_another_list_is_refused() -> None:
    operation = CATALOG.operation("ec2:DescribeVpcs")
    token = paginate(operation, ITEMS, {"MaxResults": 5})["NextToken"]
    assert paginate(operation, ITEMS, {"MaxResults": 5, "NextToken": token}) == {"Vpcs": ITEMS[5:]}
    with pytest.raises(Invalid):
        paginate(operation, ITEMS, {"MaxResults": 5, "NextToken": token, "VpcIds": ["vpc-1"]})
    with pytest.raises(Invalid):
        paginate(CATALOG.operation("ec2:DescribeSubnets"), ITEMS, {"NextToken": token})


def test_a_token_of_another_owner_is_refused() -> None:
    operation = CATALOG.operation("iam:ListRoles")
    token = paginate(operation, ITEMS, {"MaxItems": 5}, owner="111122223333")["Marker"]
    assert paginate(operation, ITEMS, {"Marker": token}, owner="111122223333")["Roles"] == ITEMS[5:]
    for other in ("999988887777", "", "111122223333 eu-north-7"):
        with pytest.raises(Invalid):
            paginate(operation, ITEMS, {"Marker": token}, owner=other)


@pytest.mark.parametrize(
    "rest",
    [
        ":[]", ":[[],[]]", ":{}", ":7", ":null", ":[1,2]", ":x", ":" + "[" * 9000, ':[["","",""]]', ':[["","",""],["",""]]', ':[["","",0],["","",""]]',
        ':[["","",""],["","",""]]', ':[["9","9","9"],["9","9","9"]]', "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("position", ["1", "99", "-1", "0", "9" * 40, "9" * 5000, "1e3", "x", ""])
def test_a_forged_token_gives_a_page_or_is_refused(position: str, rest: str) -> None:
    """Who knows how tokens are made may ask for what he could have asked for anyway, and breaks nothing."""
    operation = CATALOG.operation("vpc-lattice:ListServices")
    items = [{"id": f"svc-{number}", "createdAt": "2026"} for number in range(5)]
    issued = base64.b64decode(paginate(operation, items, {"maxResults": 1})["nextToken"]).decode()
    token = base64.b64encode(f"{position}:{issued.split(':')[1]}{rest}".encode()).decode()
    try:
        page = paginate(operation, items, {"maxResults": 1, "nextToken": token})
    except Invalid:
        return
    assert position in ("1", "99")
    assert len(page["items"]) <= 1


def test_a_limit_that_is_no_number_is_refused() -> None:
    with pytest.raises(Invalid, match="MaxItems"):
        paginate(CATALOG.operation("route53:ListHostedZones"), ITEMS, {"MaxItems": "many"})


def test_a_list_that_shrank_ends() -> None:
    operation = CATALOG.operation("ec2:DescribeVpcs")
    token = paginate(operation, ITEMS, {"MaxResults": 5})["NextToken"]
    assert paginate(operation, ITEMS[:2], {"NextToken": token}) == {"Vpcs": []}


def test_tokens_satisfy_the_models_own_patterns() -> None:
    for service in CATALOG.services():
        for operation in service.operations.values():
            page = page_of(operation)
            if operation.qualified_name == "s3:ListParts":
                continue  # its marker is a number, and it pages by itself
            token = paginate(operation, ITEMS, {}, default_limit=3).get(page.output_token) if page else None
            if token and operation.input and page:
                broken = {path.lower() for path, _ in check(operation.input, {page.input_token: token})}
                assert page.input_token.lower() not in broken, operation
