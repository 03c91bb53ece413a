"""Short words for an organization whose policies decide."""

from __future__ import annotations

import json
from typing import Any

from tests.region import Region, client


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **({"Condition": condition} if condition else {})}


def deny(*actions: str, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    return {**allow(*actions, resource=resource, **condition), "Effect": "Deny"}


class Organized:
    """A region with an organization in which both types of control policies are in force, and a member account inside a unit."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.client = region.organizations
        self.id = self.client.create_organization()["Organization"]["Id"]
        self.root = self.client.list_roots()["Roots"][0]["Id"]
        for type_ in ("SERVICE", "RESOURCE"):
            self.client.enable_policy_type(RootId=self.root, PolicyType=f"{type_}_CONTROL_POLICY")
        self.unit = self.client.create_organizational_unit(ParentId=self.root, Name="production")["OrganizationalUnit"]["Id"]
        self.member = self.account("member")
        self.client.move_account(AccountId=self.member, SourceParentId=self.root, DestinationParentId=self.unit)

    def account(self, name: str) -> str:
        return str(self.client.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]["AccountId"])

    def attach(self, target: str, *statements: dict[str, Any], type_: str = "SERVICE") -> str:
        """A new policy on a target; its ARN."""
        name = f"policy-{len(self.client.list_policies(Filter=f'{type_}_CONTROL_POLICY')['Policies'])}"
        made = self.client.create_policy(Name=name, Description="", Type=f"{type_}_CONTROL_POLICY", Content=document(*statements))
        self.client.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=target)
        return str(made["Policy"]["PolicySummary"]["Arn"])

    def administrator(self, service: str, account: str = "") -> Any:
        """A client of an account's administrator, in a session of the role that every new account has."""
        arn = f"arn:aws:iam::{account or self.member}:role/OrganizationAccountAccessRole"
        session = self.region.sts.assume_role(RoleArn=arn, RoleSessionName="admin")["Credentials"]
        return client(service, session["AccessKeyId"], token=session["SessionToken"])
