"""boto3 with its waiters and the AWS CLI against an endpoint on loopback, with the runner in its thread."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.exceptions import WaiterError

from latticewall.faces.asgi import AsgiApp
from latticewall.faces.http import Endpoint

from .region import ACCOUNT, NAME, WALKTHROUGH, Region, walkthrough
from .test_stacks import BAD, template, vpc

FAST = {"Delay": 0.05, "MaxAttempts": 400}
AWS = Path(sys.executable).with_name("aws")


@pytest.fixture
def endpoint(region: Region) -> Iterator[str]:
    """The address of the region's endpoint; runner and data plane run."""
    ended = threading.Event()

    def follow() -> None:
        seen = -1
        while not ended.is_set():
            revision = region.store.wait_beyond(seen, 0.1)
            if revision > seen:
                region.settle()
                seen = revision

    face = Endpoint(region.app, ACCOUNT, NAME, lambda _path, _params: None, lambda: None, open_mode=True)
    server = uvicorn.Server(uvicorn.Config(AsgiApp(face), log_level="warning", lifespan="off"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        threads = [
            threading.Thread(target=server.run, kwargs={"sockets": [listening]}), threading.Thread(target=region.runner.run),
            threading.Thread(target=follow),
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        ended.set()
        region.runner.stop()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)


def client(endpoint: str, service: str = "cloudformation") -> Any:
    return boto3.client(service, region_name=NAME, aws_access_key_id=ACCOUNT, aws_secret_access_key="any", endpoint_url=endpoint)


def test_waiters(endpoint: str) -> None:
    stacks = client(endpoint)
    body = walkthrough("service-network")
    stack = stacks.create_stack(StackName="mesh", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])["StackId"]
    stacks.get_waiter("stack_create_complete").wait(StackName="mesh", WaiterConfig=FAST)
    assert len(stacks.describe_stack_resources(StackName="mesh")["StackResources"]) == body.split("\nResources:")[1].count("    Type: AWS::")
    parameters = [{"ParameterKey": "RestrictToOrganization", "ParameterValue": "yes"}]
    stacks.update_stack(StackName="mesh", UsePreviousTemplate=True, Parameters=parameters, Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_update_complete").wait(StackName="mesh", WaiterConfig=FAST)
    stacks.delete_stack(StackName="mesh")
    stacks.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=FAST)
    stacks.get_waiter("stack_delete_complete").wait(StackName="mesh", WaiterConfig=FAST)


def test_the_waiter_hears_of_failure(endpoint: str) -> None:
    stacks = client(endpoint)
    stacks.create_stack(StackName="demo", TemplateBody=json.dumps(BAD))
    with pytest.raises(WaiterError, match="ROLLBACK"):
        stacks.get_waiter("stack_create_complete").wait(StackName="demo", WaiterConfig=FAST)


def aws(endpoint: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": NAME, "AWS_ENDPOINT_URL": endpoint}
    return subprocess.run([str(AWS), "cloudformation", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=90)


@pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI is not in this environment")
def test_aws_cloudformation_deploy(endpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(template({"Id": {"Value": {"Ref": "Vpc"}}}, Vpc=vpc())))
    deploy = ("deploy", "--stack-name", "demo", "--template-file", str(file))
    first = aws(endpoint, *deploy, "--tags", "team=net")
    assert (first.returncode, "Successfully created/updated stack - demo" in first.stdout) == (0, True), first.stderr
    again = aws(endpoint, *deploy, "--tags", "team=net", "--no-fail-on-empty-changeset")
    assert (again.returncode, "No changes to deploy. Stack demo is up to date" in again.stdout) == (0, True), again.stdout + again.stderr
    shown = json.loads(aws(endpoint, "describe-stacks", "--stack-name", "demo").stdout)["Stacks"][0]
    assert (shown["StackStatus"], shown["Tags"]) == ("CREATE_COMPLETE", [{"Key": "team", "Value": "net"}])
    assert [one["VpcId"] for one in client(endpoint, "ec2").describe_vpcs()["Vpcs"]] == [shown["Outputs"][0]["OutputValue"]]


@pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI is not in this environment")
def test_aws_cloudformation_validate_template(endpoint: str) -> None:
    answer = json.loads(aws(endpoint, "validate-template", "--template-body", f"file://{WALKTHROUGH}/service-network.yaml").stdout)
    assert answer["Capabilities"] == ["CAPABILITY_IAM"]
    assert {"ParameterKey": "DomainName", "DefaultValue": "example.com"}.items() <= next(
        one for one in answer["Parameters"] if one["ParameterKey"] == "DomainName"
    ).items()
    refused = aws(endpoint, "validate-template", "--template-body", '{"Resources": {"A": {"Type": "AWS::EC2::Moon"}}}')
    assert "(ValidationError)" in refused.stderr
    assert "Unrecognized resource types: [AWS::EC2::Moon]" in refused.stderr
