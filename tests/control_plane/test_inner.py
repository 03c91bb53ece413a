"""latticewall's own requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.auth.authorization_message import ensure_message_key
from latticewall.base.faults import Denied
from latticewall.control_plane.inner import InnerRequests
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
