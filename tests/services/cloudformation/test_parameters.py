"""Parameters: types, constraints and the words of refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latticewall.base.faults import Fault
from latticewall.services.cloudformation import parameters
from latticewall.services.cloudformation.parameters import Values
from latticewall.services.cloudformation.template import parse

STORE = {"/images/newest": "ami-1"}


def fetch(name: str) -> str:
    return STORE[name]


def evaluate(declared: dict[str, Any], previous: dict[str, str] | None = None, **given: Any) -> Values:
    body = {"Parameters": {"P": declared}, "Resources": {"A": {"Type": "AWS::EC2::InternetGateway"}}}
    passed = [{"ParameterKey": key, **(value if isinstance(value, dict) else {"ParameterValue": value})} for key, value in given.items()]
    return parameters.evaluate(parse(json.dumps(body)), passed, previous or {}, fetch, lambda kind, identifier: identifier == "vpc-1")


@pytest.mark.parametrize(
    ("declared", "given", "effective"),
    [
        ({"Type": "String"}, {"P": "x"}, "x"),
        ({"Type": "String", "Default": ""}, {}, ""),
        ({"Type": "String", "Default": True}, {}, "true"),
        ({"Type": "Number", "Default": 5}, {}, "5"),
        ({"Type": "CommaDelimitedList"}, {"P": "a, b,c"}, ["a", "b", "c"]),
        ({"Type": "CommaDelimitedList", "Default": ""}, {}, []),
        ({"Type": "List<Number>"}, {"P": "1,2"}, ["1", "2"]),
        ({"Type": "AWS::EC2::VPC::Id"}, {"P": "vpc-1"}, "vpc-1"),
        ({"Type": "List<AWS::EC2::VPC::Id>"}, {"P": "vpc-1,vpc-1"}, ["vpc-1", "vpc-1"]),
        ({"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": "/images/newest"}, {}, "ami-1"),
        ({"Type": "String", "AllowedPattern": "[a-z]*", "AllowedValues": ["a", "b"]}, {"P": "a"}, "a"),
    ],
)  # fmt: skip
def test_values(declared: dict[str, Any], given: dict[str, Any], effective: Any) -> None:
    assert evaluate(declared, **given).effective == {"P": effective}


@pytest.mark.parametrize(
    ("declared", "given", "words"),
    [
        ({"Type": "String"}, {}, "Parameters: [P] must have values"),
        ({"Type": "String", "Default": "x"}, {"Q": "y"}, "Parameters: [Q] do not exist in the template"),
        ({"Type": "String", "AllowedValues": ["a"]}, {"P": "b"}, "Parameter 'P' must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, {"P": "B"}, "Parameter 'P' failed to satisfy constraint: must match pattern [a-z]+"),
        ({"Type": "String", "AllowedPattern": "a", "ConstraintDescription": "say a"}, {"P": "B"}, "Parameter 'P' failed to satisfy constraint: say a"),
        ({"Type": "String", "MinLength": "3"}, {"P": "ab"}, "Parameter 'P' must contain at least 3 characters"),
        ({"Type": "String", "MaxLength": 1}, {"P": "ab"}, "Parameter 'P' must contain at most 1 characters"),
        ({"Type": "Number"}, {"P": "x"}, "Parameter 'P' must be a number"),
        ({"Type": "Number", "MinValue": 3}, {"P": "2"}, "Parameter 'P' must be a number not less than 3"),
        ({"Type": "List<Number>", "MaxValue": 3}, {"P": "1,4"}, "Parameter 'P' must be a number not greater than 3"),
        ({"Type": "AWS::EC2::VPC::Id"}, {"P": "vpc-2"}, "parameter value vpc-2 for parameter name P does not exist"),
        ({"Type": "Colour"}, {"P": "red"}, "Unrecognized parameter type: Colour"),
        ({"Type": "String", "Colour": 1}, {"P": "red"}, "Invalid template parameter property 'Colour'"),
        ({"Type": "String"}, {"P": {"UsePreviousValue": True}}, "parameter key not in the previous template"),
        ({"Type": "String", "AllowedPattern": "("}, {"P": "x"}, "Parameter P has an AllowedPattern that is not a regular expression"),
    ],
)  # fmt: skip
def test_refusals_name_the_parameter(declared: dict[str, Any], given: dict[str, Any], words: str) -> None:
    with pytest.raises(Fault) as caught:
        evaluate(declared, **given)
    assert caught.value.code == "ValidationError"
    assert words in caught.value.message


def test_previous_values_are_used_when_asked_for() -> None:
    assert evaluate({"Type": "String", "Default": "new"}, {"P": "old"}, P={"UsePreviousValue": True}).given == {"P": "old"}
    assert evaluate({"Type": "String", "Default": "new"}, {"P": "old"}).given == {"P": "new"}


def test_secrets_are_masked() -> None:
    declared = {"Type": "String", "NoEcho": True}
    body = {"Parameters": {"P": declared}, "Resources": {"A": {"Type": "AWS::EC2::InternetGateway"}}}
    assert parameters.shown(parse(json.dumps(body)), evaluate(declared, P="secret")) == [{"ParameterKey": "P", "ParameterValue": "****"}]
