"""Programs in an instance that nobody configured: the SDKs' default chains find role, region and endpoint by themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bench.region import Region, running, until
from tests.javascript.node_packages import node_modules

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(180)]

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*"}]}
BOTO3 = """
import boto3, json
found = boto3.client("sts").get_caller_identity()["Arn"]
vpcs = [vpc["VpcId"] for vpc in boto3.client("ec2").describe_vpcs()["Vpcs"]]
try:
    boto3.client("iam").list_roles()
    refused = ""
except boto3.client("iam").exceptions.ClientError as error:
    refused = error.response["Error"]["Code"]
print(json.dumps([found, vpcs, refused]))
"""
JAVASCRIPT = """
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");
new STSClient({}).send(new GetCallerIdentityCommand({})).then((answer) => console.log(answer.Arn), (error) => { console.error(error); process.exit(1); });
"""


@dataclass(frozen=True)
class Machine:
    """A running instance with the role `web`."""

    region: Region
    vpc: str
    id: str

    @property
    def session(self) -> str:
        """The ARN of its role's session."""
        account = self.region.client("sts").get_caller_identity()["Account"]
        return f"arn:aws:sts::{account}:assumed-role/web/{self.id}"

    def run(self, *program: str) -> str:
        done = self.region.run(self.id, *program)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def metadata(self, path: str) -> tuple[int, str]:
        url = "http://169.254.169.254/latest"
        token = self.region.run(self.id, "curl", "-sf", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", f"{url}/api/token").stdout
        printed = self.run("curl", "-s", "-w", "\n%{http_code}", "-H", f"X-aws-ec2-metadata-token: {token}", f"{url}/{path}")
        body, _, status = printed.rpartition("\n")
        return int(status), body


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with running() as region:
        yield launch(region)


def launch(region: Region) -> Machine:
    iam, ec2 = region.client("iam"), region.client("ec2")
    iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="web", PolicyName="some", PolicyDocument=json.dumps(POLICY))
    iam.create_instance_profile(InstanceProfileName="web-profile")
    iam.add_role_to_instance_profile(InstanceProfileName="web-profile", RoleName="web")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    return start(region, vpc, subnet)


@pytest.fixture(scope="module")
def alone(machine: Machine) -> Machine:
    """Another one of the VPC, in an IPv6-only subnet."""
    ec2 = machine.region.client("ec2")
    block = ec2.associate_vpc_cidr_block(VpcId=machine.vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    subnet = ec2.create_subnet(VpcId=machine.vpc, Ipv6CidrBlock=block.replace("/56", "/64"), Ipv6Native=True)["Subnet"]["SubnetId"]
    return start(machine.region, machine.vpc, subnet, MetadataOptions={"HttpProtocolIpv6": "enabled"})


@pytest.fixture(params=["machine", "alone"])
def either(request: pytest.FixtureRequest) -> Machine:
    found: Machine = request.getfixturevalue(request.param)
    return found


def start(region: Region, vpc: str, subnet: str, **more: Any) -> Machine:
    ec2 = region.client("ec2")
    image = ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    (made,) = ec2.run_instances(
        ImageId=image["ImageId"], InstanceType=size, MinCount=1, MaxCount=1, SubnetId=subnet, IamInstanceProfile={"Name": "web-profile"},
        TagSpecifications=tags, UserData="#!/bin/sh\nenv | grep ^AWS_ | sort\n", **more,
    )["Instances"]  # fmt: skip
    region.settle()
    return Machine(region, vpc, made["InstanceId"])


def test_boto3(either: Machine) -> None:
    """What the role allows and nothing else."""
    assert json.loads(either.run(sys.executable, "-c", BOTO3)) == [either.session, [either.vpc], "AccessDenied"]


def test_aws_cli(either: Machine) -> None:
    aws = shutil.which("aws", path=str(Path(sys.executable).parent)) or "aws"
    assert either.run(aws, "sts", "get-caller-identity", "--query", "Arn", "--output", "text").strip() == either.session


def test_javascript_sdk(either: Machine) -> None:
    found = either.run("env", f"NODE_PATH={node_modules()}", shutil.which("node") or "node", "-e", JAVASCRIPT)
    assert found.strip() == either.session


def test_buckets_are_reached_over_ipv6(alone: Machine) -> None:
    """By path: no name is made of a bucket's. The role may not see it, which is an answer."""
    done = alone.region.run(alone.id, sys.executable, "-c", "import boto3; boto3.client('s3').get_object(Bucket='bucket', Key='key')")
    assert "AccessDenied" in done.stderr, done.stderr


def test_user_data_has_the_same_environment(machine: Machine) -> None:
    console = until(lambda: found if "AWS_REGION" in (found := machine.region.client("ec2").get_console_output(InstanceId=machine.id)["Output"]) else None)
    for line in ("AWS_DEFAULT_REGION=eu-central-1", "AWS_ENDPOINT_URL=http://169.254.169.254:4566", "AWS_REGION=eu-central-1"):
        assert line in console


def test_what_only_the_administrator_may_ask_is_not_there(machine: Machine) -> None:
    for path in ("health", "status"):
        assert machine.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://169.254.169.254:4566/_latticewall/{path}") == "404"


def test_the_endpoint_comes_back_with_the_control_plane(machine: Machine) -> None:
    """Meanwhile instance metadata goes on answering."""
    caller = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    machine.region.kill("control-plane")
    assert machine.metadata("meta-data/iam/security-credentials/") == (200, "web")
    until(lambda: machine.region.run(machine.id, sys.executable, "-c", caller).stdout.strip() == machine.session)


def test_a_vpc_that_comes_later_has_the_endpoint_too(machine: Machine) -> None:
    """And one that goes takes nothing of the others with it."""
    ec2 = machine.region.client("ec2")
    later = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    machine.region.settle()
    ec2.delete_vpc(VpcId=later)
    machine.region.settle()
    assert machine.region.status()["errors"] in ({}, [])
    assert json.loads(machine.run(sys.executable, "-c", BOTO3))[0] == machine.session


def test_the_identity_document_is_signed_by_the_region(machine: Machine, tmp_path: Path) -> None:
    document = machine.metadata("dynamic/instance-identity/document")[1]
    assert json.loads(document)["instanceId"] == machine.id
    envelope = f"-----BEGIN PKCS7-----\n{machine.metadata('dynamic/instance-identity/rsa2048')[1]}\n-----END PKCS7-----\n"
    certificate = machine.region.state / "identity" / "certificate.pem"
    verify = ["openssl", "smime", "-verify", "-inform", "PEM", "-certfile", str(certificate), "-noverify", "-nointern"]
    done = subprocess.run(verify, input=envelope, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, document), done.stderr


def test_modified_options_take_effect(machine: Machine) -> None:
    ec2 = machine.region.client("ec2")

    def modify(**options: Any) -> None:
        ec2.modify_instance_metadata_options(InstanceId=machine.id, **options)
        machine.region.settle()

    plain = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://169.254.169.254/latest/meta-data/")
    assert (machine.run(*plain), machine.metadata("meta-data/tags/instance/Name")[0]) == ("401", 404)
    modify(HttpTokens="optional", InstanceMetadataTags="enabled")
    assert (machine.run(*plain), machine.metadata("meta-data/tags/instance/Name")) == ("200", (200, "web"))
    modify(HttpEndpoint="disabled")
    assert machine.run(*plain) == "403"
    modify(HttpEndpoint="enabled", HttpTokens="required", InstanceMetadataTags="disabled")
    assert (machine.run(*plain), machine.metadata("meta-data/iam/security-credentials/")) == ("401", (200, "web"))
