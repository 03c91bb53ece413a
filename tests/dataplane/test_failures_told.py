"""What AWS's APIs say of a resource that failed: why, and not where this machine keeps its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from latticewall.base.reasons import reason
from latticewall.dataplane.instances import InstanceApplier
from latticewall.dataplane.processes import HolderError
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.instances import InstancePlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan


class Idle:
    """A holder with no processes."""

    def list(self) -> dict[str, Any]:
        return {}


def test_an_instance_whose_files_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "instances").write_text("no folder")
    wanted = InstancePlan("i-1", "i-1", "ip-10-0-0-10", "10.0.0.10", "10.0.0.2", "", "", "boot-1")
    plan = NodePlan(1, (), (), (), ProxyPlan(), AuthorizationPlan(), NamesPlan(), (wanted,))
    (failure,) = InstanceApplier(cast(Any, Idle()), tmp_path / "instances").apply(plan).failures
    assert (failure.id, failure.message) == ("i-1", "Not a directory")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "/state/region.db"), "No such file or directory"),
        (OSError("envoy does not answer"), "envoy does not answer"),
        (TimeoutError("suricata did not finish in 30 s"), "suricata did not finish in 30 s"),
        (HolderError("the holder does not answer"), "the holder does not answer"),
        (ValueError(7), "7"),
    ],
)
def test_reasons_name_no_file(error: Exception, words: str) -> None:
    assert reason(error) == words
