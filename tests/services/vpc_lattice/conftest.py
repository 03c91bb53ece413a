from __future__ import annotations

from pathlib import Path

import pytest

from .region import Region
from .things import Things


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Things:
    """One of everything, for all tests of a file."""
    return Things(Region(tmp_path_factory.mktemp("region")))


@pytest.fixture
def things(made: Things) -> Things:
    made.region.plug()
    return made
