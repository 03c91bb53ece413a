"""The one door: the order of a call, tokens, dry runs, pages, and that a refusal leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, CATALOG, NAME, Clock, Region, Sequence

from latticewall.app import App, iso
from latticewall.auth.callers import root
from latticewall.base.caller import Caller
from latticewall.base.faults import Conflict, Denied, Invalid, Unsupported
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Kind, Service
from latticewall.resources.registry import Registry

CALLER = root(ACCOUNT, NAME)


def app(region: Region, **operations: Any) -> App:
    """An App over the region's store, whose Logs service has these operations (snake case: as tests write them)."""
    named = {"".join(word.title() for word in name.split("_")): handler for name, handler in operations.items()}
    kind = Kind("logs:LogGroup", name_member="logGroupName", arn="arn:aws:logs:{region}:{account}:log-group:{name}", by_name=True)
    return App(region.store, Registry([Service("logs", (kind,), named)]), CATALOG, Clock(), Sequence(), authorise=lambda *_: None)


def put(ctx: Context, params: Document) -> Document:
    ctx.create("logs:LogGroup", {}, name=params["logGroupName"])
    return {}


def test_parameters_are_checked_before_anything_else(region: Region) -> None:
    called: list[str] = []
    strict = App(
        region.store, app(region, create_log_group=lambda *_: called.append("handler")).registry, CATALOG, Clock(), Sequence(),
        authorise=lambda *_: called.append("authorise"),
    )  # fmt: skip
    with pytest.raises(Invalid):
        strict.call(CALLER, "logs:CreateLogGroup", {})
    assert called == []
    strict.call(CALLER, "logs:CreateLogGroup", {"logGroupName": "a"})
    assert called == ["authorise", "handler"]


def test_who_is_denied_changes_nothing(region: Region) -> None:
    def deny(*_: Any) -> None:
        raise Denied("no")

    refusing = App(region.store, app(region, create_log_group=put).registry, CATALOG, Clock(), Sequence(), authorise=deny)
    with pytest.raises(Denied):
        refusing.call(CALLER, "logs:CreateLogGroup", {"logGroupName": "a"})
    assert region.store.revision == 0


def test_a_handler_that_raises_leaves_nothing(region: Region) -> None:
    def half(ctx: Context, params: Document) -> Document:
        put(ctx, params)
        raise Conflict("afterwards")

    with pytest.raises(Conflict):
        app(region, create_log_group=half).call(CALLER, "logs:CreateLogGroup", {"logGroupName": "a"})
    assert region.store.revision == 0


def test_an_operation_within_another_is_of_the_same_transaction_and_not_authorised_again(region: Region) -> None:
    asked: list[str] = []

    def outer(ctx: Context, params: Document) -> Document:
        ctx.call("logs:CreateLogGroup", {"logGroupName": params["logGroupName"]})
        assert ctx.find("logs:LogGroup", params["logGroupName"])
        raise Conflict("afterwards")

    both = App(
        region.store, app(region, create_log_group=put, put_retention_policy=outer).registry, CATALOG, Clock(), Sequence(),
        authorise=lambda _ctx, operation, _params: asked.append(operation.name),
    )  # fmt: skip
    with pytest.raises(Conflict):
        both.call(CALLER, "logs:PutRetentionPolicy", {"logGroupName": "a", "retentionInDays": 7})
    assert region.store.revision == 0
    assert asked == ["PutRetentionPolicy"]


def test_what_is_not_there_says_so(region: Region) -> None:
    with pytest.raises(Unsupported, match="does not support logs:CreateLogGroup yet"):
        app(region).call(CALLER, "logs:CreateLogGroup", {"logGroupName": "a"})


def test_a_list_comes_in_pages_bound_to_its_question(region: Region) -> None:
    def listing(_ctx: Context, _params: Document) -> Document:
        return {"logGroups": [{"logGroupName": str(number)} for number in range(5)]}

    paged = app(region, describe_log_groups=listing)
    seen, params = [], {"limit": 2}
    while True:
        answer = paged.call(CALLER, "logs:DescribeLogGroups", params)
        seen.append([group["logGroupName"] for group in answer["logGroups"]])
        if "nextToken" not in answer:
            break
        params = {"limit": 2, "nextToken": answer["nextToken"]}
    assert seen == [["0", "1"], ["2", "3"], ["4"]]
    with pytest.raises(Invalid):
        paged.call(CALLER, "logs:DescribeLogGroups", {**params, "logGroupNamePrefix": "1"})


def test_who_pages_by_himself_ends_with_no_token(region: Region) -> None:
    def page(_ctx: Context, params: Document) -> Document:
        return {"logGroups": [{"logGroupName": "a"}], "nextToken": None if params.get("nextToken") else "mine"}

    paging = app(region, describe_log_groups=page)
    assert paging.call(CALLER, "logs:DescribeLogGroups", {})["nextToken"] == "mine"
    assert "nextToken" not in paging.call(CALLER, "logs:DescribeLogGroups", {"nextToken": "mine"})


def test_a_token_makes_a_call_happen_once(region: Region) -> None:
    first = region.lattice.create_service_network(name="mesh", clientToken="same")
    again = region.lattice.create_service_network(name="mesh", clientToken="same")
    assert again["id"] == first["id"]
    with region.refused("ConflictException"):
        region.lattice.create_service_network(name="other", clientToken="same")
    assert region.of("999988887777", "vpc-lattice").create_service_network(name="mesh", clientToken="same")["id"] != first["id"]
    assert region.of(ACCOUNT, "vpc-lattice", "us-east-9").create_service_network(name="mesh", clientToken="same")["id"] != first["id"]
    assert len(region.lattice.list_service_networks()["items"]) == 1


def test_a_token_of_a_refused_call_is_free(region: Region) -> None:
    region.lattice.create_service_network(name="mesh")
    with region.refused("ConflictException"):
        region.lattice.create_service_network(name="mesh", clientToken="t")
    region.lattice.create_service_network(name="other", clientToken="t")


def test_ec2_tries_without_doing(region: Region) -> None:
    with region.refused("DryRunOperation", "would have succeeded"):
        region.ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    assert region.last_status == 412
    with region.refused("InvalidVpc.Range"):
        region.ec2.create_vpc(CidrBlock="10.0.0.0/8", DryRun=True)
    assert region.ec2.describe_vpcs()["Vpcs"] == []


def test_times_are_utc_with_milliseconds() -> None:
    assert iso(Clock().now()) == "2026-01-02T03:04:05.001Z"


def test_callers_are_known_by_account_and_region(region: Region) -> None:
    region.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    with region.store.read() as snapshot:
        changes = snapshot.changes(0)
    assert {change["caller"] for change in changes} == {f"arn:aws:iam::{ACCOUNT}:root"}
    assert len({change["request_id"] for change in changes}) == 1
    assert isinstance(CALLER.at("us-east-9"), Caller)
    assert CALLER.at("us-east-9").region == "us-east-9"
