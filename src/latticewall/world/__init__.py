"""The only typed picture of the region's state: resources with references resolved and defaults explicit, sorted. Pure: rows in, values out."""

from __future__ import annotations

from latticewall.world.types import World

__all__ = ["World"]
