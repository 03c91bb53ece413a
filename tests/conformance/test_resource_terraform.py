"""Terraform's resource gateways, resource configurations and their associations: they come, are what they say, are imported, change, and go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab
from .test_terraform import HERE, Terraform, pytestmark

__all__ = ["pytestmark"]


@pytest.fixture
def terraform(lab: Lab, tmp_path: Path) -> Iterator[Terraform]:
    made = Terraform(tmp_path, lab, HERE / "resources")
    try:
        yield made
    finally:
        made.run("destroy", "-auto-approve")


@pytest.mark.timeout(900)  # seven runs of Terraform, each as slow as the machine is busy
def test_resources_come_are_imported_change_and_go(lab: Lab, terraform: Terraform) -> None:
    terraform.run("apply", "-auto-approve")
    found = terraform.outputs()
    assert _associated(lab, found) == {"tf-group", "tf-child-0", "tf-named"}
    terraform.run("state", "rm", *found["imports"])
    blocks = terraform.folder / "imports.tf"
    blocks.write_text("\n".join(f'import {{\n  to = {address}\n  id = "{identifier}"\n}}' for address, identifier in found["imports"].items()))
    # and what is not imported differs in nothing either
    assert f"{len(found['imports'])} imported, 0 added, 0 changed, 0 destroyed" in terraform.run("apply", "-auto-approve")
    blocks.unlink()
    terraform.run("apply", "-auto-approve", "-var", "greeting=second")
    terraform.run("plan", "-detailed-exitcode", "-var", "greeting=second")
    assert terraform.outputs()["imports"] == found["imports"]  # everything in place
    assert _associated(lab, found) == {"tf-group", "tf-child-0", "tf-child-1", "tf-named"}
    (child,) = [item for item in lab.client("vpc-lattice").list_resource_configurations()["items"] if item["name"] == "tf-child-0"]
    shown = lab.client("vpc-lattice").get_resource_configuration(resourceConfigurationIdentifier=child["id"])
    assert shown["portRanges"] == ["9092", "9094-9099"]
    terraform.run("destroy", "-auto-approve")
    left = lab.client("vpc-lattice").list_resource_configurations()["items"]
    assert [item["name"] for item in left if item["name"].startswith("tf-")] == []


def _associated(lab: Lab, found: dict[str, Any]) -> set[str]:
    listed = lab.client("vpc-lattice").list_service_network_resource_associations(serviceNetworkIdentifier=found["network"], includeChildren=True)
    assert {item["status"] for item in listed["items"]} == {"ACTIVE"}
    return {item["resourceConfigurationName"] for item in listed["items"]}
