"""Parameters through boto3; AWS's public ones name the host's image."""

from __future__ import annotations

import pytest
from tests.region import ACCOUNT, NAME, Region

LATEST = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


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
