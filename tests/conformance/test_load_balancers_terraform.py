"""Terraform's load balancers: they come, serve, have nothing to change, change, and go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.region import until

from .lab import Lab
from .test_terraform import HERE, Terraform
from .test_terraform import pytestmark as terraform_marks

pytestmark = [*(mark for mark in terraform_marks if mark.name != "timeout"), pytest.mark.timeout(600)]
"""The provider looks at a load balancer that it has made or changed only after half a minute."""


@pytest.fixture
def terraform(lab: Lab, tmp_path: Path) -> Iterator[Terraform]:
    made = Terraform(tmp_path, lab, HERE / "load_balancers")
    try:
        yield made
    finally:
        made.run("destroy", "-auto-approve")


def test_a_load_balancer_comes_changes_and_goes(lab: Lab, terraform: Terraform) -> None:
    elb = lab.client("elbv2")
    terraform.run("apply", "-auto-approve")
    terraform.run("plan", "-detailed-exitcode")
    found = terraform.outputs()
    elb.get_waiter("target_in_service").wait(TargetGroupArn=found["group"], WaiterConfig={"Delay": 1})
    base, client = f"http://{found['name']}", found["server"]
    assert lab.get(client, f"{base}/x")["name"] == "tf"
    assert lab.curl(client, f"{base}/answer") == (200, "first")
    assert lab.curl(client, f"{base}/x?go=away-now")[0] == 302
    terraform.run("apply", "-auto-approve", "-var", "answer=second")
    until(lambda: lab.curl(client, f"{base}/answer") == (200, "second"))
    terraform.run("destroy", "-auto-approve")
    assert "web" not in [item["LoadBalancerName"] for item in elb.describe_load_balancers()["LoadBalancers"]]
