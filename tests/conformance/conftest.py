"""One region for the folder, under a name that no table of regions can know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.region import running

from .lab import Lab
from .terraform_folder import Terraform


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with running("mx-north-3") as region:
        yield Lab(region)


@pytest.fixture
def terraform(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Iterator[Terraform]:
    """With the configuration that the marker `terraform` of the test or its file names; taken away at the end."""
    marker = request.node.get_closest_marker("terraform")
    made = Terraform(tmp_path, lab, *marker.args, **marker.kwargs)
    try:
        yield made
    finally:
        made.destroy()
