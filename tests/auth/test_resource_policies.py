"""What shares grant, from rows as they may be: a principal out of reach, a permission that is gone or names too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from latticewall.auth.resource_policies import _actions, grantee
from latticewall.base.resource_shares import ASSOCIATION, DEFAULTS, PERMISSION, SERVICE_PRINCIPAL, SHARE
from latticewall.base.rows import Row
from latticewall.store import Snapshot, Store

OWNER, MEMBER, STRANGER = "111122223333", "444455556666", "777788889999"
ORG, OTHER = "o-aaaaaaaaaa", "o-bbbbbbbbbb"
TYPE = "vpc-lattice:ServiceNetwork"
KNOWN = DEFAULTS[TYPE].actions


@pytest.fixture
def put(tmp_path: Path) -> Iterator[Callable[..., Snapshot]]:
    store = Store(tmp_path / "region.db", lambda: "2026-01-02T03:04:05.000Z")

    def put(*rows: Row) -> Snapshot:
        with store.write("somebody", "test") as tx:
            for row in rows:
                tx.put(row)
        return reading.enter_context(store.read())

    with ExitStack() as reading:
        yield put
    store.close()


def share(**permissions: str) -> Row:
    return Row(SHARE, OWNER, "eu-north-7", "share", document={"_permissions": permissions})


def account(number: str, organization: str) -> Row:
    return Row("organizations:Account", number, "", number, parent=organization, document={"_path": f"{organization}/r-1/ou-1/"})


def organization(name: str, *services: str) -> Row:
    return Row("organizations:Organization", OWNER, "", name, document={"_services": list(services)})


def to(principal: str, *, external: bool = False) -> Row:
    return Row(ASSOCIATION, OWNER, "eu-north-7", "association", name=principal, parent="share", document={"external": external})


UNIT, WHOLE = (f"arn:aws:organizations::{OWNER}:{kind}/{ORG}{rest}" for kind, rest in (("ou", "/ou-1"), ("organization", "")))


def test_an_organization_that_trusts_ram_is_reached(put: Callable[..., Snapshot]) -> None:
    snapshot = put(organization(ORG, SERVICE_PRINCIPAL), account(OWNER, ORG), account(MEMBER, ORG), account(STRANGER, OTHER))
    who = {name: grantee(snapshot, share(), to(name)) for name in (MEMBER, STRANGER, "123123123123", UNIT, WHOLE, UNIT.replace(ORG, OTHER))}
    assert who == {
        MEMBER: {"Principal": {"AWS": MEMBER}}, STRANGER: None, "123123123123": None,
        UNIT: {"Principal": "*", "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": [f"{ORG}/*/ou-1/*"]}}},
        WHOLE: {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": [ORG]}}}, UNIT.replace(ORG, OTHER): None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "owned",
    [(), (account(OWNER, ORG),), (account(OWNER, ORG), organization(ORG, "sso.amazonaws.com")), (organization(ORG, SERVICE_PRINCIPAL),)],
    ids=["none", "not-enabled", "for-others", "not-of-the-owner"],
)
def test_without_an_organization_that_trusts_nobody_is(put: Callable[..., Snapshot], owned: tuple[Row, ...]) -> None:
    """Neither a member nor an account in no organization, which has the same one as an owner in none."""
    snapshot = put(*owned, account(MEMBER, ORG))
    assert [grantee(snapshot, share(), to(name)) for name in (MEMBER, "123123123123", UNIT, WHOLE)] == [None] * 4
    assert grantee(snapshot, share(), to(MEMBER, external=True)) == {"Principal": {"AWS": MEMBER}}


def test_a_permission_grants_what_it_names_and_its_type_knows(put: Callable[..., Snapshot]) -> None:
    own, gone, other = (f"arn:aws:ram:eu-north-7:{OWNER}:permission/{name}" for name in ("own", "gone", "other"))
    named = [*KNOWN[:2], "vpc-lattice:DeleteServiceNetwork", "*"]
    permission = Row(PERMISSION, OWNER, "eu-north-7", "own", arn=own, document={"_actions": named})
    snapshot = put(permission, Row(SHARE, OWNER, "eu-north-7", "other", arn=other, document={"_actions": named}))
    assert _actions(snapshot, share(**{TYPE: own}), TYPE) == list(KNOWN[:2])
    assert _actions(snapshot, share(**{TYPE: DEFAULTS[TYPE].arn}), TYPE) == list(KNOWN)
    assert _actions(snapshot, share(**{TYPE: gone}), TYPE) == _actions(snapshot, share(**{TYPE: other}), TYPE) == _actions(snapshot, share(), TYPE) == []
    assert _actions(snapshot, share(**{"x:Unknown": own}), "x:Unknown") == []
