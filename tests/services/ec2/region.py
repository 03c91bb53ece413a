"""A region to call in tests: the real App over a fresh store, with EC2, IAM and STS, a clock that tests move and ids that repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from latticewall.apimodel.catalog import Catalog
from latticewall.apimodel.error_dialects import dialect
from latticewall.apimodel.shapes import Shape
from latticewall.app import App, iso
from latticewall.base.caller import Caller
from latticewall.base.faults import Fault
from latticewall.resources.registry import Registry
from latticewall.resources.settle import settle
from latticewall.services import ec2, iam, sts
from latticewall.store import Store

CATALOG = Catalog()
PLAIN = {"string": str, "integer": int, "long": int, "boolean": bool, "timestamp": str, "structure": dict, "list": list, "double": (int, float)}


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment


class Sequence:
    """Bytes that look random and are the same in every run."""

    def __init__(self) -> None:
        self.count = 0

    def token_bytes(self, count: int) -> bytes:
        self.count += 1
        return hashlib.sha256(str(self.count).encode()).digest()[:count]


class Region:
    """call: perform an EC2 (or other) operation; answers are checked against the model's output shape."""

    def __init__(self, folder: Path, region: str = "us-east-1") -> None:
        self.clock = Clock()
        self.store = Store(folder / "state.sqlite", lambda: iso(self.clock.now()))
        self.caller = Caller("111122223333", region, "arn:aws:iam::111122223333:root")
        self.app = App(
            self.store, Registry((ec2.SERVICE, iam.SERVICE, sts.SERVICE)), CATALOG, self.clock, Sequence(), authorise=lambda *_: None,
            ports={"console_output": lambda instance_id: f"{instance_id} booted\n"},
        )  # fmt: skip

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        name = operation if ":" in operation else f"ec2:{operation}"
        answer = self.app.call(self.caller, name, params)
        output = CATALOG.operation(name).output
        if output is not None:
            check(output, answer, operation)
        return answer

    def settle(self) -> None:
        """The data plane has applied everything so far."""
        with self.store.write() as tx:
            settle(self.app.context(tx, self.caller, "ec2", "settle", "request"), tx.revision, {})

    @contextmanager
    def refused(self, code: str, words: str = "") -> Iterator[None]:
        """The call inside is refused with that error code as a client would see it, and changes nothing."""
        before = self.store.revision
        with pytest.raises(Fault) as caught:
            yield
        found, _, members = dialect(CATALOG.service("ec2")).code_and_members(caught.value)
        assert found == code, members
        assert words in str(members.get("message") or members.get("Message"))
        assert self.store.revision == before

    # -- pieces that many tests need -------------------------------------------------------------------------------------------------------

    def vpc(self, cidr: str = "10.0.0.0/16") -> str:
        return str(self.call("CreateVpc", CidrBlock=cidr)["Vpc"]["VpcId"])

    def subnet(self, vpc: str, cidr: str, zone: str = "a") -> str:
        zone = f"{self.caller.region}{zone}"
        return str(self.call("CreateSubnet", VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"])

    def group(self, vpc: str, name: str = "web") -> str:
        return str(self.call("CreateSecurityGroup", VpcId=vpc, GroupName=name, Description="for tests")["GroupId"])

    def image(self) -> str:
        return str(self.call("DescribeImages")["Images"][0]["ImageId"])

    def run(self, subnet: str, **more: Any) -> dict[str, Any]:
        answer = self.call("RunInstances", **{"ImageId": self.image(), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, **more})
        return dict(answer["Instances"][0])

    def main_table(self, vpc: str) -> dict[str, Any]:
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        (table,) = self.call("DescribeRouteTables", Filters=filters)["RouteTables"]
        return dict(table)


def check(shape: Shape, value: Any, where: str) -> None:
    """Every member that the shape knows has the shape's type."""
    assert isinstance(value, PLAIN.get(shape.type, object)), f"{where}: {value!r} is not a {shape.type}"
    if shape.type == "structure":
        for name, member in shape.members.items():
            if value.get(name) is not None:
                check(member, value[name], f"{where}.{name}")
    elif shape.type == "list":
        for item in value:
            check(shape.member, item, f"{where}[]")
