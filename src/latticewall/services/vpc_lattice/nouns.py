"""The kinds' names, so that a misspelt one is a NameError and not a missing resource."""

from __future__ import annotations

SERVICE_NETWORK = "vpc-lattice:ServiceNetwork"
SERVICE = "vpc-lattice:Service"
LISTENER = "vpc-lattice:Listener"
RULE = "vpc-lattice:Rule"
TARGET_GROUP = "vpc-lattice:TargetGroup"
SERVICE_ASSOCIATION = "vpc-lattice:ServiceNetworkServiceAssociation"
VPC_ASSOCIATION = "vpc-lattice:ServiceNetworkVpcAssociation"
RESOURCE_ASSOCIATION = "vpc-lattice:ServiceNetworkResourceAssociation"
RESOURCE_GATEWAY = "vpc-lattice:ResourceGateway"
RESOURCE_CONFIGURATION = "vpc-lattice:ResourceConfiguration"
ACCESS_LOG_SUBSCRIPTION = "vpc-lattice:AccessLogSubscription"
DOMAIN_VERIFICATION = "vpc-lattice:DomainVerification"

VPC = "ec2:Vpc"
SUBNET = "ec2:Subnet"
SECURITY_GROUP = "ec2:SecurityGroup"
NETWORK_INTERFACE = "ec2:NetworkInterface"
INSTANCE = "ec2:Instance"
LOG_GROUP = "logs:LogGroup"
HOSTED_ZONE = "route53:HostedZone"
