"""latticewall's own requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.auth.authorization_message import ensure_message_key
from latticewall.base.faults import Denied, Invalid
from latticewall.control_plane.inner import InnerRequests
from latticewall.faces.http import UnknownInner
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.reconcile.loop import Loop

from .organized import allow, document


def inner(region: Region, *, open_mode: bool) -> InnerRequests:
    nothing = NodePlan(1, (), (), (), ProxyPlan(), AuthorizationPlan(), NamesPlan(), ())
    loop = Loop(lambda: nothing, [], lambda *_: None, lambda revision, _: revision)
    return InnerRequests(region.app, loop, ACCOUNT, NAME, list, Path(), open_mode=open_mode)


def test_a_reset_forgets_resources_and_no_refusal_loses_its_message(region: Region) -> None:
    with region.store.write() as tx:
        ensure_message_key(tx, region.app.random)
    vpc = region.vpc()
    assert inner(region, open_mode=True)("reset", {}) == {"status": "reset"}
    assert vpc not in {one["VpcId"] for one in region.ec2.describe_vpcs()["Vpcs"]}
    alice = region.as_user("ec2", document(allow("sts:DecodeAuthorizationMessage")))
    with region.refused("UnauthorizedOperation", "Encoded authorization failure message: ") as said:
        alice.create_vpc(CidrBlock="10.0.0.0/16")
    encoded = said["Error"]["Message"].rpartition(" ")[2]
    decoded = client("sts", region.keys["alice"]).decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"]
    assert json.loads(decoded)["context"]["action"] == "ec2:CreateVpc"


def test_a_region_that_checks_signatures_is_not_reset(region: Region) -> None:
    vpc = region.vpc()
    with pytest.raises(Denied, match="--open"):
        inner(region, open_mode=False)("reset", {})
    assert vpc in {one["VpcId"] for one in region.ec2.describe_vpcs()["Vpcs"]}


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("call", {}, "`operation` is missing"),
        ("call", {"operation": ["ec2:DescribeVpcs"]}, "`operation` cannot be a list"),
        ("call", {"operation": "ec2:DescribeVpcs", "params": "all"}, "`params` cannot be a str"),
        ("call", {"operation": "ec2:DescribeVpcs", "account": 7}, "`account` cannot be a int"),
        ("wait", {"revision": "newest"}, "`revision` cannot be a str"),
        ("wait", {"timeout": True}, "`timeout` cannot be a bool"),
        ("counters", {}, "`namespace` is missing"),
    ],
)
def test_what_is_missing_or_of_another_kind_is_named(region: Region, path: str, params: dict[str, object], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        inner(region, open_mode=False)(path, params)


def test_there_is_no_other(region: Region) -> None:
    with pytest.raises(UnknownInner):
        inner(region, open_mode=True)("operation", {})
