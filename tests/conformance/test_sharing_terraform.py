"""Terraform shares between accounts: by RAM within an organization and by invitation, by resource policy, and what consumers build on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bench.region import running

from .lab import Lab
from .terraform_folder import Terraform, terraform_tests

pytestmark = terraform_tests("sharing", ("aws", "stranger"))


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A region of its own: an account is in one organization only."""
    with running("mx-north-6") as region:
        yield Lab(region)


def test_sharing_comes_and_goes(lab: Lab, terraform: Terraform) -> None:
    organizations = lab.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    accounts = {}
    for name in ("consumer", "stranger"):
        status = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
        accounts[name] = status["AccountId"]
    organizations.remove_account_from_organization(AccountId=accounts["stranger"])
    terraform.apply(**accounts)
    terraform.unchanged()
    found = terraform.outputs()
    owner = lab.client("sts").get_caller_identity()["Account"]
    assert (found["owner_of_share"], found["accepted"]) == (owner, [found["network"]])
    terraform.destroy()
    trusted = organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert trusted == []
