"""The HTTP face: who may ask what, in which dialect refusals come, and that nothing makes it raise."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from tests.region import ACCOUNT, NAME, WIRE, Region, client

from latticewall.faces.asgi import BODIES_LIMIT, BODY_LIMIT, SMALL, AsgiApp
from latticewall.wire.message import HttpRequest, HttpResponse

HOST = "127.0.0.1:4566"


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def verifying(tmp_path: Path) -> Iterator[tuple[Region, dict[str, str]]]:
    """A region that verifies signatures, and its root's key."""
    open_region = Region(tmp_path, clock=Now())
    key = open_region.iam.create_access_key()["AccessKey"]
    yield Region(tmp_path, clock=Now(), open_mode=False), key
    WIRE.endpoint = None


def signed(path: str, service: str, key: str, secret: str, body: bytes = b"{}") -> HttpRequest:
    request = AWSRequest("POST", f"http://{HOST}{path}", data=body, headers={"host": HOST})
    SigV4Auth(Credentials(key, secret), service, NAME).add_auth(request)
    return HttpRequest("POST", path, "", tuple((name, str(value)) for name, value in request.headers.items()), body)


def inner(region: Region, path: str, body: bytes = b"") -> HttpResponse:
    return region.endpoint.answer(HttpRequest("POST", f"/_latticewall/{path}", "", (("host", HOST),), body), "127.0.0.1")


def test_signatures_are_verified(verifying: tuple[Region, dict[str, str]]) -> None:
    _, key = verifying
    assert client("sts", key["AccessKeyId"], secret=key["SecretAccessKey"]).get_caller_identity()["Account"] == ACCOUNT
    for wrong, code in (((key["AccessKeyId"], "guess"), "SignatureDoesNotMatch"), (("AKIAIOSFODNN7EXAMPLE", "guess"), "InvalidClientTokenId")):
        with pytest.raises(ClientError) as caught:
            client("sts", wrong[0], secret=wrong[1]).get_caller_identity()
        assert (caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, 403)


def test_a_12_digit_key_names_an_account_in_open_mode_only(region: Region, tmp_path: Path) -> None:
    assert region.of("999988887777", "sts").get_caller_identity()["Account"] == "999988887777"
    assert client("sts", "anything").get_caller_identity()["Account"] == ACCOUNT
    Region(tmp_path, open_mode=False)
    with pytest.raises(ClientError):
        region.of("999988887777", "sts").get_caller_identity()


def test_the_region_is_that_of_the_signature(region: Region) -> None:
    region.of(ACCOUNT, "ec2", "us-east-9").create_vpc(CidrBlock="10.0.0.0/16")
    assert region.ec2.describe_vpcs()["Vpcs"] == []
    assert len(region.of(ACCOUNT, "ec2", "us-east-9").describe_vpcs()["Vpcs"]) == 1


def test_inner_requests_are_for_the_administrator(verifying: tuple[Region, dict[str, str]]) -> None:
    region, key = verifying
    assert inner(region, "echo").status == 403
    asked = signed("/_latticewall/echo", "latticewall", key["AccessKeyId"], key["SecretAccessKey"], b'{"a": 1}')
    assert json.loads(region.endpoint.answer(asked, "127.0.0.1").body) == {"given": {"a": 1}}
    other_service = signed("/_latticewall/echo", "sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert region.endpoint.answer(other_service, "127.0.0.1").status == 403
    user = Region(Path(region.store._path).parent, clock=Now())
    user.iam.create_user(UserName="alice")
    alice = user.iam.create_access_key(UserName="alice")["AccessKey"]
    asked = signed("/_latticewall/echo", "latticewall", alice["AccessKeyId"], alice["SecretAccessKey"])
    assert region.endpoint.answer(asked, "127.0.0.1").status == 403


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("echo", b"", 200), ("none", b"", 404), ("echo", b"{", 400), ("echo", b"\xff", 400), ("echo", b"[1]", 400), ("echo", b'{"a": NaN}', 400),
        ("echo", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400), ("echo", b'{"a": ' + b"[" * 100_000, 400),
    ],
)  # fmt: skip
def test_inner_requests_answer_whatever_they_are_sent(region: Region, path: str, body: bytes, status: int) -> None:
    assert inner(region, path, body).status == status


def test_an_inner_request_that_breaks_is_an_answer_too(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "inner", None)
    object.__setattr__(region.endpoint, "inner", lambda _path, _params: 1 / 0)
    answer = inner(region, "echo")
    assert (answer.status, json.loads(answer.body)["code"]) == (500, "InternalFailure")
    for mistake in (KeyError("/state/region.db"), ValueError("/state/region.db"), OSError(2, "gone", "/state/region.db")):
        object.__setattr__(region.endpoint, "inner", Mock(side_effect=mistake))
        assert (inner(region, "echo").status, b"region.db" in inner(region, "echo").body) == (500, False), "what is wrong inside is nobody's to read"


