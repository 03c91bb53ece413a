"""Roles of users, instances and stacks, and who acts as them."""

from __future__ import annotations

import json
from typing import Any

from tests.region import ACCOUNT, Region, client

from .organized import document

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com", "AWS": ACCOUNT}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
]})  # fmt: skip
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"


def role(region: Region, name: str, *statements: dict[str, Any]) -> str:
    arn = str(region.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"])
    if statements:
        region.iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=document(*statements))
    return arn


def session(region: Region, arn: str, service: str, **more: Any) -> Any:
    made = region.sts.assume_role(RoleArn=arn, RoleSessionName="work", **more)["Credentials"]
    return client(service, made["AccessKeyId"], token=made["SessionToken"])
