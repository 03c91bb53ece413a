"""Templates in the request and in S3: which URLs name an object, with whose rights it is read, and how large it may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.region import Region, client

from latticewall.base.faults import Fault
from latticewall.services.cloudformation.template_body import LARGEST, LARGEST_OBJECT, place_of

BODY = json.dumps({"Resources": {"Gateway": {"Type": "AWS::EC2::InternetGateway"}}})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://cdk-assets.s3.eu-north-7.amazonaws.com/a/b.json", ("cdk-assets", "a/b.json", "")),
        ("https://cdk-assets.s3.amazonaws.com/b.json", ("cdk-assets", "b.json", "")),
        ("https://dotted.name.s3-eu-north-7.amazonaws.com/b.json", ("dotted.name", "b.json", "")),
        ("https://cdk-assets.s3.dualstack.eu-north-7.amazonaws.com/b.json", ("cdk-assets", "b.json", "")),
        ("https://s3.eu-north-7.amazonaws.com/cdk-assets/a/b.json?versionId=v1", ("cdk-assets", "a/b.json", "v1")),
        ("https://s3.amazonaws.com/cdk-assets/with%20space.json", ("cdk-assets", "with space.json", "")),
        ("http://127.0.0.1:4566/cdk-assets/b.json", ("cdk-assets", "b.json", "")),
        ("http://[::1]:4566/cdk-assets/b.json", ("cdk-assets", "b.json", "")),
        ("http://localhost:4566/cdk-assets/b.json", ("cdk-assets", "b.json", "")),
        ("http://cdk-assets.localhost:4566/b.json", ("cdk-assets", "b.json", "")),
    ],
)
def test_urls_of_objects(url: str, place: tuple[str, str, str]) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/bucket/key", "https://s3.amazonaws.com.example.com/bucket/key", "https://bucket.s3.evil.com/key", "file:///etc/passwd",
        "https://s3.amazonaws.com/bucket", "https://bucket.s3.amazonaws.com/", "s3://bucket/key", "https://[", "", "http://127.0.0.1:4566/",
    ],
)  # fmt: skip
def test_urls_of_nothing(url: str) -> None:
    with pytest.raises(Fault, match="TemplateURL must be a supported URL"):
        place_of(url)


@pytest.fixture
def stacks(region: Region) -> Any:
    """CloudFormation's client, in a region with a bucket that holds a template."""
    s3 = client("s3")
    s3.create_bucket(Bucket="assets")
    s3.put_object(Bucket="assets", Key="t.json", Body=BODY.encode())
    return client("cloudformation")


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)


URL = "https://assets.s3.eu-north-7.amazonaws.com/t.json"


def test_every_operation_that_takes_a_template_takes_a_url(region: Region, stacks: Any) -> None:
    assert stacks.validate_template(TemplateURL=URL)["Parameters"] == []
    assert stacks.get_template_summary(TemplateURL=URL)["ResourceTypes"] == ["AWS::EC2::InternetGateway"]
    stacks.create_stack(StackName="one", TemplateURL=URL)
    assert stacks.get_template(StackName="one")["TemplateBody"] == json.loads(BODY)
    with region.refused("ValidationError", "You cannot specify both Template URL and Template Body"):
        stacks.create_stack(StackName="two", TemplateURL=URL, TemplateBody=BODY)


def test_the_usual_way_of_deploying_may_be_named(region: Region, stacks: Any) -> None:
    for config in ({"Mode": "EXPRESS"}, {"Mode": "STANDARD", "DisableRollback": True}):
        with region.refused("ValidationError", "DeploymentConfig is not supported by latticewall yet, other than the mode STANDARD"):
            stacks.create_stack(StackName="one", TemplateURL=URL, DeploymentConfig=config)
    stacks.create_stack(StackName="one", TemplateURL=URL, DeploymentConfig={"Mode": "STANDARD", "DisableRollback": False})


def test_a_change_set_keeps_what_it_has_read(stacks: Any) -> None:
    stacks.create_change_set(StackName="one", ChangeSetName="first", ChangeSetType="CREATE", TemplateURL=URL, IncludeNestedStacks=True)
    client("s3").delete_object(Bucket="assets", Key="t.json")
    stacks.execute_change_set(StackName="one", ChangeSetName="first")
    assert stacks.get_template(StackName="one")["TemplateBody"] == json.loads(BODY)


def test_the_caller_must_be_allowed_to_read_the_object(region: Region, stacks: Any) -> None:
    def policy(*actions: str) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})

    alice = region.as_user("cloudformation", policy("cloudformation:*"))
    with region.refused("AccessDenied", "is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::assets/t.json"):
        alice.validate_template(TemplateURL=URL)
    region.as_user("cloudformation", policy("cloudformation:*", "s3:GetObject")).validate_template(TemplateURL=URL)


def test_what_cannot_be_read(region: Region, stacks: Any) -> None:
    with region.refused("ValidationError", "S3 error: The specified bucket does not exist"):
        stacks.validate_template(TemplateURL=URL.replace("assets", "others"))
    with region.refused("ValidationError", "S3 error: The specified key does not exist."):
        stacks.validate_template(TemplateURL=URL + "x")
    client("s3").put_object(Bucket="assets", Key="t.json", Body=b"\xff\xfe")
    with region.refused("ValidationError", "no text in UTF-8"):
        stacks.validate_template(TemplateURL=URL)


def test_sizes(stacks: Any) -> None:
    with pytest.raises(ClientError, match=f"less than or equal to {LARGEST}"):
        stacks.validate_template(TemplateBody=BODY + " " * LARGEST)
    client("s3").put_object(Bucket="assets", Key="t.json", Body=BODY.ljust(LARGEST_OBJECT).encode())
    stacks.validate_template(TemplateURL=URL)
    client("s3").put_object(Bucket="assets", Key="t.json", Body=BODY.ljust(LARGEST_OBJECT + 1).encode())
    with pytest.raises(ClientError, match=f"Template may not exceed {LARGEST_OBJECT} bytes"):
        stacks.validate_template(TemplateURL=URL)
