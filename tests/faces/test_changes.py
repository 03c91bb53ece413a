"""Changes that are performed together: each as if it were alone, but that nobody is answered before all of them are on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.region import ACCOUNT, CATALOG, NAME, Region

from latticewall.base.faults import Pending
from latticewall.faces.http import Change, Known
from latticewall.resources.context import Context
from latticewall.wire.message import HttpRequest, HttpResponse


@pytest.fixture
def region(tmp_path: Path) -> Region:
    found = Region(tmp_path)
    found.lattice.create_service(name="first")
    return found


def request(path: str, body: Any = None, *, method: str = "POST", key: str = ACCOUNT) -> HttpRequest:
    scope = f"AWS4-HMAC-SHA256 Credential={key}/20260102/{NAME}/vpc-lattice/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
    headers = (("host", "127.0.0.1:4566"), ("x-amz-date", "20260102T030405Z"), ("authorization", scope))
    return HttpRequest(method, path, "", headers, json.dumps(body).encode() if body is not None else b"")


def service(name: str, token: str = "", key: str = ACCOUNT) -> HttpRequest:
    return request("/services", {"name": name, **({"clientToken": token} if token else {})}, key=key)


def together(region: Region, *requests: HttpRequest, at_a_time: int = 2) -> list[HttpResponse | None]:
    """Their answers, when they come one after the other."""
    known = Known(CATALOG.operation("vpc-lattice:CreateService"), "vpc-lattice")
    changes = [Change(one, "127.0.0.1", known) for one in requests]
    waiting = iter([changes[start : start + at_a_time] for start in range(0, len(changes), at_a_time)])
    answers: list[HttpResponse | None] = []
    while len(answers) < len(requests):  # a transaction ends when it has lasted for some time
        answers += region.endpoint.together(lambda: next(waiting, []))
    return answers


def read(answer: HttpResponse | None) -> tuple[int, Any]:
    assert answer is not None
    return answer.status, json.loads(answer.body)


def names(region: Region) -> list[str]:
    return [item["name"] for item in region.lattice.list_services()["items"]]


def test_each_is_performed_as_if_it_were_alone(region: Region) -> None:
    answers = together(region, *(service(name) for name in ("one", "two", "first", "bad name", "three")))
    (status, one), _, conflict, invalid, _ = found = [read(answer) for answer in answers]
    assert [status for status, _ in found] == [201, 201, 409, 400, 201]
    assert (status, one["name"], one["status"]) == (201, "one", "CREATE_IN_PROGRESS")
    assert (conflict[1]["resourceType"], invalid[1]["fieldList"][0]["name"]) == ("service", "name")
    assert names(region) == ["first", "one", "two", "three"]
    with region.store.read() as snapshot:
        made = [change for change in snapshot.changes(0) if change["kind"] == "vpc-lattice:Service"]
    assert [change["revision"] for change in made] == sorted({change["revision"] for change in made}), "a revision for each"
    assert len({change["request_id"] for change in made}) == 4


def test_a_token_is_known_to_those_who_come_later(region: Region) -> None:
    answers = [read(answer) for answer in together(region, service("one", "t"), service("one", "t"), service("two", "t"), service("one", "u"))]
    assert [status for status, _ in answers] == [201, 201, 409, 409]
    assert answers[0] == answers[1]
    assert names(region) == ["first", "one"]


def test_one_who_may_not_is_refused_alone(region: Region) -> None:
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "vpc-lattice:List*", "Resource": "*"}}
    region.as_user("vpc-lattice", json.dumps(policy))
    answers = [read(answer) for answer in together(region, service("one"), service("two", key=region.keys["alice"]), service("three"))]
    assert [status for status, _ in answers] == [201, 403, 201]
    assert names(region) == ["first", "one", "three"]


def test_a_mistake_of_ours_breaks_one(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    create = region.app.registry.operation("vpc-lattice", "CreateService")
    assert create is not None

    def broken(ctx: Context, params: dict[str, Any]) -> Any:
        answer = create(ctx, params)
        return answer if params["name"] != "two" else 1 / 0

    monkeypatch.setattr(region.app.registry, "operation", lambda *_: broken)
    answers = [read(answer) for answer in together(region, service("one"), service("two"), service("three"))]
    monkeypatch.undo()
    assert [(status, body.get("message")) for status, body in answers] == [(201, None), (500, "An internal error has occurred"), (201, None)]
    assert names(region) == ["first", "one", "three"]


def test_nobody_is_told_of_what_is_not_on_the_disk(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    answers = [read(answer) for answer in together(region, service("one"), service("first"), service("two"))]
    assert {status for status, _ in answers} == {503}
    assert all("Input/output error" in body["message"] for _, body in answers)


def test_what_needs_something_from_outside_does_it_alone(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    create = region.app.registry.operation("vpc-lattice", "CreateService")
    assert create is not None

    def needing(ctx: Context, params: dict[str, Any]) -> Any:
        create(ctx, params)
        raise Pending(lambda: None)

    monkeypatch.setattr(region.app.registry, "operation", lambda *_: needing)
    assert together(region, service("one")) == [None]
    assert region.endpoint.known(service("two")) is None, "not together with others, the next time"
    monkeypatch.undo()
    assert names(region) == ["first"]


def test_what_takes_long_is_not_for_others_to_wait_for(region: Region) -> None:
    one = request("/services/svc-00000000000000000", method="DELETE")
    assert region.endpoint.known(one) is None, "nothing is known of it yet"
    region.endpoint.answer(one, "127.0.0.1")
    assert 0 < region.app.seconds["vpc-lattice:DeleteService"] < 10
    region.app.seconds["vpc-lattice:DeleteService"] = 0.001
    assert region.endpoint.known(one) is not None
    region.app.seconds["vpc-lattice:DeleteService"] = 1.0
    assert region.endpoint.known(one) is None


def test_alone_and_together_at_the_same_time(region: Region) -> None:
    """Nothing is lost, and no two have the same revision."""

    def alone(number: int) -> int:
        return region.endpoint.answer(service(f"alone-{number}"), "127.0.0.1").status

    def several(number: int) -> list[int]:
        return [read(answer)[0] for answer in together(region, *(service(f"together-{number}-{at}") for at in range(5)))]

    works: Sequence[Callable[[int], Any]] = (alone, several)
    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(work, number) for number in range(12) for work in works]
        assert {str(one.result(60)) for one in found} == {"201", str([201] * 5)}
    wanted = {"first", *(f"alone-{number}" for number in range(12)), *(f"together-{number}-{at}" for number in range(12) for at in range(5))}
    assert set(names(region)) == wanted
    with region.store.read() as snapshot:
        revisions = [change["revision"] for change in snapshot.changes(0) if change["kind"] == "vpc-lattice:Service"]
    assert len(revisions) == len(set(revisions)) == len(wanted)