def test_what_can_be_read_and_not_be_walked_is_too_deep(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(value: Any) -> int:
        return 1 + max((walk(item) for item in value.values()), default=0) if isinstance(value, dict) else 0

    monkeypatch.setattr(region, "inner", None)
    object.__setattr__(region.endpoint, "inner", lambda _path, params: walk(params))
    depth = 800
    assert inner(region, "echo", b'{"a":' * depth + b"{}" + b"}" * depth).status == 400


@contextmanager
def failing_commits(region: Region) -> Iterator[None]:
    """The disk is full for writers: SQLite may not grow the file by a page."""
    with region.store.read() as snapshot:
        pages = snapshot._db.execute("PRAGMA page_count").fetchone()[0]
    snapshot._db.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        snapshot._db.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize("service", ["ec2", "vpc-lattice", "iam", "network-firewall", "route53"])
def test_a_full_disk_is_named_in_every_dialect(region: Region, service: str) -> None:
    reference = map(str, itertools.count())
    calls = {
        "ec2": lambda: region.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "x" * 250}]}]),
        "vpc-lattice": lambda: region.lattice.create_service_network(name="mesh", tags={str(number): "x" * 250 for number in range(40)}),
        "iam": lambda: region.iam.create_user(UserName="alice", Tags=[{"Key": str(number), "Value": "x" * 250} for number in range(40)]),
        "network-firewall": lambda: region.firewall.create_rule_group(
            RuleGroupName="web", Type="STATEFUL", Capacity=1, RuleGroup={"RulesSource": {"RulesString": 'pass tcp any any -> any any (sid:1;)\n' + "#" * 9000}}
        ),
        "route53": lambda: region.route53.create_hosted_zone(Name="example.com", CallerReference=next(reference)),
    }  # fmt: skip

    def until_full() -> None:
        for _ in range(40):  # the free space inside the file's pages is used up first
            calls[service]()

    with failing_commits(region), pytest.raises(ClientError) as caught:
        until_full()
    error = caught.value.response["Error"]
    assert error["Code"] in ("ServiceUnavailable", "InternalServerError", "InternalServerException", "ServiceUnavailableException"), error
    assert "database or disk is full" in error["Message"]
    assert str(Path(region.store._path).parent) not in str(caught.value.response), "where the state is"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    region.ec2.describe_vpcs()


def test_files_that_fail_are_not_named(region: Region, tmp_path: Path) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": NAME})
    s3.put_object(Bucket="shelf", Key="book", Body=b"once")
    shelf = region.objects._folder / "shelf"
    shelf.rename(tmp_path / "elsewhere")
    for number, call in enumerate((lambda: s3.get_object(Bucket="shelf", Key="book"), lambda: s3.put_object(Bucket="shelf", Key="other", Body=b"upon"))):
        if number:
            shelf.write_text("no folder")
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Message"] in ("the object cannot be read: No such file or directory", "the object was not stored: File exists")
        assert str(region.objects._folder) not in str(caught.value.response)


def test_what_is_not_ours_is_an_answer_and_no_detail(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise sqlite3.ProgrammingError("SELECT secret")

    monkeypatch.setattr(region.app, "_authorise", broken)
    with pytest.raises(ClientError) as caught:
        region.ec2.describe_vpcs()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "secret" not in str(caught.value)


# -- ASGI -----------------------------------------------------------------------------------------------------------------------------------


def asgi(region: Region, *messages: MutableMapping[str, Any], path: bytes = b"/_latticewall/echo") -> list[MutableMapping[str, Any]]:
    """What the application sends when it receives these messages."""
    waiting, sent = list(messages), []

    async def receive() -> MutableMapping[str, Any]:
        return waiting.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "raw_path": path, "query_string": b"", "headers": [(b"host", HOST.encode())], "client": ("127.0.0.1", 1)}
    asyncio.run(AsgiApp(region.endpoint)(scope, receive, send))
    return sent


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_comes_in_parts(region: Region) -> None:
    start, end = asgi(region, part(b'{"a": ', more=True), part(b"1}"))
    assert (start["status"], json.loads(end["body"])) == (200, {"given": {"a": 1}})
    assert (b"content-length", str(len(end["body"])).encode()) in start["headers"]


def test_half_a_request_is_not_performed(region: Region) -> None:
    """A client that goes away while it sends must not have the half of its request done that arrived."""
    asked: list[str] = []
    object.__setattr__(region.endpoint, "inner", lambda path, _params: asked.append(path))
    assert asgi(region, part(b"{}", more=True), {"type": "http.disconnect"}) == []
    assert asked == []


def test_a_body_has_a_limit(region: Region) -> None:
    start, _ = asgi(region, part(b"x" * BODY_LIMIT, more=True), part(b"x"))
    assert start["status"] == 413


def test_bodies_have_a_limit_together(region: Region) -> None:
    """Small requests are answered whatever others upload."""

    async def run() -> tuple[int, list[int]]:
        app, free, sent = AsgiApp(region.endpoint), asyncio.Event(), []
        scope = {"type": "http", "method": "PUT", "raw_path": b"/", "query_string": b"X-Amz-Credential=a/s3/aws4_request", "headers": []}

        async def ask(*messages: MutableMapping[str, Any]) -> None:
            waiting = list(messages)

            async def receive() -> MutableMapping[str, Any]:
                if not waiting:
                    await free.wait()
                    return {"type": "http.disconnect"}
                return waiting.pop(0)

            async def send(message: MutableMapping[str, Any]) -> None:
                sent.extend([message["status"]] if "status" in message else [])

            await app(scope, receive, send)

        piece = part(bytes(SMALL + BODIES_LIMIT // 16), more=True)
        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(ask(piece))
            await asyncio.sleep(0)
            await ask(part(bytes(SMALL + 1)))
            refused = sent.pop()
            await ask(part(bytes(SMALL)))
            free.set()
        await ask(part(bytes(SMALL + 1)))
        return refused, sent

    refused, others = asyncio.run(run())
    assert refused == 503
    assert len(others) == 2
    assert 503 not in others


def test_boto3_reaches_the_endpoint_by_its_own_configuration(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    """`eval "$(latticewall env)"` sets these."""
    for name, value in (("AWS_ENDPOINT_URL", f"http://{HOST}"), ("AWS_ACCESS_KEY_ID", ACCOUNT), ("AWS_SECRET_ACCESS_KEY", "any"), ("AWS_REGION", NAME)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", NAME)
    found = boto3.client("sts")
    found.meta.events.register("before-send.*", WIRE.send)
    assert found.get_caller_identity()["Account"] == ACCOUNT
