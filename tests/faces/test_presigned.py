"""Requests with their signature in the query: what was signed is answered for as long as it says, and nothing else is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.region import ACCOUNT, NAME, WIRE, Region

from latticewall.auth.callers import root
from latticewall.faces.http import DOWNLOADS
from latticewall.wire.message import HttpRequest, HttpResponse

HOST = "127.0.0.1:4566"
STS, EC2, IAM, LATTICE, S3 = "sts", "ec2", "iam", "vpc-lattice", "s3"
TARGETS = {
    STS: "/?Action=GetCallerIdentity&Version=2011-06-15", EC2: "/?Action=DescribeVpcs&Version=2016-11-15&MaxResults=5",
    IAM: "/?Action=ListUsers&Version=2010-05-08", LATTICE: "/services?maxResults=5", S3: "/shelf/book?response-content-type=text%2Fplain",
}  # fmt: skip
MISMATCH = {
    STS: "SignatureDoesNotMatch", EC2: "AuthFailure", IAM: "SignatureDoesNotMatch", LATTICE: "InvalidSignatureException", S3: "SignatureDoesNotMatch",
}  # fmt: skip
INCOMPLETE = {
    STS: "IncompleteSignature", EC2: "IncompleteSignature", IAM: "IncompleteSignature", LATTICE: "IncompleteSignatureException",
    S3: "AuthorizationQueryParametersError",
}  # fmt: skip


class Clock:
    """Goes on when it is told to; botocore signs by the machine's."""

    def __init__(self) -> None:
        self.later = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later


@dataclass
class Verifying:
    """A region that verifies signatures, and its root's key."""

    region: Region
    clock: Clock
    credentials: Credentials

    def presigned(self, service: str, expires: int = 60) -> str:
        """The target of a GET."""
        request = AWSRequest("GET", f"http://{HOST}{TARGETS[service]}")
        kind = S3SigV4QueryAuth if service == S3 else SigV4QueryAuth
        kind(self.credentials, service, NAME, expires=expires).add_auth(request)
        url = urlsplit(str(request.url))
        return f"{url.path}?{url.query}"

    def get(self, target: str, headers: dict[str, str] | None = None, method: str = "GET") -> HttpResponse:
        path, _, query = target.partition("?")
        given = {"host": HOST, **(headers or {})}
        answer = self.region.endpoint.answer(HttpRequest(method, path, query, tuple(given.items())), "127.0.0.1")
        return replace(answer, body=answer.stream.read(), stream=None) if answer.stream else answer


