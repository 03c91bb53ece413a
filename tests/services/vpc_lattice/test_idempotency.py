"""`clientToken`, on every creation: the same request again is answered as before and makes nothing; the same token for another request is refused.

AWS says neither which error that is nor how long a token holds: ConflictException, and 24 hours (docs/features/service-network.md).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from .region import CATALOG, Region, body, client
from .things import Things


def test_every_creation_takes_a_token() -> None:
    found = {name for name, operation in CATALOG.service("vpc-lattice").operations.items() if operation.idempotency_tokens}
    assert found == {"StartDomainVerification" if noun == "DomainVerification" else f"Create{noun}" for noun in Things.TAGGABLE}


@pytest.mark.parametrize("noun", Things.TAGGABLE)
def test_a_token_makes_one_and_only_one(things: Things, noun: str) -> None:
    params = {**things.params(noun, 1), "clientToken": f"once-{noun}"}
    first, revision, status = body(things.make(noun, **params)), things.region.store.revision, things.region.last_status
    assert body(things.make(noun, **params)) == first
    assert (things.region.store.revision, things.region.last_status) == (revision, status)
    with things.region.refused("ConflictException", "client token") as error:
        things.make(noun, **params, tags={"another": "request"})
    assert (things.region.last_status, error["resourceId"], error["resourceType"]) == (409, first["id"], noun.lower())


def test_a_token_is_of_one_operation_and_one_account(region: Region) -> None:
    made = {region.lattice.create_service_network(name="orders", clientToken="t")["id"], region.lattice.create_service(name="orders", clientToken="t")["id"]}
    made.add(client("vpc-lattice", "999988887777").create_service(name="orders", clientToken="t")["id"])
    assert len(made) == 3


@pytest.mark.parametrize("token", ["", "t" * 65, " ", "é"])
def test_a_token_of_the_wrong_form_is_refused(region: Region, token: str) -> None:
    with region.refused("ValidationException", "clientToken"):
        region.lattice.create_service(name="orders", clientToken=token)


def test_a_token_holds_for_a_day_and_through_a_restart(tmp_path: Path) -> None:
    region = Region(tmp_path)
    first = body(region.lattice.create_service(name="orders", clientToken="t"))
    region.store.close()
    again = Region(tmp_path)
    again.clock.moment = region.clock.moment + timedelta(hours=23, minutes=59)
    assert body(again.lattice.create_service(name="orders", clientToken="t")) == first
    again.clock.moment += timedelta(minutes=2)
    with again.refused("ConflictException", "already exists"):
        again.lattice.create_service(name="orders", clientToken="t")
    assert again.lattice.create_service(name="others", clientToken="t")["id"] != first["id"]


def test_a_refused_request_leaves_its_token_free(region: Region) -> None:
    region.service()
    with region.refused("ConflictException", "already exists"):
        region.lattice.create_service(name="orders", clientToken="t")
    assert region.lattice.create_service(name="others", clientToken="t")["name"] == "others"


def test_of_many_at_once_one_makes_it(region: Region) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: region.lattice.create_service(name="orders", clientToken="t")["id"], range(16)))
    assert len(set(made)) == 1
    assert [item["id"] for item in region.lattice.list_services()["items"]] == made[:1]


def test_what_is_told_apart_is_the_request_and_not_its_spelling(region: Region) -> None:
    made = region.lattice.create_service(name="orders", tags={"a": "1", "b": "2"}, clientToken="t")["id"]
    assert region.lattice.create_service(clientToken="t", tags={"b": "2", "a": "1"}, name="orders")["id"] == made
