"""An organization with a management account (that of the region), accounts in and outside of it, and resources to share."""

from __future__ import annotations

from typing import Any

from tests.region import ACCOUNT, NAME, Region, client

STRANGER = "999988887777"
"""An account that is in no organization."""


class Sharing:
    """owner: an account of the organization that shares. dev: another one, in the unit `apps`. ram, lattice, ec2: clients by account."""

    def __init__(self, region: Region, *, enabled: bool = True) -> None:
        self.region = region
        self.organizations = region.organizations
        self.organization = self.organizations.create_organization()["Organization"]
        self.root = self.organizations.list_roots()["Roots"][0]["Id"]
        self.unit = self.organizations.create_organizational_unit(ParentId=self.root, Name="apps")["OrganizationalUnit"]
        self.owner, self.dev = (self.account(name) for name in ("shared", "dev"))
        self.move(self.dev, self.unit["Id"])
        if enabled:
            self.ram(ACCOUNT).enable_sharing_with_aws_organization()

    def account(self, name: str) -> str:
        return str(self.organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]["AccountId"])

    def move(self, account: str, to: str) -> None:
        parent = self.organizations.list_parents(ChildId=account)["Parents"][0]["Id"]
        self.organizations.move_account(AccountId=account, SourceParentId=parent, DestinationParentId=to)

    def ram(self, account: str = "") -> Any:
        return client("ram", account or self.owner)

    def lattice(self, account: str = "") -> Any:
        return client("vpc-lattice", account or self.owner)

    def network(self, name: str = "mesh", **more: Any) -> dict[str, Any]:
        return dict(self.lattice().create_service_network(name=name, **more))

    def service(self, name: str = "orders", account: str = "") -> dict[str, Any]:
        made = self.lattice(account).create_service(name=name)
        self.region.settle()
        return dict(made)

    def vpc(self, account: str) -> str:
        return str(client("ec2", account).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])

    def share(self, *resources: str, to: str, name: str = "share", **more: Any) -> dict[str, Any]:
        made = self.ram().create_resource_share(name=name, resourceArns=list(resources), principals=[to], **more)
        return dict(made["resourceShare"])

    def seen(self, account: str) -> list[str]:
        """Names of the service networks that an account's list shows."""
        return [network["name"] for network in self.lattice(account).list_service_networks()["items"]]


def local(arn: str, account: str) -> str:
    """The ARN with another account in it."""
    return f"arn:aws:vpc-lattice:{NAME}:{account}:{arn.split(':', 5)[5]}"
