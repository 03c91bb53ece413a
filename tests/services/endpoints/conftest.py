from __future__ import annotations

import pytest
from tests.region import Region, region

from .site import Site

__all__ = ["region"]


@pytest.fixture
def site(region: Region) -> Site:
    return Site(region)
