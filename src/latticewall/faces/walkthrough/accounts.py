"""The organization whose principals may call, and an account outside it whose principals may not."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from latticewall.faces.cli.client import Refused
from latticewall.faces.cli.problem import Problem
from latticewall.faces.cli.session import Session
from latticewall.faces.walkthrough.stacks import until

_ROLE = "OrganizationAccountAccessRole"
"""Every account that an organization creates has it, with all permissions; the management account may assume it."""


@dataclass(frozen=True)
class Foreigner:
    """A role session of an account in another organization. credentials: the answer of AssumeRole, as JSON."""

    account: str
    arn: str
    credentials: str


class Accounts:
    """Makes what is missing; `remove` takes away what was made here."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._made_organization = False
        self._foreign_account = ""

    def organization(self) -> str:
        """The id of the region's organization."""
        try:
            answer = self._session.call("organizations:DescribeOrganization")
        except Refused as refused:
            if refused.code != "AWSOrganizationsNotInUseException":
                raise
            answer = self._session.call("organizations:CreateOrganization", {"FeatureSet": "ALL"})
            self._made_organization = True
        return str(answer["Organization"]["Id"])

    def foreigner(self) -> Foreigner:
        """A new account leaves the organization and makes its own; a session of its role. The management account's trust goes with it."""
        request = {"AccountName": "walkthrough-foreign", "Email": f"foreign-{time.time_ns()}@example.com"}
        begun = self._session.call("organizations:CreateAccount", request)["CreateAccountStatus"]
        account = until(lambda: self._created(begun["Id"]), 30)
        if account is None:
            raise Problem("the account of another organization was not created within 30 s")
        self._session.call("organizations:RemoveAccountFromOrganization", {"AccountId": account})
        self._session.call("organizations:CreateOrganization", {"FeatureSet": "ALL"}, account=account)
        self._foreign_account = account
        role = f"arn:aws:iam::{account}:role/{_ROLE}"
        session: dict[str, Any] = self._session.call("sts:AssumeRole", {"RoleArn": role, "RoleSessionName": "foreigner"})
        return Foreigner(account, session["AssumedRoleUser"]["Arn"], json.dumps(session["Credentials"]))

    def remove(self, *, keep_organization: bool) -> None:
        """The foreign account stands alone again; the region's own organization goes when it was made here, unless what stays needs it."""
        if self._foreign_account:
            self._session.call("organizations:DeleteOrganization", account=self._foreign_account)
            self._foreign_account = ""
        if self._made_organization and not keep_organization:
            self._session.call("organizations:DeleteOrganization")
            self._made_organization = False

    def _created(self, request: str) -> str | None:
        status = self._session.call("organizations:DescribeCreateAccountStatus", {"CreateAccountRequestId": request})["CreateAccountStatus"]
        if status["State"] == "FAILED":
            raise Problem(f"the account of another organization was not created: {status.get('FailureReason')}")
        return str(status["AccountId"]) if status["State"] == "SUCCEEDED" else None
