"""Intrinsic functions, against the examples of their pages."""

from __future__ import annotations

from typing import Any

import pytest

from latticewall.base.faults import Fault
from latticewall.services.cloudformation.intrinsics import NO_VALUE, Resolver, Scope

PSEUDO = {"AWS::Region": "eu-north-7", "AWS::AccountId": "111122223333", "AWS::StackName": "demo", "AWS::Partition": "aws"}
PARAMETERS = {**PSEUDO, "Name": "orders", "Subnets": ["subnet-1", "subnet-2"], "Count": "3", "Stage": "prod", "Block": "10.1.0.0/16"}
MAPPINGS = {"Sizes": {"eu-north-7": {"small": "t3.micro", "many": ["a", "b"]}}}
CONDITIONS: dict[str, Any] = {
    "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
    "IsDev": {"Fn::Not": [{"Condition": "IsProd"}]},
    "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Fn::Equals": [{"Ref": "Count"}, 3]}]},
    "Either": {"Fn::Or": [{"Condition": "IsDev"}, {"Condition": "Both"}]},
    "Round": {"Fn::Not": [{"Condition": "Trip"}]},
    "Trip": {"Fn::Not": [{"Condition": "Round"}]},
}
RESOURCES = {"Vpc": "vpc-1"}


def attribute(name: str, wanted: str) -> Any:
    return {"DnsEntry.DomainName": "a.example.com", "EndpointIds": ["zone-a:vpce-1", "zone-b:vpce-2"]}[wanted] if name in RESOURCES else ""


