"""One rig for all tests of a file: namespaces, Envoy, the target's server, the authorization tables."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from envoy_lab import Lab, authorization, plan
from envoy_rig import Rig, missing, until

from latticewall.dataplane.envoy.server import XdsServer


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Short folder names: a unix socket's path is limited to 107 bytes."""
    if reason := missing():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="lw-", dir="/tmp"))
    rig = Rig(folder)
    lab = Lab(rig, XdsServer(rig.sockets.xds))
    try:
        lab.xds.start()
        lab.authorize(authorization())
        rig.serve(8080, "a")
        rig.start_envoy()
        lab.publish(plan())
        until(lambda: rig.try_request(host="orders.example.com"), "the target answers")
        until(lambda: rig.request(host="orders.example.com").status == 200, "the target answers")
        yield lab
    finally:
        lab.close()
        shutil.rmtree(folder)
