"""Terraform's Lambda resources and a target group of functions: they come, nothing is left to change, they change, and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .lab import Lab
from .test_functions import package
from .test_terraform import HERE, Terraform, pytestmark

__all__ = ["pytestmark"]


@pytest.fixture
def terraform(lab: Lab, tmp_path: Path) -> Iterator[Terraform]:
    made = Terraform(tmp_path, lab, HERE / "functions")
    for greeting in ("first", "second"):
        (tmp_path / f"{greeting}.zip").write_bytes(package(index_py=f"import os\n\ndef handler(*_):\n    return ['{greeting}', os.environ['GREETING']]\n"))
    try:
        yield made
    finally:
        if made.run("state", "list").strip():
            made.run("destroy", "-auto-approve")


def test_functions_come_change_and_go(lab: Lab, terraform: Terraform) -> None:
    functions, lattice = lab.client("lambda"), lab.client("vpc-lattice")
    for number, greeting in enumerate(("first", "second"), 1):
        terraform.run("apply", "-auto-approve", "-var", f"greeting={greeting}")
        if number == 1:
            terraform.run("plan", "-detailed-exitcode", "-var", f"greeting={greeting}")
        assert terraform.outputs()["version"] == str(number)
        assert json.loads(functions.invoke(FunctionName="tf-greeter:live")["Payload"].read()) == [greeting, greeting]
    (target,) = lattice.list_targets(targetGroupIdentifier=terraform.outputs()["group"])["items"]
    assert (target["id"].rpartition(":")[2], target["status"]) == ("tf-greeter", "UNUSED")
    assert [one["Sid"] for one in json.loads(functions.get_policy(FunctionName="tf-greeter")["Policy"])["Statement"]] == ["lattice"]
    terraform.run("destroy", "-auto-approve")
    assert [one["FunctionName"] for one in functions.list_functions()["Functions"] if one["FunctionName"].startswith("tf-")] == []
    assert [one["name"] for one in lattice.list_target_groups()["items"] if one["type"] == "LAMBDA" and one["name"].startswith("tf-")] == []
