"""Terraform's AWS provider: apply, an empty plan, destroy."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .endpoint import serving
from .region import Region

HERE = Path(__file__).parent / "terraform"


def provider_mirror() -> Path | None:
    """A folder that holds the AWS provider as Terraform's file system mirrors do, if this machine has one."""
    named = os.environ.get("LATTICEWALL_TERRAFORM_MIRROR")
    places = [Path(named)] if named else [Path.home() / ".terraform.d/plugins", *Path("/usr").glob("*share/terraform/plugins"), *Path("/opt").glob("*")]
    return next((place for place in places if next(place.glob("*/hashicorp/aws/*/*/terraform-provider-aws_*"), None)), None)


MIRROR = provider_mirror()
pytestmark = [
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
    pytest.mark.skipif(MIRROR is None, reason="no file system mirror with Terraform's AWS provider (LATTICEWALL_TERRAFORM_MIRROR names one)"),
]


class Terraform:
    def __init__(self, folder: Path, endpoint: str) -> None:
        shutil.copy(HERE / "main.tf", folder)
        (folder / "settings").write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{MIRROR}"\n  }}\n}}\n')
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TF_CLI_CONFIG_FILE": str(folder / "settings"), "TF_VAR_endpoint": endpoint,
            "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
        }  # fmt: skip
        self.run("init")

    def run(self, *words: str) -> None:
        done = subprocess.run(["terraform", *words, "-no-color"], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.timeout(300)
def test_a_whole_network_comes_and_goes(tmp_path: Path) -> None:
    region = Region(tmp_path, "us-west-2")
    with serving(region) as url:
        terraform = Terraform(tmp_path, url)
        terraform.run("apply", "-auto-approve")
        terraform.run("plan", "-detailed-exitcode")
        terraform.run("destroy", "-auto-approve")
        assert region.call("DescribeVpcs")["Vpcs"] == []
        assert region.call("DescribeNetworkInterfaces")["NetworkInterfaces"] == []
        assert {item["State"]["Name"] for found in region.call("DescribeInstances")["Reservations"] for item in found["Instances"]} == {"terminated"}
