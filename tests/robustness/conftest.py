"""One region for all tests of this folder: what they break has to be whole again for the next one, which is the point."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.architecture import Architecture, build
from bench.region import Region, running

from .flows import SERVER, wait_for_servers


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path of the test's own."""
    made = Path(tempfile.mkdtemp(prefix="lw-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def region() -> Iterator[Region]:
    with running() as region:
        yield region


@pytest.fixture(scope="session")
def _architecture(region: Region) -> Architecture:
    return build(region, {"server": SERVER, "plain-server": SERVER, "client": SERVER})


@pytest.fixture
def built(region: Region, _architecture: Architecture) -> Architecture:
    """The architecture, with everything in it answering."""
    region.settle()
    wait_for_servers(region, _architecture)
    return _architecture
