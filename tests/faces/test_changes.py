"""Changes that are performed together: each as if it were alone, but that nobody is answered before all of them are on the disk."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.region import ACCOUNT, CATALOG, NAME, Region

from latticewall.auth.sigv4 import Credentials, sign
from latticewall.base.faults import Pending
from latticewall.base.secret import Secret
from latticewall.faces.asgi import AsgiApp
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


def admitted(region: Region, request: HttpRequest, known: Known) -> Change:
    found = region.endpoint.admitted(request, "127.0.0.1", known)
    assert isinstance(found, Change)
    return found


def together(region: Region, *requests: HttpRequest, at_a_time: int = 2) -> list[HttpResponse | None]:
    """Their answers, when they come one after the other."""
    known = Known(CATALOG.operation("vpc-lattice:CreateService"), "vpc-lattice")
    changes = [admitted(region, one, known) for one in requests]
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


# -- who asks is known before anything waits --------------------------------------------------------------------------------------------------------------


class Still:
    """A clock that stands, so that signatures made now are good."""

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Verifying(Region):
    """A region that verifies signatures, in which creations of services are known to be short."""

    def __init__(self, folder: Path) -> None:
        key = Region(folder, clock=Still()).iam.create_access_key()["AccessKey"]
        super().__init__(folder, clock=Still(), open_mode=False)
        self.credentials = Credentials(key["AccessKeyId"], Secret(key["SecretAccessKey"]))
        self.app.seconds["vpc-lattice:CreateService"] = 0.001

    def creation(self, name: str, secret: str = "") -> HttpRequest:
        """Signed with the root's key, or with another secret."""
        by = replace(self.credentials, secret_access_key=Secret(secret)) if secret else self.credentials
        body = json.dumps({"name": name}).encode()
        headers = sign("POST", "http://127.0.0.1:4566/services", {}, by, "vpc-lattice", NAME, self.clock.now(), body=body)
        return HttpRequest("POST", "/services", "", tuple(headers.items()), body)


async def told(app: AsgiApp, request: HttpRequest) -> tuple[bool, asyncio.Future[HttpResponse]]:
    """Whether the answer is there at once, and where it will be."""
    coming: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()
    answer = app.short(request, "127.0.0.1", coming.set_result)
    assert answer is not False
    if answer is not True:
        coming.set_result(answer)
    return coming.done(), coming


def test_whoever_cannot_sign_is_refused_while_changes_wait(tmp_path: Path) -> None:
    region = Verifying(tmp_path)

    async def ask() -> None:
        app = AsgiApp(region.endpoint)
        with region.store.write():  # nobody else may, so that all changes wait
            first, answer = await told(app, region.creation("one"))
            assert not first
            for number in range(100):
                refused, refusal = await told(app, region.creation(f"no-{number}", "guess"))
                assert refused, "it takes nobody's turn"
                assert (refusal.result().status, refusal.result().header("x-amzn-errortype")) == (403, "InvalidSignatureException")
        assert (await asyncio.wait_for(answer, 30)).status == 201

    asyncio.run(ask())


def test_a_key_that_is_taken_away_while_its_change_waits_changes_nothing(tmp_path: Path) -> None:
    region = Verifying(tmp_path)

    async def ask() -> None:
        app = AsgiApp(region.endpoint)
        with region.store.write() as tx:
            _, answer = await told(app, region.creation("one"))
            (key,) = [row for row in tx.rows("iam:AccessKey") if row.id == region.credentials.access_key_id]
            tx.put(replace(key, document={**key.document, "Status": "Inactive"}))
        refusal = await asyncio.wait_for(answer, 30)
        assert (refusal.status, json.loads(refusal.body)["message"]) == (403, "The security token included in the request is invalid.")

    asyncio.run(ask())
