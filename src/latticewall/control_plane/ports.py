"""What services may ask of the outside, by name (`ctx.ports`)."""

from __future__ import annotations

from typing import Any

from latticewall.auth.certificate_authority import CertificateAuthority
from latticewall.control_plane.appliers import Appliers
from latticewall.control_plane.firewall_rules import FirewallRules
from latticewall.control_plane.functions import FunctionsPort
from latticewall.control_plane.key_sets import KeySets
from latticewall.control_plane.object_files import ObjectFiles
from latticewall.dataplane.databases.programs import releases


def service_ports(appliers: Appliers, host_fd: int, authority: CertificateAuthority, objects: ObjectFiles, functions: FunctionsPort) -> dict[str, Any]:
    """firewall_rules: checks of rule groups and policies. target_health: (target group id) -> {(address, port): status}.
    failed_checks: (cluster of a load balancer) -> {(address, port) of a check: the code that came back, "timeout" or ""}.
    console_output: (instance id) -> text. key_sets: `read(location)` -> bytes of an identity provider's keys; host_fd: a
    socket of the host's network to ask it with. certificate_authority: of the region. objects: the bytes of
    S3's objects. functions: packages, runtimes and invocations. postgresql: the versions of it that this machine has,
    the newest first."""
    return {
        "firewall_rules": FirewallRules(), "target_health": appliers.target_health, "failed_checks": appliers.failed_checks.of,
        "console_output": appliers.console_output,
        "key_sets": KeySets(host_fd), "certificate_authority": authority, "objects": objects, "functions": functions,
        "postgresql": lambda: tuple(str(release) for release in releases()),
    }  # fmt: skip
