"""AWS's own managed policies that concern the services of a region, as data: `aws_managed.json`, {name: path, default version, dates, document}.

Source: "AWS Managed Policy Reference Guide", the default versions of 2026. They belong to no account: each account sees the same ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

from latticewall.base.rows import Row

ACCOUNT, ARN = "aws", "arn:aws:iam::aws:policy"


@cache
def _data() -> dict[str, dict[str, Any]]:
    """The file's policies by ARN."""
    found = json.loads((resources.files("latticewall.services.iam") / "aws_managed.json").read_text())
    return {f"{ARN}{policy['Path']}{name}": {**policy, "PolicyName": name} for name, policy in found.items()}


def arns() -> tuple[str, ...]:
    return tuple(_data())


@cache
def _text(arn: str) -> str:
    return json.dumps(_data()[arn]["Document"], separators=(",", ":"))


def policy(arn: str) -> Row | None:
    """One of AWS's policies; the same row, whoever uses it. Its unique id is made from its ARN."""
    found = _data().get(arn)
    if found is None:
        return None
    id_ = "ANPA" + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]
    version, created = found["DefaultVersionId"], found["CreateDate"]
    document = {
        "Path": found["Path"], "DefaultVersionId": version, "IsAttachable": True, "CreateDate": created, "UpdateDate": found["UpdateDate"],
        "_document": _text(arn), "_versions": {version: {"text": _text(arn), "created": found["UpdateDate"]}},
    }  # fmt: skip
    return Row("iam:Policy", ACCOUNT, "", id_, arn, found["PolicyName"], created_at=created, document=document)
