"""What may be shared with other accounts, and what a share lets them do: AWS RAM's own permissions, as data.

Pages: "Shareable AWS resources", "Managing permissions in AWS RAM", "Share your VPC Lattice entities". The actions of AWS's permissions are not published
in one place: these are what the guide says that a consumer may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SHARE = "ram:ResourceShare"
ASSOCIATION = "ram:ResourceShareAssociation"
INVITATION = "ram:ResourceShareInvitation"
PERMISSION = "ram:Permission"
"""The kinds of RAM. An association's `name` is what it associates: the ARN of a resource, or a principal."""
RESOURCE_ID = "_resource_id"
"""The private member of an association with the id of its row: another resource that gets the same name, and so the same ARN, is not shared."""
SERVICE_PRINCIPAL = "ram.amazonaws.com"
"""Who shares within an organization, once the organization trusts it."""


@dataclass(frozen=True)
class Permission:
    """What the consumers of a resource of one type may do with it. resource_type: as RAM spells it."""

    name: str
    resource_type: str
    actions: tuple[str, ...]

    @property
    def arn(self) -> str:
        return f"arn:aws:ram::aws:permission/{self.name}"


_PERMISSIONS = (
    Permission(
        "AWSRAMDefaultPermissionTransitGateway", "ec2:TransitGateway", ("ec2:CreateTransitGatewayVpcAttachment", "ec2:DescribeTransitGateways")
    ),
    Permission(
        "AWSRAMDefaultPermissionsNetworkFirewallFirewallPolicy", "network-firewall:FirewallPolicy",
        ("network-firewall:AssociateFirewallPolicy", "network-firewall:CreateFirewall", "network-firewall:ListFirewallPolicies"),
    ),
    *(
        Permission(
            f"AWSRAMDefaultPermissionsNetworkFirewall{group}", f"network-firewall:{group}",
            ("network-firewall:CreateFirewallPolicy", "network-firewall:ListRuleGroups", "network-firewall:UpdateFirewallPolicy"),
        )
        for group in ("StatefulRuleGroup", "StatelessRuleGroup")
    ),
    Permission(
        "AWSRAMPermissionVpcLatticeServiceNetworkReadWrite", "vpc-lattice:ServiceNetwork",
        (
            "vpc-lattice:CreateServiceNetworkResourceAssociation", "vpc-lattice:CreateServiceNetworkServiceAssociation",
            "vpc-lattice:CreateServiceNetworkVpcAssociation", "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation",
            "vpc-lattice:GetServiceNetwork",
        ),
    ),
    Permission(
        "AWSRAMPermissionVpcLatticeServiceReadWrite", "vpc-lattice:Service",
        ("vpc-lattice:CreateServiceNetworkServiceAssociation", "vpc-lattice:GetService"),
    ),
    Permission(
        "AWSRAMPermissionVpcLatticeResourceConfiguration", "vpc-lattice:ResourceConfiguration",
        (
            "vpc-lattice:AssociateViaAWSService", "vpc-lattice:AssociateViaAWSService-EventsAndStates",
            "vpc-lattice:CreateServiceNetworkResourceAssociation", "vpc-lattice:GetResourceConfiguration",
        ),
    ),
)  # fmt: skip
DEFAULTS: Mapping[str, Permission] = {permission.resource_type: permission for permission in _PERMISSIONS}
"""AWS's permission by resource type: all that may ever be granted on a resource of that type."""
MANAGED: Mapping[str, Permission] = {permission.arn: permission for permission in _PERMISSIONS}
_BY_WORD = {type_.lower(): type_ for type_ in DEFAULTS}


def type_of(arn: str) -> str:
    """The resource type of a shareable ARN ("vpc-lattice:Service"), "" for any other."""
    _, _, service, _, _, resource, *_ = [*arn.split(":", 5), "", "", "", "", "", ""]
    word = resource.partition("/")[0].replace("-", "")
    return _BY_WORD.get(f"{service}:{word}", "")
