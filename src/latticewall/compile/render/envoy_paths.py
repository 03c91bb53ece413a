"""Where Envoy finds namespaces and writes its log."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EnvoyPaths:
    """Where Envoy finds the network namespaces and the Lua of its authorization filter, and where it writes its access log (absolute paths as Envoy sees
    them). run: the region's folder for running things."""

    namespaces: str = "/run/latticewall/netns"
    access_log: str = "/run/latticewall/envoy/access.jsonl"
    authorization: str = "/run/latticewall/envoy/authorization.lua"

    run: str = "/run/latticewall"

    @property
    def stickiness(self) -> str:
        """The script of load balancers' sticky sessions."""
        return f"{self.run}/envoy/stickiness.lua"

    def namespace(self, name: str) -> str:
        return f"{self.namespaces}/{name}"
