"""Short words for building an organization."""

from __future__ import annotations

import json
from typing import Any

from tests.region import Region


def organization(region: Region, *types: str) -> dict[str, Any]:
    """A new organization, with these policy types ("SERVICE", "RESOURCE") enabled."""
    made: dict[str, Any] = region.organizations.create_organization(FeatureSet="ALL")["Organization"]
    for name in types:
        region.organizations.enable_policy_type(RootId=root_of(region), PolicyType=f"{name}_CONTROL_POLICY")
    return made


def root_of(region: Region) -> str:
    return str(region.organizations.list_roots()["Roots"][0]["Id"])


def account(region: Region, name: str = "dev") -> str:
    status = region.organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
    shown = region.organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
    assert shown["State"] == "SUCCEEDED"
    return str(shown["AccountId"])


def unit(region: Region, parent: str, name: str) -> str:
    return str(region.organizations.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]["Id"])


def control(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def policy(region: Region, name: str, *statements: dict[str, Any], type_: str = "SERVICE") -> str:
    made = region.organizations.create_policy(Name=name, Description="", Type=f"{type_}_CONTROL_POLICY", Content=control(*statements))
    return str(made["Policy"]["PolicySummary"]["Id"])
