"""The table against the models and the services: it names nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from latticewall.control_plane.services import registry
from latticewall.services.cloudformation.conform import member_of
from latticewall.services.cloudformation.resource_types import TABLE, ResourceType
from latticewall.services.cloudformation.resource_types.tagging import STYLES

from .region import CATALOG

REGISTRY = registry()
ROWS = [pytest.param(row, id=row.type) for row in TABLE.values()]


def operations(row: ResourceType) -> set[str]:
    named = {row.create, row.update, row.delete, *row.settings.values(), *row.updates.values(), *row.clears.values()}
    if row.tagging:
        named |= {STYLES[row.tagging].add, STYLES[row.tagging].remove}
    return named - {""}


def test_the_user_page_lists_exactly_these_types() -> None:
    listed = set()
    for line in (Path(__file__).parents[3] / "docs" / "features" / "cloudformation.md").read_text().splitlines():
        if found := re.fullmatch(r"\| (AWS::\w+) \| (.+) \|", line):
            listed |= {f"{found[1]}::{name}" for name in found[2].split(", ")}
    assert listed == set(TABLE)


@pytest.mark.parametrize("row", ROWS)
def test_operations_exist_and_are_served(row: ResourceType) -> None:
    for name in operations(row):
        operation = CATALOG.operation(name)
        assert REGISTRY.operation(operation.service.name, operation.name), f"{name} is not served"
    assert not row.kind or row.kind in REGISTRY.kinds
    assert row.create or row.making
    assert row.delete or row.removing


@pytest.mark.parametrize("row", ROWS)
def test_every_property_goes_somewhere(row: ResourceType) -> None:
    """Nothing that a template may say is dropped silently."""
    shape = CATALOG.operation(row.create).input if row.create else None
    tags = {row.tag_property} if row.tagging else set()
    alone = {**row.settings, **row.updates}
    for name in row.known - tags - row.by_hand:
        operation = CATALOG.operation(alone[name]).input if name in alone else shape
        assert operation is not None
        assert member_of(operation, name, row.renames), f"{name} is a member of nothing"


@pytest.mark.parametrize("row", ROWS)
def test_what_can_change_in_place_has_a_way(row: ResourceType) -> None:
    mutable = row.known - {path.split(".")[0] for path in row.create_only} - ({row.tag_property} if row.tagging else set())
    alone = {*row.settings, *row.updates}
    rest = mutable - alone
    if rest and not row.changing:
        assert row.update, f"{sorted(rest)} cannot be changed"
        shape = CATALOG.operation(row.update).input
        assert shape is not None
        for name in rest:
            assert member_of(shape, name, row.renames), f"{row.update} does not take {name}"


@pytest.mark.parametrize("row", ROWS)
def test_keys_are_members_of_the_operations_that_need_them(row: ResourceType) -> None:
    pairs = [pair.split("=") for pair in row.key.split()]
    assert all(source in ("id", "arn", "name") for _, source in pairs)
    for name in {row.update, row.delete, *row.settings.values(), *row.updates.values()} - {""}:
        shape = CATALOG.operation(name).input
        assert shape is not None
        if not (row.removing and name == row.delete) and not (row.changing and name == row.update):
            assert {member for member, _ in pairs} <= set(shape.members), name
