"""Terraform shares between accounts: by RAM within an organization and by invitation, by resource policy, and what consumers build on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.region import Region

from .lab import Lab
from .test_terraform import HERE, Terraform, pytestmark

__all__ = ["pytestmark"]


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A region of its own: an account is in one organization only."""
    folder = Path(tempfile.mkdtemp(prefix="lw-"))
    region = Region(folder / "state", "mx-north-6")
    try:
        region.up()
        yield Lab(region)
    finally:
        region.down("--purge")
        shutil.rmtree(folder, ignore_errors=True)


def test_sharing_comes_and_goes(lab: Lab, tmp_path: Path) -> None:
    organizations = lab.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    accounts = {}
    for name in ("consumer", "stranger"):
        status = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
        accounts[name] = status["AccountId"]
    organizations.remove_account_from_organization(AccountId=accounts["stranger"])
    terraform = Terraform(tmp_path, lab, HERE / "sharing", aliases=True)
    terraform.environment |= {f"TF_VAR_{name}": number for name, number in accounts.items()}
    try:
        terraform.run("apply", "-auto-approve")
        terraform.run("plan", "-detailed-exitcode")
        found = terraform.outputs()
        owner = lab.client("sts").get_caller_identity()["Account"]
        assert (found["owner_of_share"], found["accepted"]) == (owner, [found["network"]])
    finally:
        terraform.run("destroy", "-auto-approve")
    trusted = organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert trusted == []
