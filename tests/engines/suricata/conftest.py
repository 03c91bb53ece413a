"""One lab for all tests of this folder; every test brings its own policy and engine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from firewall_lab import DEV_SERVER, SHARED, FirewallLab

PORTS = (80, 443, 5044, 6379, 8080, 9999, 27017)


def _missing() -> str:
    for program in ("suricata", "nft", "iptables-nft-restore", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    private = ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"]
    return "" if subprocess.run(private, capture_output=True).returncode == 0 else "user namespaces are not permitted here"


@pytest.fixture(scope="package")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirewallLab]:
    if reason := _missing():
        pytest.skip(reason)
    lab = FirewallLab(tmp_path_factory.mktemp("firewall"))
    try:
        for address in (SHARED, DEV_SERVER):
            lab.serve(address, *PORTS)
            lab.serve(address, 53, 5000, kind="udp")
        yield lab
    finally:
        lab.close()


@pytest.fixture
def lab(shared_lab: FirewallLab) -> Iterator[FirewallLab]:
    yield shared_lab
    shared_lab.stop_engine()
