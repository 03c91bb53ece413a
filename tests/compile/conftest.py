from __future__ import annotations

from tests.region import region

__all__ = ["region"]
