"""Short words for policies, roles and clients of sessions."""

from __future__ import annotations

import json
from typing import Any

from tests.region import ACCOUNT, Region, client

OTHER = "999988887777"
TRUSTING = {"AWS": ACCOUNT}


def trust(principal: Any, *actions: str, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": list(actions or ["sts:AssumeRole"]), **({"Condition": condition} if condition else {})}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(*actions: str, resource: str = "*", effect: str = "Allow", **condition: Any) -> str:
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource, **({"Condition": condition} if condition else {})}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def role(region: Region, document: str, name: str = "web", *, may: str = "", **more: Any) -> str:
    """The ARN of a new role. may: its inline policy."""
    arn = str(region.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **more)["Role"]["Arn"])
    if may:
        region.iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=may)
    return arn


def assumed(sts: Any, arn: str, service: str = "sts", **more: Any) -> Any:
    """A client of a new session of the role."""
    return client(service, sts.assume_role(RoleArn=arn, RoleSessionName="deploy", **more)["Credentials"]["AccessKeyId"])


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]