RESOLVER = Resolver(
    Scope(
        PARAMETERS, MAPPINGS, CONDITIONS, RESOURCES.__getitem__, attribute, lambda region: [f"{region}a", f"{region}b"], lambda name: f"<{name}>",
        lambda name: f"stored {name}",
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Name"}, "orders"),
        ({"Ref": "Vpc"}, "vpc-1"),
        ({"Ref": "AWS::Region"}, "eu-north-7"),
        ({"Fn::GetAtt": ["Vpc", "DnsEntry.DomainName"]}, "a.example.com"),
        ({"Fn::GetAtt": "Vpc.DnsEntry.DomainName"}, "a.example.com"),
        ({"Fn::GetAtt": ["Vpc", "DnsEntry", "DomainName"]}, "a.example.com"),
        ({"Fn::Sub": "${Name}-${AWS::Region}-${!Literal}-${Vpc.DnsEntry.DomainName}-$Name"}, "orders-eu-north-7-${Literal}-a.example.com-$Name"),
        ({"Fn::Sub": ["${x}.${Name}", {"x": {"Ref": "Vpc"}}]}, "vpc-1.orders"),
        ({"Fn::Join": ["/", ["a", {"Ref": "Name"}, 5, True]]}, "a/orders/5/true"),
        ({"Fn::Join": [",", {"Ref": "Subnets"}]}, "subnet-1,subnet-2"),
        ({"Fn::Select": ["1", {"Ref": "Subnets"}]}, "subnet-2"),
        ({"Fn::Split": ["|", "a|b||c"]}, ["a", "b", "", "c"]),
        ({"Fn::Select": [1, {"Fn::Split": [":", {"Fn::Select": [0, {"Fn::GetAtt": ["Vpc", "EndpointIds"]}]}]}]}, "vpce-1"),
        ({"Fn::Cidr": ["192.168.0.0/24", 6, 5]}, [f"192.168.0.{n}/27" for n in range(0, 192, 32)]),
        ({"Fn::Cidr": ["10.0.0.0/16", "4", "8"]}, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]),
        ({"Fn::Cidr": [{"Fn::Select": [1, {"Fn::Cidr": [{"Ref": "Block"}, 2, 8]}]}, 2, 1]}, ["10.1.1.0/31", "10.1.1.2/31"]),
        ({"Fn::Cidr": ["2001:db8::/56", 2, 64]}, ["2001:db8::/64", "2001:db8:0:1::/64"]),
        ({"Fn::GetAZs": ""}, ["eu-north-7a", "eu-north-7b"]),
        ({"Fn::GetAZs": {"Ref": "AWS::Region"}}, ["eu-north-7a", "eu-north-7b"]),
        ({"Fn::Base64": {"Fn::Sub": "${Name}"}}, "b3JkZXJz"),
        ({"Fn::If": ["IsProd", "big", "small"]}, "big"),
        ({"Fn::If": ["Either", {"Fn::If": ["IsDev", "a", "b"]}, "c"]}, "b"),
        ({"a": {"Fn::If": ["IsDev", 1, {"Ref": "AWS::NoValue"}]}, "b": [1, {"Ref": "AWS::NoValue"}]}, {"b": [1]}),
        ({"Ref": "AWS::NoValue"}, NO_VALUE),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}, "t3.micro"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "many"]}, ["a", "b"]),
        ({"Fn::FindInMap": ["Sizes", "mars", "small", {"DefaultValue": "none"}]}, "none"),
        ({"Fn::ImportValue": {"Fn::Sub": "${AWS::StackName}-vpc"}}, "<demo-vpc>"),
        ({"Fn::Length": {"Ref": "Subnets"}}, 2),
        ({"Fn::ToJsonString": {"a": [{"Ref": "Name"}]}}, '{"a":["orders"]}'),
        ("{{resolve:ssm:/my/name}}!", "stored /my/name!"),
        ({"plain": [1, True, None, "x"]}, {"plain": [1, True, None, "x"]}),
    ],
)  # fmt: skip
def test_functions(value: Any, expected: Any) -> None:
    assert RESOLVER.resolve(value) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"Fn::Select": [2, {"Ref": "Subnets"}]}, "Fn::Select cannot select nonexistent value at index 2"),
        ({"Fn::Select": ["x", ["a"]]}, "valid index"),
        ({"Fn::Join": ["a"]}, "every Fn::Join object requires two parameters"),
        ({"Fn::Join": [",", "abc"]}, "Fn::Join needs a list"),
        ({"Fn::Sub": 5}, "first argument"),
        ({"Fn::Sub": "${Subnets}"}, "every Fn::Sub object must have a String value"),
        ({"Fn::FindInMap": ["Sizes", "mars", "small"]}, "Unable to get mapping for Sizes::mars::small"),
        ({"Fn::FindInMap": ["Colours", "a", "b"]}, "Mapping named 'Colours' is not present"),
        ({"Fn::Cidr": ["10.0.0.0/24", 3, 7]}, "does not hold 3 blocks with 7 bits"),
        ({"Fn::Cidr": ["10.0.0.0/24", 300, 1]}, "from 1 to 256"),
        ({"Fn::Select": ["\u00b2", ["a", "b", "c"]]}, "valid index"),
        ({"Fn::Cidr": ["nonsense", 1, 1]}, "'nonsense' is not a CIDR block"),
        ({"Fn::Cidr": ["10.0.0.0/24", 1, 33]}, "does not hold"),
        ({"Fn::Cidr": ["fe80::1%x", 1, 0]}, "'fe80::1%x' is not a CIDR block"),
        ({"Fn::Cidr": ["fe80::%eth0/64", 1, 8]}, "'fe80::%eth0/64' is not a CIDR block"),
        ({"Fn::Cidr": ["10.0.0.0/24", "\u00b2", 8]}, "from 1 to 256"),
        ({"Fn::Cidr": ["10.0.0.0/24", 1, "\u00b2"]}, "must be a number"),
        ({"Fn::If": ["Unknown", 1, 2]}, "Unresolved condition dependency Unknown"),
        ({"Fn::If": ["Round", 1, 2]}, "circular condition"),
        ({"Fn::Nonsense": 1}, "Encountered unsupported function: Fn::Nonsense"),
        ("{{resolve:secretsmanager:x}}", "secretsmanager are not supported"),
        ({"Fn::GetAtt": "Vpc"}, "requires two non-empty parameters"),
        ({"Ref": ["a"]}, "single String value"),
    ],
)  # fmt: skip
def test_misuse_names_the_function(value: Any, words: str) -> None:
    with pytest.raises(Fault) as caught:
        RESOLVER.resolve(value)
    assert caught.value.code == "ValidationError"
    assert words in caught.value.message


def test_conditions() -> None:
    assert [RESOLVER.condition(name) for name in ("IsProd", "IsDev", "Both", "Either")] == [True, False, True, True]


def test_only_the_taken_branch_is_evaluated() -> None:
    assert RESOLVER.resolve({"Fn::If": ["IsProd", "fine", {"Fn::Select": [9, []]}]}) == "fine"
