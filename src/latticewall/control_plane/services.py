"""What the region speaks: the list of services is the list of features."""

from __future__ import annotations

from latticewall.resources.registry import Registry
from latticewall.services import (
    acm,
    cloudformation,
    cloudwatch,
    ec2,
    elbv2,
    firehose,
    iam,
    lambda_,
    logs,
    network_firewall,
    organizations,
    ram,
    rds,
    rolesanywhere,
    route53,
    s3,
    servicequotas,
    ssm,
    sts,
    vpc_lattice,
)

SERVICES = (
    ec2.SERVICE,
    vpc_lattice.SERVICE,
    network_firewall.SERVICE,
    iam.SERVICE,
    sts.SERVICE,
    organizations.SERVICE,
    ram.SERVICE,
    route53.SERVICE,
    logs.SERVICE,
    ssm.SERVICE,
    servicequotas.SERVICE,
    lambda_.SERVICE,
    rolesanywhere.SERVICE,
    acm.SERVICE,
    s3.SERVICE,
    elbv2.SERVICE,
    firehose.SERVICE,
    rds.SERVICE,
    cloudwatch.SERVICE,
    cloudformation.SERVICE,
)


def registry() -> Registry:
    return Registry(SERVICES)
