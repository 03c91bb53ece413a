"""The kinds' names, so that a misspelt one is a NameError and not a missing resource."""

from __future__ import annotations

LOAD_BALANCER = "elbv2:LoadBalancer"
LISTENER = "elbv2:Listener"
RULE = "elbv2:Rule"
TARGET_GROUP = "elbv2:TargetGroup"

VPC = "ec2:Vpc"
SUBNET = "ec2:Subnet"
SECURITY_GROUP = "ec2:SecurityGroup"
NETWORK_INTERFACE = "ec2:NetworkInterface"
INSTANCE = "ec2:Instance"
CERTIFICATE = "acm:Certificate"
BUCKET = "s3:Bucket"