@pytest.fixture(scope="module")
def verifying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verifying]:
    folder, clock = tmp_path_factory.mktemp("region"), Clock()
    made = Region(folder, clock=clock)
    key = made.iam.create_access_key()["AccessKey"]
    shelf = made.of(ACCOUNT, "s3")
    shelf.create_bucket(Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": NAME})
    shelf.put_object(Bucket="shelf", Key="book", Body=b"once upon a time")
    yield Verifying(Region(folder, clock=clock, open_mode=False), clock, Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
    WIRE.endpoint = None


def code(answer: HttpResponse) -> str:
    """The error's code, in whatever dialect; "" of what is none."""
    if answer.status < 300:
        return ""
    found = re.search(rb"<Code>(.*?)</Code>", answer.body)
    return found[1].decode() if found else answer.header("x-amzn-errortype").partition(":")[0] or str(json.loads(answer.body).get("__type"))


def changed(target: str, name: str, value: str | None) -> str:
    """With another value of a parameter, or without it."""
    pattern = rf"(?<=[?&]){re.escape(name)}=[^&]*&?"
    assert re.search(pattern, target), name
    return re.sub(pattern, "" if value is None else f"{name}={value}&", target).rstrip("&")


@pytest.mark.parametrize("service", TARGETS)
def test_whatever_was_changed_is_refused(verifying: Verifying, service: str) -> None:
    target = verifying.presigned(service)
    assert code(verifying.get(target)) == ""
    path, _, query = target.partition("?")
    given = dict(pair.split("=", 1) for pair in query.split("&"))
    assert len(given) >= 7
    for name, value in given.items():
        others = {value[:-1] + ("0" if value[-1] != "0" else "1"), value + "0", value.swapcase()} - {value}
        for other in (*others, None, ""):
            assert code(verifying.get(changed(target, name, other))) != "", (name, other)
        assert code(verifying.get(f"{target}&{name}={value}")) != "", f"{name} twice"
    date = f"{datetime.now(UTC) + timedelta(seconds=1):%Y%m%dT%H%M%SZ}"
    for name, value in (("Expires", "61"), ("Date", date), ("SignedHeaders", "host%3Bx-a"), ("Signature", "0" * 64)):
        answer = verifying.get(changed(target, f"X-Amz-{name}", value), {"x-a": "1"})
        assert code(answer) == MISMATCH[service], name
    for name in ("Date", "SignedHeaders", "Signature", "Expires"):
        assert code(verifying.get(changed(target, f"X-Amz-{name}", None))) == INCOMPLETE[service], name
    assert code(verifying.get(f"{target}&more=1")) == MISMATCH[service]
    assert code(verifying.get(target, method="DELETE" if service == S3 else "POST")) != ""
    assert code(verifying.get(target, {"host": "elsewhere:4566"})) == MISMATCH[service]
    assert code(verifying.get(target, {"x-amz-acl": "public-read"})) == MISMATCH[service], "an unsigned header that means something"
    assert code(verifying.get(f"{path}x?{query}")) != ""


@pytest.mark.parametrize("service", TARGETS)
def test_a_request_has_one_signature(verifying: Verifying, service: str) -> None:
    """Also when both are right."""
    target = verifying.presigned(service)
    request = AWSRequest("GET", f"http://{HOST}{target}", headers={"host": HOST})
    SigV4Auth(verifying.credentials, service, NAME).add_auth(request)
    both = {name.lower(): str(value) for name, value in request.headers.items()}
    answer = verifying.get(target, both)
    assert (code(answer), answer.status >= 400) == ("InvalidArgument" if service == S3 else MISMATCH[service], True)
    for header in ("Bearer token", "", "AWS4-HMAC-SHA256 "):
        assert code(verifying.get(target, {"authorization": header})) != ""


@pytest.mark.parametrize("service", TARGETS)
def test_how_long_it_may_be_good(verifying: Verifying, service: str) -> None:
    target = verifying.presigned(service)
    for value in ("0", "604801", "-1", "%2B5", "1e3", "", "5.0", "0x10", "9" * 40, "%D9%A3", "%2060", "60%20"):
        assert code(verifying.get(changed(target, "X-Amz-Expires", value))) == INCOMPLETE[service], value
    for expires in (1, 604_800):
        target = verifying.presigned(service, expires)
        for later, gone in ((0, False), (expires + 2, True), (-890, False), (-910, True)):
            verifying.clock.later = timedelta(seconds=later)
            try:
                answer = verifying.get(target)
            finally:
                verifying.clock.later = timedelta()
            expected = ("AccessDenied" if service == S3 else MISMATCH[service]) if gone else ""
            assert code(answer) == expected, (expires, later, answer.body)
    almost = verifying.presigned(service, 604_800)
    verifying.clock.later = timedelta(seconds=604_790)
    try:
        assert code(verifying.get(almost)) == ""
    finally:
        verifying.clock.later = timedelta()


def test_s3_names_clocks_that_differ(verifying: Verifying) -> None:
    request = AWSRequest("GET", f"http://{HOST}/shelf/book", headers={"host": HOST, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    SigV4Auth(verifying.credentials, S3, NAME).add_auth(request)
    given = {name.lower(): str(value) for name, value in request.headers.items()}
    verifying.clock.later = timedelta(minutes=16)
    try:
        assert code(verifying.get("/shelf/book", given)) == "RequestTimeTooSkewed"
    finally:
        verifying.clock.later = timedelta()


def test_the_code_of_a_function_is_for_who_was_given_its_place(verifying: Verifying) -> None:
    download = cast(Any, verifying.region.endpoint.download).__self__
    digest = "ab" * 32
    (download._packages / f"{digest}.zip").write_bytes(b"zip")
    url = urlsplit(download.location(root(ACCOUNT, NAME).coming("127.0.0.1", "", HOST), digest, verifying.clock.now()))
    target = f"{url.path}?{url.query}"
    assert url.path.startswith(DOWNLOADS)
    assert verifying.get(target).body == b"zip"
    later = str(int(verifying.clock.now().timestamp()) + 9999)
    wrong = [
        changed(target, "Expires", later), changed(target, "Expires", None), changed(target, "Expires", ""), changed(target, "Signature", None),
        changed(target, "Signature", "%C3%A9"), changed(target, "Signature", "%FF"), changed(target, "Expires", "%ED%A0%80"),
        target.replace(digest, "cd" * 32), target.replace(digest, "../location.key"), target.replace(digest, ""), DOWNLOADS,
    ]  # fmt: skip
    assert {verifying.get(one).status for one in wrong} == {403}
    verifying.clock.later = timedelta(minutes=11)
    try:
        assert verifying.get(target).status == 403
    finally:
        verifying.clock.later = timedelta()
