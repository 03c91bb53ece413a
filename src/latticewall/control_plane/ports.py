"""What services may ask of the outside, by name (`ctx.ports`)."""

from __future__ import annotations

from typing import Any

from latticewall.apimodel.catalog import Catalog
from latticewall.control_plane.appliers import Appliers
from latticewall.control_plane.firewall_rules import FirewallRules


def service_ports(appliers: Appliers, catalog: Catalog) -> dict[str, Any]:
    """firewall_rules: checks of rule groups and policies. target_health: (target group id) -> {(address, port): status}. console_output: (instance id) -> text.
    catalog: the models, for CloudFormation, which performs every operation."""
    return {"firewall_rules": FirewallRules(), "target_health": appliers.target_health, "console_output": appliers.console_output, "catalog": catalog}
