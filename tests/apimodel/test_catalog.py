"""The catalog finds services and operations, and overlays change what they name and nothing else."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from botocore.loaders import Loader

from latticewall.apimodel.catalog import IN_SCOPE, Catalog, overlaid
from latticewall.base.faults import Unsupported

CATALOG = Catalog()
PROTOCOLS = {
    "ec2": "ec2",
    "vpc-lattice": "rest-json",
    "elbv2": "query",
    "network-firewall": "json",
    "iam": "query",
    "sts": "query",
    "organizations": "json",
    "ram": "rest-json",
    "route53": "rest-xml",
    "logs": "json",
    "cloudformation": "query",
    "ssm": "json",
    "service-quotas": "json",
    "rolesanywhere": "rest-json",
    "acm": "json",
    "firehose": "json",
    "cloudwatch": "json",
    "s3": "rest-xml",
    "lambda": "rest-json",
    "rds": "query",
}


def test_every_service_has_the_protocol_its_clients_speak() -> None:
    assert {service.name: service.protocol for service in CATALOG.services()} == PROTOCOLS
    assert tuple(PROTOCOLS) == IN_SCOPE


def test_a_model_is_loaded_once() -> None:
    assert CATALOG.service("sts") is CATALOG.service("sts")
    assert CATALOG.operation("sts:AssumeRole") is CATALOG.service("sts").operations["AssumeRole"]


def test_services_out_of_scope_are_readable_but_not_found_by_requests() -> None:
    assert CATALOG.service("sqs").operations["SendMessage"].name == "SendMessage"
    assert CATALOG.find_by_signing("sqs") == ()


@pytest.mark.parametrize("name", ["nothing:Like", "ec2:LikeThis"])
def test_what_aws_has_not_is_refused(name: str) -> None:
    with pytest.raises(Unsupported):
        CATALOG.operation(name)


def test_lookups() -> None:
    assert [service.name for service in CATALOG.find_by_signing("vpc-lattice")] == ["vpc-lattice"]
    assert CATALOG.find_by_target("NetworkFirewall_20201112.CreateFirewall") is CATALOG.operation("network-firewall:CreateFirewall")
    assert CATALOG.find_by_target("CreateFirewall") is None
    assert CATALOG.find_by_query_version("ListUsers", "2010-05-08") is CATALOG.operation("iam:ListUsers")
    assert CATALOG.find_by_query_version("ListUsers", "2016-11-15") is None


def test_operation_facts() -> None:
    operation = CATALOG.operation("vpc-lattice:CreateService")
    assert (operation.method, operation.request_uri, operation.status) == ("POST", "/services", 201)
    assert operation.idempotency_tokens == ("clientToken",)
    assert "ConflictException" in {shape.error_code for shape in operation.errors}
    assert CATALOG.operation("sts:AssumeRoleWithWebIdentity").unsigned
    assert not operation.unsigned


def test_member_traits_win_over_the_shapes() -> None:
    subnet = CATALOG.operation("ec2:DescribeSubnets").output
    assert subnet is not None
    assert (subnet.members["Subnets"].location_name, subnet.members["Subnets"].member.location_name) == ("subnetSet", "item")


def test_an_overlay_changes_only_what_it_names() -> None:
    model = {"shapes": {"A": {"type": "string"}, "B": {"type": "string"}}, "metadata": {}}
    changed: dict[str, Any] = overlaid(model, [{"path": ["shapes", "A", "max"], "value": 3, "source": "here"}])
    assert changed["shapes"] == {"A": {"type": "string", "max": 3}, "B": {"type": "string"}}
    assert model["shapes"]["A"] == {"type": "string"}


def test_an_overlay_for_something_renamed_is_noticed() -> None:
    with pytest.raises(KeyError, match="not in the model"):
        overlaid({"shapes": {}}, [{"path": ["shapes", "Gone", "max"], "value": 3, "source": "here"}])


def test_every_overlay_names_its_source_and_differs_from_the_model() -> None:
    found = [entry for entry in resources.files("latticewall.apimodel").joinpath("overlays").iterdir() if entry.name.endswith(".json")]
    assert found
    for entry in found:
        model = Loader().load_service_model(entry.name.removesuffix(".json"), "service-2")
        for deviation in json.loads(entry.read_text()):
            place = model
            for step in deviation["path"][:-1]:
                place = place[step]
            assert place.get(deviation["path"][-1]) != deviation["value"]
            assert deviation["source"]
