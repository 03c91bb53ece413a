"""Terraform's AWS provider builds the whole architecture, finds nothing to change, changes one rule, and takes everything away."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.region import until

from .lab import Lab, server

HERE = Path(__file__).parent / "terraform"


def provider_mirror() -> Path | None:
    """A folder that holds the AWS provider as Terraform's file system mirrors do, if this machine has one."""
    named = os.environ.get("LATTICEWALL_TERRAFORM_MIRROR")
    places = [Path(named)] if named else [Path.home() / ".terraform.d/plugins", *Path("/usr").glob("*share/terraform/plugins"), *Path("/opt").glob("*")]
    return next((place for place in places if next(place.glob("*/hashicorp/aws/*/*/terraform-provider-aws_*"), None)), None)


MIRROR = provider_mirror()
pytestmark = [
    pytest.mark.netns,
    pytest.mark.scenario,
    pytest.mark.terraform,
    pytest.mark.timeout(600),
    pytest.mark.skipif(MIRROR is None, reason="no file system mirror with Terraform's AWS provider (LATTICEWALL_TERRAFORM_MIRROR names one)"),
]


def running_provider(folder: Path, environment: dict[str, str]) -> str:
    """Start the AWS provider as a process that all commands in a folder use; return what Terraform's TF_REATTACH_PROVIDERS takes. Started by each command, it
    would take most of their time. It reads credentials in its own environment."""
    assert MIRROR is not None
    binary = max(MIRROR.glob("*/hashicorp/aws/*/*/terraform-provider-aws_*"))
    process = subprocess.Popen([binary, "-debug"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder, env=environment)
    atexit.register(process.kill)
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line):
            return found[1]
    raise AssertionError("the provider did not say how it is reached")


class Terraform:
    """A working folder for one region, as the region's administrator. source: the folder of its `main.tf`. aliases: the provider is configured twice."""

    def __init__(self, folder: Path, lab: Lab, source: Path = HERE, *, aliases: bool = False) -> None:
        shutil.copy(source / "main.tf", folder)
        (folder / "server.py").write_text(server("tf", [7001], [7777, 7778, 7779, 9999]))
        (folder / "settings").write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{MIRROR}"\n  }}\n}}\n')
        session = lab.region.session
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TF_CLI_CONFIG_FILE": str(folder / "settings"), "TF_VAR_endpoint": session.endpoint,
            "TF_VAR_region": lab.region.name, "AWS_ACCESS_KEY_ID": session.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.credentials.secret_access_key.reveal(), "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
        }  # fmt: skip
        if not aliases:
            self.environment["TF_REATTACH_PROVIDERS"] = running_provider(folder, self.environment)
        self.run("init")

    def run(self, *words: str) -> str:
        done = subprocess.run(["terraform", *words, "-no-color"], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def outputs(self) -> dict[str, Any]:
        return {name: found["value"] for name, found in json.loads(self.run("output", "-json")).items()}


@pytest.fixture
def terraform(lab: Lab, tmp_path: Path) -> Iterator[Terraform]:
    made = Terraform(tmp_path, lab)
    try:
        yield made
    finally:
        made.run("destroy", "-auto-approve")


def test_the_whole_architecture_comes_works_and_goes(lab: Lab, terraform: Terraform) -> None:
    terraform.run("apply", "-auto-approve")
    terraform.run("plan", "-detailed-exitcode")
    found = terraform.outputs()
    client = found["client"]
    lab.settled()
    until(lambda: lab.talk(client, "172.29.1.10", 7777))
    assert lab.talk(client, "172.29.1.10", 7778, seconds=0.8) == ""
    assert lab.talk(client, "172.29.1.10", 9999, seconds=0.8) == ""
    assert {lab.talk(client, name, 7778)[:11] for name in ("lines.corp.test", found["door"])} == {"tf 172.29.1"}
    assert lab.curl(client, f"http://{found['service']}:8443/x")[0] == 403
    signed = lab.signed(client, f"http://{found['service']}:8443/first")
    assert signed[0] == 200, signed
    assert lab.signed(client, f"http://{found['service']}:8443/first", "DELETE")[0] == 404
    terraform.run("apply", "-auto-approve", "-var", "greeting=second")
    terraform.run("plan", "-detailed-exitcode", "-var", "greeting=second")
    lab.settled()
    assert lab.talk(client, found["door"], 7778).startswith("tf 172.29.1.")
    assert lab.signed(client, f"http://{found['service']}:8443/first", "DELETE")[0] == 200
    terraform.run("destroy", "-auto-approve")
    assert "tf-service" not in {one["name"] for one in lab.client("vpc-lattice").list_services()["items"]}
    assert {one["VpcEndpointType"] for one in lab.ec2.describe_vpc_endpoints()["VpcEndpoints"]} <= {"GatewayLoadBalancer"}
    assert lab.client("network-firewall").list_firewalls()["Firewalls"] == []
    assert "172.28.0.0/16" not in {vpc["CidrBlock"] for vpc in lab.ec2.describe_vpcs()["Vpcs"]}


def test_log_destinations(lab: Lab, tmp_path: Path) -> None:
    """Buckets, objects, Firehose streams and access log subscriptions to all three kinds of destinations."""
    terraform = Terraform(tmp_path, lab, HERE / "delivery")
    try:
        terraform.run("apply", "-auto-approve")
        terraform.run("plan", "-detailed-exitcode")
        terraform.run("apply", "-auto-approve", "-var", "note=second")
        assert lab.client("s3").get_object(Bucket="tf-logs", Key="notes/first note.txt")["Body"].read() == b"second"
        described = lab.client("firehose").describe_delivery_stream(DeliveryStreamName="tf-stream")["DeliveryStreamDescription"]
        assert described["Destinations"][0]["ExtendedS3DestinationDescription"]["Prefix"] == "second/"
        (service,) = [one for one in lab.client("vpc-lattice").list_services()["items"] if one["name"] == "tf-delivery"]
        found = lab.client("vpc-lattice").list_access_log_subscriptions(resourceIdentifier=service["id"])["items"]
        assert {one["destinationArn"].split(":")[2] for one in found} == {"firehose", "logs", "s3"}
    finally:
        terraform.run("destroy", "-auto-approve")
    assert "tf-logs" not in [one["Name"] for one in lab.client("s3").list_buckets()["Buckets"]]
