"""Every VPC Lattice resource and data source of Terraform's AWS provider: made, read, changed, imported into another state, taken away."""

from __future__ import annotations

import re
from pathlib import Path

from .lab import Lab
from .test_terraform import HERE, Terraform, pytestmark

__all__ = ["pytestmark"]
NOT_IMPORTABLE = "aws_vpclattice_target_group_attachment.t"
"""The provider has no import for it; made again, it is the same target."""


def test_all_resources_and_data_sources(lab: Lab, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    terraform = Terraform(first, lab, HERE / "lattice")
    try:
        terraform.run("apply", "-auto-approve")
        terraform.run("plan", "-detailed-exitcode")
        found = terraform.outputs()
        assert all(len(set(seen)) == 1 for seen in found["seen"].values()), found["seen"]
        terraform.run("apply", "-auto-approve", "-var", "status=500")
        lattice = lab.client("vpc-lattice")
        service, listener = found["imported"]["aws_vpclattice_listener.l"].split("/")
        action = lattice.get_listener(serviceIdentifier=service, listenerIdentifier=listener)["defaultAction"]
        assert action == {"fixedResponse": {"statusCode": 500}}
        imported(lab, second, found["imported"])
    finally:
        terraform.run("destroy", "-auto-approve")
    assert "tf-all" not in {item["name"] for kind in ("services", "service_networks", "target_groups") for item in getattr(lattice, f"list_{kind}")()["items"]}


def imported(lab: Lab, folder: Path, identifiers: dict[str, str]) -> None:
    """Another state takes over what is there without changing anything."""
    (folder / "imports.tf").write_text("".join(f'import {{\n  to = {to}\n  id = "{identifier}"\n}}\n' for to, identifier in identifiers.items()))
    other = Terraform(folder, lab, HERE / "lattice")
    said = other.run("apply", "-auto-approve", "-var", "status=500")
    counted = re.search(r"Resources: (\d+) imported, (\d+) added, (\d+) changed, (\d+) destroyed", said)
    assert counted is not None, said[-2000:]
    assert (int(counted[1]), int(counted[2]), int(counted[4])) == (len(identifiers), 1, 0), said[-3000:]
    other.run("plan", "-detailed-exitcode", "-var", "status=500")
