"""The kinds' names, so that a misspelt one is a NameError and not a missing resource."""

from __future__ import annotations

DB_INSTANCE = "rds:DBInstance"
DB_SUBNET_GROUP = "rds:DBSubnetGroup"

VPC = "ec2:Vpc"
SUBNET = "ec2:Subnet"
SECURITY_GROUP = "ec2:SecurityGroup"
NETWORK_INTERFACE = "ec2:NetworkInterface"
