"""Parameters through boto3; AWS's public ones name the host's image."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region

LATEST = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize("name", [LATEST, "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"])
def test_public_parameters_name_an_image_that_runs(region: Region, name: str) -> None:
    found = region.ssm.get_parameter(Name=name)["Parameter"]
    assert (found["Name"], found["DataType"]) == (name, "aws:ec2:image")
    assert [image["ImageId"] for image in region.ec2.describe_images(ImageIds=[found["Value"]])["Images"]] == [found["Value"]]
    assert region.ssm.get_parameters(Names=[name, "/none"])["InvalidParameters"] == ["/none"]


@pytest.mark.parametrize("name", ["/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base", "/aws/service/other"])
def test_other_public_parameters_do_not_exist(region: Region, name: str) -> None:
    with region.refused("ParameterNotFound"):
        region.ssm.get_parameter(Name=name)


def test_a_parameter_lives(region: Region) -> None:
    assert region.ssm.put_parameter(Name="/app/port", Value="80", Type="String")["Version"] == 1
    with region.refused("ParameterAlreadyExists"):
        region.ssm.put_parameter(Name="/app/port", Value="81", Type="String")
    assert region.ssm.put_parameter(Name="/app/port", Value="81", Overwrite=True)["Version"] == 2
    found = region.ssm.get_parameter(Name="/app/port")["Parameter"]
    assert (found["Value"], found["Version"], found["ARN"]) == ("81", 2, f"arn:aws:ssm:{NAME}:{ACCOUNT}:parameter/app/port")
    assert region.ssm.get_parameter(Name="/app/port:2")["Parameter"]["Value"] == "81"
    with region.refused("ParameterNotFound"):
        region.ssm.get_parameter(Name="/app/port:1")
    region.ssm.delete_parameter(Name="/app/port")
    with region.refused("ParameterNotFound"):
        region.ssm.delete_parameter(Name="/app/port")


def test_names_without_a_slash_are_given_back_so(region: Region) -> None:
    region.ssm.put_parameter(Name="plain", Value="1", Type="String")
    found = region.ssm.get_parameter(Name="plain")["Parameter"]
    assert (found["Name"], found["ARN"]) == ("plain", f"arn:aws:ssm:{NAME}:{ACCOUNT}:parameter/plain")


def test_by_path(region: Region) -> None:
    for name in ("/app/a", "/app/db/b", "/apple"):
        region.ssm.put_parameter(Name=name, Value="1", Type="String")
    assert [item["Name"] for item in region.ssm.get_parameters_by_path(Path="/app")["Parameters"]] == ["/app/a"]
    pages = list(region.ssm.get_paginator("get_parameters_by_path").paginate(Path="/app/", Recursive=True, PaginationConfig={"PageSize": 1}))
    assert [[item["Name"] for item in page["Parameters"]] for page in pages] == [["/app/a"], ["/app/db/b"]]


def test_tags(region: Region) -> None:
    region.ssm.put_parameter(Name="/app/a", Value="1", Type="String", Tags=[{"Key": "team", "Value": "red"}, {"Key": "stage", "Value": "dev"}])
    this = {"ResourceType": "Parameter", "ResourceId": "/app/a"}
    region.ssm.add_tags_to_resource(**this, Tags=[{"Key": "team", "Value": "blue"}])
    region.ssm.remove_tags_from_resource(**this, TagKeys=["stage", "none"])
    assert region.ssm.list_tags_for_resource(**this)["TagList"] == [{"Key": "team", "Value": "blue"}]
    with region.refused("InvalidResourceId", "/app/b"):
        region.ssm.list_tags_for_resource(**{**this, "ResourceId": "/app/b"})
    with region.refused("InvalidResourceType"):
        region.ssm.list_tags_for_resource(**{**this, "ResourceType": "Document"})
    alice = region.as_user("ssm", document({"Effect": "Allow", "Action": "ssm:ListTagsForResource", "Resource": "arn:aws:ssm:*:*:parameter/app/a"}))
    assert alice.list_tags_for_resource(**this)["TagList"]
    with region.refused("AccessDeniedException", "ssm:AddTagsToResource on resource: arn:aws:ssm"):
        alice.add_tags_to_resource(**this, Tags=[{"Key": "team", "Value": "mine"}])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"Key": "Name", "Values": ["/app/a"]}, ["/app/a"]),
        ({"Key": "Name", "Option": "Equals", "Values": ["/app/a", "plain"]}, ["/app/a", "plain"]),
        ({"Key": "Name", "Option": "BeginsWith", "Values": ["/app"]}, ["/app/a", "/app/db/b"]),
        ({"Key": "Name", "Option": "Contains", "Values": ["b"]}, ["/app/db/b"]),
        ({"Key": "Path", "Values": ["/app"]}, ["/app/a"]),
        ({"Key": "Path", "Option": "Recursive", "Values": ["/app/"]}, ["/app/a", "/app/db/b"]),
        ({"Key": "Type", "Values": ["StringList"]}, ["/app/db/b"]),
        ({"Key": "KeyId", "Values": ["alias/aws/ssm"]}, []),
        ({"Key": "tag:team", "Values": ["red"]}, ["plain"]),
        ({"Key": "tag:team"}, ["plain"]),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_parameters_are_described_without_their_values(region: Region, wanted: dict[str, Any], found: list[str]) -> None:
    region.ssm.put_parameter(Name="/app/a", Value="1", Type="String", Description="first")
    region.ssm.put_parameter(Name="/app/db/b", Value="1", Type="StringList")
    region.ssm.put_parameter(Name="plain", Value="1", Type="String", Tags=[{"Key": "team", "Value": "red"}])
    shown = region.ssm.describe_parameters(ParameterFilters=[wanted])["Parameters"]
    assert sorted(item["Name"] for item in shown) == found
    assert not [item for item in shown if "Value" in item or item["Tier"] != "Standard" or not item["LastModifiedUser"].endswith(":root")]
    assert [item.get("Description") for item in shown if item["Name"] == "/app/a"] == ["first"] * ("/app/a" in found)
    with region.refused("InvalidFilterKey", "Label"):
        region.ssm.describe_parameters(ParameterFilters=[{"Key": "Label", "Values": ["red"]}])


def test_what_is_refused(region: Region) -> None:
    with region.refused("UnsupportedParameterType", "KMS"):
        region.ssm.put_parameter(Name="/app/key", Value="1", Type="SecureString")
    with region.refused("ValidationException", "/aws/mine"):
        region.ssm.put_parameter(Name="/aws/mine", Value="1", Type="String")
    with region.refused("ParameterPatternMismatchException"):
        region.ssm.put_parameter(Name="/app/port", Value="x", Type="String", AllowedPattern="\\d+")
    with region.refused("ValidationException", "Tier"):
        region.ssm.put_parameter(Name="/app/port", Value="x", Type="String", Tier="Advanced")
    region.ssm.put_parameter(Name="/app/port", Value="1", Type="String")
    with region.refused("ParameterNotFound"):
        region.of("999988887777", "ssm").get_parameter(Name="/app/port")
    with region.refused("ParameterNotFound"):
        region.of(ACCOUNT, "ssm", "us-east-9").get_parameter(Name="/app/port")
