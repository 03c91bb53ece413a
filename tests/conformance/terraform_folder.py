"""Terraform with the AWS provider, in a working folder of its own."""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab

CONFIGURATIONS = Path(__file__).parent / "terraform"


def provider_mirror() -> Path | None:
    """A folder that holds the AWS provider as Terraform's file system mirrors do, if this machine has one."""
    named = os.environ.get("LATTICEWALL_TERRAFORM_MIRROR")
    places = [Path(named)] if named else [Path.home() / ".terraform.d/plugins", *Path("/usr").glob("*share/terraform/plugins"), *Path("/opt").glob("*")]
    return next((place for place in places if next(place.glob("*/hashicorp/aws/*/*/terraform-provider-aws_*"), None)), None)


MIRROR = provider_mirror()


def terraform_tests(configuration: str = ".", providers: tuple[str, ...] = ("aws",)) -> list[pytest.MarkDecorator]:
    """The marks of a file of tests whose fixture `terraform` has this configuration, `terraform/` or a folder in it, which uses these providers."""
    return [
        pytest.mark.netns,
        pytest.mark.scenario,
        pytest.mark.terraform(configuration, providers),
        pytest.mark.timeout(600),
        pytest.mark.skipif(MIRROR is None, reason="no file system mirror with Terraform's AWS provider (LATTICEWALL_TERRAFORM_MIRROR names one)"),
    ]


@functools.cache
def running_provider(lab: Lab, name: str = "aws") -> dict[str, Any]:
    """Start the AWS provider as a process that all of Terraform's commands for this region use, and return where it is, as TF_REATTACH_PROVIDERS has it.
    Started by each command, it would take most of their time. It knows one configuration at a time: each of several providers in a folder needs its own."""
    assert MIRROR is not None
    binary = max(MIRROR.glob("*/hashicorp/aws/*/*/terraform-provider-aws_*"))
    process = subprocess.Popen([binary, "-debug"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(lab))
    atexit.register(process.kill)
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line):
            (attached,) = json.loads(found[1]).values()
            return {f"registry.terraform.io/hashicorp/{name}": attached}
    raise AssertionError("the provider did not say how it is reached")


def environment(lab: Lab) -> dict[str, str]:
    """What `latticewall env` prints, for the region's administrator."""
    session = lab.region.session
    return {
        "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": session.endpoint, "AWS_REGION": lab.region.name,
        "AWS_ACCESS_KEY_ID": session.credentials.access_key_id, "AWS_SECRET_ACCESS_KEY": session.credentials.secret_access_key.reveal(),
    }  # fmt: skip


class Terraform:
    """A working folder with a configuration, for one region."""

    def __init__(self, folder: Path, lab: Lab, configuration: str = ".", providers: tuple[str, ...] = ("aws",)) -> None:
        self.folder = folder
        shutil.copytree(CONFIGURATIONS / configuration, folder, dirs_exist_ok=True)
        shutil.copy(CONFIGURATIONS / "provider.tf", folder)
        attached = {key: value for name in providers for key, value in running_provider(lab, name).items()}
        self.environment = {
            **environment(lab), "HOME": str(folder), "TF_REATTACH_PROVIDERS": json.dumps(attached),
            "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
        }  # fmt: skip
        self.run("init")

    def run(self, *words: str) -> str:
        done = subprocess.run(["terraform", *words, "-no-color"], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def apply(self, **variables: object) -> str:
        """With these variables, which stay as they are for what comes after."""
        self.environment |= {f"TF_VAR_{name}": str(value) for name, value in variables.items()}
        return self.run("apply", "-auto-approve")

    def unchanged(self) -> None:
        """A plan finds everything as it is to be."""
        self.run("plan", "-detailed-exitcode")

    def imported(self, identifiers: Mapping[str, str], *forgotten: str) -> tuple[int, int, int, list[str]]:
        """Forget these resources, and others, and import these (address -> identifier) again, together with what was not known before. How many were
        imported, added, destroyed; which changed."""
        known = self.run("state", "list").splitlines()
        self.run("state", "rm", *(address for address in identifiers if address in known), *forgotten)
        blocks = self.folder / "imports.tf"
        blocks.write_text("".join(f'import {{\n  to = {address}\n  id = "{identifier}"\n}}\n' for address, identifier in identifiers.items()))
        said = self.apply()
        blocks.unlink()
        counted = re.search(r"Resources: (\d+) imported, (\d+) added, \d+ changed, (\d+) destroyed", said)
        assert counted is not None, said[-2000:]
        return int(counted[1]), int(counted[2]), int(counted[3]), re.findall(r"^(\S+): Modifying\.\.\.", said, re.MULTILINE)

    def destroy(self) -> None:
        """Take away what is there; nothing to do when nothing is."""
        state = self.folder / "terraform.tfstate"
        if state.exists() and json.loads(state.read_text())["resources"]:
            self.run("destroy", "-auto-approve")

    def outputs(self) -> dict[str, Any]:
        """By name, as the last apply left them."""
        return {name: found["value"] for name, found in json.loads((self.folder / "terraform.tfstate").read_text())["outputs"].items()}

