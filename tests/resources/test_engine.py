"""The generic engine: references, ownership, uniqueness, lifecycles, foreign ARNs; on kinds of a made-up service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Sequence

from latticewall.auth.callers import root
from latticewall.base.faults import Conflict, InUse, Invalid, NotFound
from latticewall.resources import tags, verbs
from latticewall.resources.context import Context
from latticewall.resources.filters import select
from latticewall.resources.kind import Kind, Lifecycle, Ref, Service
from latticewall.resources.registry import Registry
from latticewall.resources.settle import settle
from latticewall.store import Store

ARN = "arn:aws:zoo:{region}:{account}:"
STATES = Lifecycle(member="State", spelling={"creating": "pending", "ready": "available"}, settles=True, tombstone=60)
CAGE = Kind(
    "zoo:Cage", id_member="CageId", id_prefix="cage-", arn_member="Arn", arn=ARN + "cage/{id}", name_member="Name", unique="region", by_name=True,
    owns=("zoo:Door",), lifecycle=STATES, tag_member="Tags", not_found="CageNotFound",
)  # fmt: skip
DOOR = Kind("zoo:Door", id_prefix="door-", arn=ARN + "cage/{parent}/door/{id}", name_member="Name", unique="parent")
ANIMAL = Kind(
    "zoo:Animal", id_prefix="animal-", arn=ARN + "{type}{path}{name}", refs={"Cage": Ref("zoo:Cage"), "Food": Ref("zoo:Food", "clear")},
)  # fmt: skip
SHADOW = Kind("zoo:Shadow", id_prefix="shadow-", refs={"Animal": Ref("zoo:Animal", "cascade")})
FOOD = Kind("zoo:Food", id_prefix="food-", is_global=True)
TAGGING = {
    "TagResource": verbs.tag_resource("Arn", "Tags"), "UntagResource": verbs.untag_resource("Arn", "Keys"),
    "List": verbs.list_tags("Arn", "Tags", as_map=True),
}  # fmt: skip
REGISTRY = Registry([Service("zoo", (CAGE, DOOR, ANIMAL, SHADOW, FOOD), TAGGING), Service("park", (Kind("park:Bench", arn="arn:aws:park:x:y:{id}"),), {})])


class Engine:
    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "region.db", lambda: "2026-01-02T03:04:05.678Z")
        self.random = Sequence()

    @contextmanager
    def __call__(self, account: str = ACCOUNT, region: str = NAME) -> Iterator[Context]:
        def no_call(*_: Any) -> dict[str, Any]:
            raise NotImplementedError

        with self.store.write() as tx:
            yield Context(root(account, region), tx, REGISTRY, self.random, "zoo", "Test", "request", no_call)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def test_ids_arns_and_what_is_shown(engine: Engine) -> None:
    with engine() as ctx:
        row = ctx.create("zoo:Cage", {"Size": 3, "_key": "secret"}, name="lions", tags={"b": "2", "a": "1"})
        assert row.arn == f"arn:aws:zoo:{NAME}:{ACCOUNT}:cage/{row.id}"
        assert ctx.view(row) == {
            "Size": 3, "CageId": row.id, "Arn": row.arn, "Name": "lions", "State": "pending", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        }  # fmt: skip
        animal = ctx.create("zoo:Animal", {"Type": "Big", "Path": "/africa/"}, name="leo")
        assert animal.arn.endswith(":big/africa/leo")
        assert ctx.create("zoo:Food", {}).region == ""


@pytest.mark.parametrize("by", [lambda row: row.id, lambda row: row.arn, lambda row: row.name])
def test_found_at_home_only(engine: Engine, by: Callable[[Any], str]) -> None:
    with engine() as ctx:
        row = ctx.create("zoo:Cage", {}, name="lions")
        assert ctx.find("zoo:Cage", by(row)) == row
        assert ctx.find("zoo:Animal", by(row)) is None
    for account, region in (("999988887777", NAME), (ACCOUNT, "us-east-9")):
        with engine(account, region) as ctx:
            assert ctx.find("zoo:Cage", by(row)) is None
            with pytest.raises(NotFound) as caught:
                ctx.resolve("zoo:Cage", by(row))
            assert caught.value.code == "CageNotFound"


def test_names_are_unique_where_the_kind_says(engine: Engine) -> None:
    with engine() as ctx:
        first, second = (ctx.create("zoo:Cage", {}, name=name) for name in ("lions", "bears"))
        with pytest.raises(Conflict, match="lions"):
            ctx.create("zoo:Cage", {}, name="lions")
        ctx.create("zoo:Door", {}, name="front", parent=first.id)
        ctx.create("zoo:Door", {}, name="front", parent=second.id)
        with pytest.raises(Conflict):
            ctx.create("zoo:Door", {}, name="front", parent=first.id)


def test_what_is_referred_to_stays_goes_along_or_is_forgotten(engine: Engine) -> None:
    with engine() as ctx:
        cage, food = ctx.create("zoo:Cage", {}, name="lions"), ctx.create("zoo:Food", {})
        animal = ctx.create("zoo:Animal", {}, name="leo", refs={"Cage": "lions", "Food": food.id})
        shadow = ctx.create("zoo:Shadow", {}, refs={"Animal": animal.id})
        assert ctx.referred(animal, "Cage") == [cage]
        assert ctx.referring(cage, "zoo:Animal") == [animal]
        with pytest.raises(InUse, match="leo"):
            ctx.remove(cage)
        ctx.remove(food)
        assert ctx.referred(animal, "Food") == []
        ctx.remove(animal)
        assert ctx.find("zoo:Shadow", shadow.id) is None
        assert ctx.remove(cage) is not None


def test_references_must_lead_somewhere(engine: Engine) -> None:
    with engine() as ctx, pytest.raises(NotFound):
        ctx.create("zoo:Animal", {}, name="leo", refs={"Cage": "cage-none"})


def test_what_is_owned_goes_too(engine: Engine) -> None:
    with engine() as ctx:
        cage = ctx.create("zoo:Cage", {}, name="lions")
        door = ctx.create("zoo:Door", {}, name="front", parent=cage.id)
        ctx.remove(cage)
        assert ctx.find("zoo:Door", door.id) is None


def test_statuses_move_when_the_data_plane_has_followed(engine: Engine) -> None:
    with engine() as ctx:
        first, second = (ctx.create("zoo:Cage", {}, name=name) for name in ("lions", "bears"))
        revision = ctx.tx.revision
    with engine() as ctx:
        third = ctx.create("zoo:Cage", {}, name="later")
        assert settle(ctx, revision, {second.id: "no room"}) == 2
        states = {row.name: (row.status, row.reason) for row in ctx.rows("zoo:Cage")}
        assert states == {"lions": ("ready", ""), "bears": ("failed", "no room"), "later": ("creating", "")}
        lions = ctx.change(ctx.resolve("zoo:Cage", first.id), {"Size": 4}, settle=True)
        assert lions.status == "updating"
        assert settle(ctx, ctx.tx.revision, {}, unsettled=(third.id,)) == 1
        ctx.remove(ctx.resolve("zoo:Cage", first.id))
        assert ctx.resolve("zoo:Cage", first.id).status == "deleting"
        settle(ctx, ctx.tx.revision, {})
        assert ctx.find("zoo:Cage", first.id) is None
        assert [row.status for row in ctx.rows("zoo:Cage", name="lions")] == ["deleted"]
        assert ctx.create("zoo:Cage", {}, name="lions").id != first.id


def test_an_update_that_failed_says_why_until_one_succeeds(engine: Engine) -> None:
    with engine() as ctx:
        cage = ctx.create("zoo:Cage", {}, name="lions")
        settle(ctx, ctx.tx.revision, {})
        ctx.change(ctx.resolve("zoo:Cage", cage.id), {"Size": 4}, settle=True)
        settle(ctx, ctx.tx.revision, {cage.arn: "too big"})
        assert (ctx.resolve("zoo:Cage", cage.id).status, ctx.resolve("zoo:Cage", cage.id).reason) == ("ready", "too big")
        ctx.change(ctx.resolve("zoo:Cage", cage.id), {"Size": 3}, settle=True)
        settle(ctx, ctx.tx.revision, {})
        assert ctx.resolve("zoo:Cage", cage.id).reason == ""


def test_tags_by_arn_of_this_service_at_home(engine: Engine) -> None:
    with engine() as ctx:
        cage = ctx.create("zoo:Cage", {}, name="lions", tags={"a": "1"})
        bench = ctx.create("park:Bench", {}, id="b-1")
        operations = REGISTRY.services["zoo"].operations
        operations["TagResource"](ctx, {"Arn": cage.arn, "Tags": {"b": "2"}})
        operations["UntagResource"](ctx, {"Arn": cage.arn, "Keys": ["a"]})
        assert operations["List"](ctx, {"Arn": cage.arn}) == {"Tags": {"b": "2"}}
        for arn in (bench.arn, "arn:aws:zoo:x:y:z", ""):
            with pytest.raises(NotFound):
                operations["List"](ctx, {"Arn": arn})
    with engine("999988887777") as ctx, pytest.raises(NotFound):
        operations["TagResource"](ctx, {"Arn": cage.arn, "Tags": {"b": "3"}})


@pytest.mark.parametrize("given", [{"a": "1"}, [{"Key": "a", "Value": "1"}], [{"key": "a", "value": "1"}]])
def test_tags_in_every_spelling(given: Any) -> None:
    assert tags.read(given) == {"a": "1"}


@pytest.mark.parametrize("given", [{"aws:x": "1"}, {"AWS:x": "1"}, [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]])
def test_tags_that_are_refused(given: Any) -> None:
    with pytest.raises(Invalid):
        tags.read(given)


DOCUMENTS = [
    {"VpcId": "vpc-1", "State": "available", "IsDefault": True, "Parts": [{"Id": "a"}, {"Id": "b"}], "Tags": [{"Key": "Name", "Value": "one[1]"}]},
    {"VpcId": "vpc-2", "State": "pending", "IsDefault": False, "Parts": [], "Tags": []},
]


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("vpc-id", ["vpc-1"], [0]), ("vpc-id", ["vpc-*"], [0, 1]), ("vpc-id", ["vpc-?", "none"], [0, 1]), ("state", ["pending", "available"], [0, 1]),
        ("is-default", ["true"], [0]), ("part", ["b"], [0]), ("tag:Name", ["one[1]"], [0]), ("tag:Name", ["one[0-9]"], []), ("tag-key", ["Na*"], [0]),
        ("tag:None", ["*"], []),
    ],
)  # fmt: skip
def test_filters(name: str, values: list[str], found: list[int]) -> None:
    chosen = select(DOCUMENTS, [{"Name": name, "Values": values}], {"part": "Parts.Id"}, known=("VpcId", "State", "IsDefault"))
    assert chosen == [DOCUMENTS[number] for number in found]


def test_filters_all_hold_and_unknown_ones_are_refused() -> None:
    both = [{"Name": "state", "Values": ["available"]}, {"Name": "vpc-id", "Values": ["vpc-2"]}]
    assert select(DOCUMENTS, both, known=("VpcId", "State")) == []
    with pytest.raises(Invalid, match="colour"):
        select([], [{"Name": "colour", "Values": ["red"]}], known=("VpcId",))


def test_kinds_by_the_beginning_of_their_ids() -> None:
    assert REGISTRY.kind_of_id("cage-1") is CAGE
    assert REGISTRY.kind_of_id("cage-1", "park") is None
    with pytest.raises(ValueError, match="twice"):
        Registry([Service("a", (CAGE,), {}), Service("b", (CAGE,), {})])
