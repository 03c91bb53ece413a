"""S3 as boto3 sees it: buckets, objects, listings, uploads in parts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.base.checksums import CHECKSUMS
from latticewall.wire.message import HttpRequest

HOSTILE = ("../../etc/passwd", "/leading", "trailing/", "a//b", "ünï→ %2F+?&", ".", "..", "\x7f", "x" * 1024)


@pytest.fixture
def s3(region: Region) -> Any:
    found = client("s3")
    found.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": NAME})
    return found


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_an_object_comes_back_as_it_went(s3: Any) -> None:
    body = bytes(range(256)) * 100
    put = s3.put_object(Bucket="logs", Key="a/b.bin", Body=body, ContentType="text/x", Metadata={"who": "me"}, CacheControl="no-store", Tagging="k=v")
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket="logs", Key="a/b.bin")
    assert got["Body"].read() == body
    assert (got["ContentType"], got["Metadata"], got["CacheControl"], got["ContentLength"]) == ("text/x", {"who": "me"}, "no-store", len(body))
    head = s3.head_object(Bucket="logs", Key="a/b.bin")
    assert (head["ETag"], head["ContentLength"]) == (put["ETag"], len(body))
    assert s3.get_object_tagging(Bucket="logs", Key="a/b.bin")["TagSet"] == [{"Key": "k", "Value": "v"}]


@pytest.mark.parametrize("key", HOSTILE)
def test_keys_are_data(s3: Any, key: str, region: Region) -> None:
    s3.put_object(Bucket="logs", Key=key, Body=b"x")
    assert s3.get_object(Bucket="logs", Key=key)["Body"].read() == b"x"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="logs")["Contents"]] == [key]
    s3.delete_object(Bucket="logs", Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket="logs")


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [("bytes=0-3", b"0123"), ("bytes=4-", b"456789"), ("bytes=-3", b"789"), ("bytes=8-100", b"89"), ("bytes=5-4", b"0123456789"), ("lines=1", b"0123456789")],
)
def test_ranges(s3: Any, asked: str, wanted: bytes) -> None:
    s3.put_object(Bucket="logs", Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket="logs", Key="k", Range=asked)
    assert got["Body"].read() == wanted
    assert got["ResponseMetadata"]["HTTPStatusCode"] == (206 if len(wanted) < 10 else 200)


def test_a_range_beyond_the_end(s3: Any) -> None:
    s3.put_object(Bucket="logs", Key="k", Body=b"0123456789")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="logs", Key="k", Range="bytes=10-")
    assert code_of(caught) == ("InvalidRange", 416)


def test_listing_rolls_up_and_goes_on(s3: Any) -> None:
    keys = [f"{folder}/{number}" for folder in "abc" for number in range(3)] + ["top", "ab"]
    for key in keys:
        s3.put_object(Bucket="logs", Key=key, Body=b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="logs", Delimiter="/", PaginationConfig={"PageSize": 2}))
    assert [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", ())] == ["a/", "b/", "c/"]
    assert [one["Key"] for page in pages for one in page.get("Contents", ())] == ["ab", "top"]
    assert len(pages) == 3
    flat = [one["Key"] for page in s3.get_paginator("list_objects").paginate(Bucket="logs", PaginationConfig={"PageSize": 4}) for one in page["Contents"]]
    assert flat == sorted(keys)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="logs", Prefix="b/", StartAfter="b/0")["Contents"]] == ["b/1", "b/2"]


def test_parts_make_one_object(s3: Any) -> None:
    first, last = b"a" * (5 << 20), b"b" * 100
    upload = s3.create_multipart_upload(Bucket="logs", Key="big", ContentType="x/y")["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(Bucket="logs", Key="big", UploadId=upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, first), (2, last))
    ]
    assert [one["Size"] for one in s3.list_parts(Bucket="logs", Key="big", UploadId=upload)["Parts"]] == [len(first), len(last)]
    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(Bucket="logs", Key="big", UploadId=upload, MultipartUpload={"Parts": parts[::-1]})
    assert code_of(caught) == ("InvalidPartOrder", 400)
    done = s3.complete_multipart_upload(Bucket="logs", Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    digests = b"".join(hashlib.md5(body).digest() for body in (first, last))
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    got = s3.get_object(Bucket="logs", Key="big")
    assert (got["Body"].read(), got["ContentType"]) == (first + last, "x/y")
    with pytest.raises(ClientError) as caught:
        s3.list_parts(Bucket="logs", Key="big", UploadId=upload)
    assert code_of(caught) == ("NoSuchUpload", 404)


def test_copying_and_deleting_many(s3: Any) -> None:
    s3.put_object(Bucket="logs", Key="a b", Body=b"x", Metadata={"m": "1"})
    s3.copy_object(Bucket="logs", Key="c", CopySource={"Bucket": "logs", "Key": "a b"})
    assert s3.get_object(Bucket="logs", Key="c")["Metadata"] == {"m": "1"}
    gone = s3.delete_objects(Bucket="logs", Delete={"Objects": [{"Key": "a b"}, {"Key": "c"}, {"Key": "never"}]})
    assert sorted(one["Key"] for one in gone["Deleted"]) == ["a b", "c", "never"]
    assert "Contents" not in s3.list_objects_v2(Bucket="logs")


@pytest.mark.parametrize(("condition", "code"), [({"IfNoneMatch": "*"}, "PreconditionFailed"), ({"IfMatch": '"0"'}, "PreconditionFailed")])
def test_writes_on_a_condition(s3: Any, condition: dict[str, str], code: str) -> None:
    s3.put_object(Bucket="logs", Key="k", Body=b"first")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="logs", Key="k", Body=b"second", **condition)
    assert code_of(caught) == (code, 412)
    assert s3.get_object(Bucket="logs", Key="k")["Body"].read() == b"first"


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("get_object", {"Key": "no"}, ("NoSuchKey", 404)),
        ("get_bucket_policy", {}, ("NoSuchBucketPolicy", 404)),
        ("get_bucket_cors", {}, ("NoSuchCORSConfiguration", 404)),
        ("get_bucket_website", {}, ("NoSuchWebsiteConfiguration", 404)),
        ("put_object", {"Key": "k", "Body": b"", "ServerSideEncryption": "AES256"}, ("NotImplemented", 501)),
        ("put_object", {"Key": "k", "Body": b"", "ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, ("BadDigest", 400)),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}, ("NotImplemented", 501)),
        ("put_object", {"Key": "x" * 1025, "Body": b""}, ("KeyTooLongError", 400)),
    ],
)
def test_refusals(s3: Any, call: str, arguments: dict[str, Any], expected: tuple[str, int]) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(s3, call)(Bucket="logs", **arguments)
    assert code_of(caught) == expected


def test_what_goes_into_headers_is_printable(s3: Any) -> None:
    """The query may ask for headers of the answer: no line can be added to it."""
    s3.put_object(Bucket="logs", Key="k", Body=b"x")
    assert s3.get_object(Bucket="logs", Key="k", ResponseContentType="text/html")["ContentType"] == "text/html"
    for hostile in ("text/html\r\nSet-Cookie: a=b", "ünï→"):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket="logs", Key="k", ResponseContentType=hostile)
        assert code_of(caught) == ("InvalidArgument", 400)


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    path=st.text(st.characters(codec="ascii", exclude_characters="?# "), max_size=30),
    query=st.text(st.characters(codec="ascii"), max_size=40)
    | st.sampled_from(["uploads", "uploadId=x&partNumber=1", "delete", "policy", "list-type=2&max-keys=x"]),
    body=st.binary(max_size=60),
    content_hash=st.sampled_from(["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", ""]),
    host=st.sampled_from(["127.0.0.1", "logs.s3.localhost", "...s3", ""]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_is_too_strange(s3: Any, region: Region, method: str, path: str, query: str, body: bytes, content_hash: str, host: str) -> None:
    """Whatever is asked, it is answered or refused: never an error of ours."""
    scope = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260102/{NAME}/s3/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
    headers = (("host", host), ("authorization", scope), ("x-amz-date", "20260102T030405Z"), ("x-amz-content-sha256", content_hash))
    answer = region.endpoint.answer(HttpRequest(method, f"/{path}", query, headers, body), "127.0.0.1")
    assert answer.status != 500, answer.body


@pytest.mark.parametrize("name", ["ab", "Upper", "192.168.1.1", "a..b", "xn--a", "-a-", "a" * 64, "x-s3alias"])
def test_names_of_buckets(s3: Any, name: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": NAME})
    assert code_of(caught)[0] in ("InvalidBucketName", "ParamValidation")


def test_a_bucket_that_is_not_empty_stays(s3: Any) -> None:
    s3.put_object(Bucket="logs", Key="k", Body=b"")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket="logs")
    assert code_of(caught) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="logs", Key="k")
    s3.delete_bucket(Bucket="logs")
    assert s3.list_buckets()["Buckets"] == []


def test_where_a_bucket_is(s3: Any) -> None:
    assert s3.get_bucket_location(Bucket="logs")["LocationConstraint"] == NAME
    assert s3.head_bucket(Bucket="logs")["BucketRegion"] == NAME


def test_others_may_what_the_bucket_policy_says(s3: Any, region: Region) -> None:
    other = client("s3", "999988887777")
    s3.put_object(Bucket="logs", Key="in/k", Body=b"x")
    with pytest.raises(ClientError) as caught:
        other.get_object(Bucket="logs", Key="in/k")
    assert code_of(caught) == ("AccessDenied", 403)
    statement = {"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::logs/in/*"}
    s3.put_bucket_policy(Bucket="logs", Policy=document(statement))
    assert other.get_object(Bucket="logs", Key="in/k")["Body"].read() == b"x"
    with pytest.raises(ClientError) as caught:
        other.list_objects_v2(Bucket="logs")
    assert code_of(caught) == ("AccessDenied", 403)
    s3.put_bucket_policy(Bucket="logs", Policy=document({**statement, "Effect": "Deny", "Principal": {"AWS": ACCOUNT}}))
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="logs", Key="in/k")
    assert code_of(caught) == ("AccessDenied", 403)
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_policy(Bucket="logs", Policy=document({**statement, "Principal": "*"}))
    assert code_of(caught) == ("AccessDenied", 403)


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_a_user_may_what_his_policy_says(s3: Any, region: Region) -> None:
    allowed = document({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::logs", "Condition": {"StringLike": {"s3:prefix": "mine/*"}}})
    alice = region.as_user("s3", allowed)
    alice.list_objects_v2(Bucket="logs", Prefix="mine/x")
    with pytest.raises(ClientError) as caught:
        alice.list_objects_v2(Bucket="logs", Prefix="yours/x")
    assert code_of(caught) == ("AccessDenied", 403)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_compared(s3: Any, algorithm: str) -> None:
    s3.put_object(Bucket="logs", Key="k", Body=b"123456789", ChecksumAlgorithm=algorithm)
    member = f"Checksum{algorithm}"
    assert s3.head_object(Bucket="logs", Key="k", ChecksumMode="ENABLED")[member]
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="logs", Key="k", Body=b"123456789", **{member: "AAAAAA=="})
    assert code_of(caught) == ("BadDigest", 400)


@pytest.mark.parametrize(("name", "expected"), [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")])
def test_check_values(name: str, expected: str) -> None:
    """The check values of the CRC catalogue, over "123456789"."""
    assert CHECKSUMS[f"x-amz-checksum-{name}"](b"123456789").hex() == expected
