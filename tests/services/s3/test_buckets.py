"""What a bucket is set to, and the truth about what no bucket here has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.region import ACCOUNT, NAME, Region, client

BUCKET = "settings"
OWNER = ACCOUNT.rjust(64, "0")
BLOCKED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
PUBLIC = f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{BUCKET}/*"}}]}}'


@pytest.fixture
def s3(region: Region) -> Any:
    found = client("s3")
    found.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": NAME})
    return found


def refused(call: Any, **params: Any) -> tuple[str, int]:
    """Code and status of a call's refusal."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_the_root_user_of_the_account_is_never_locked_out_of_its_buckets_policy(s3: Any, region: Region) -> None:
    everything = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
    assert refused(s3.put_bucket_tagging, Bucket=BUCKET, Tagging={"TagSet": []}) == ("AccessDenied", 403)
    administrator = region.as_user("s3", json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
    for call in (administrator.get_bucket_policy, administrator.delete_bucket_policy):
        assert refused(call, Bucket=BUCKET) == ("AccessDenied", 403)
    assert json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]) == json.loads(policy)
    s3.delete_bucket_policy(Bucket=BUCKET)
    s3.delete_bucket(Bucket=BUCKET)


def test_a_bucket_that_demands_tls_is_of_use_to_this_machine(s3: Any) -> None:
    """What CDK's `enforceSSL` writes: the region's endpoint has no TLS, and loopback needs none."""

    def demand(secure: str) -> None:
        condition = {"Bool": {"aws:SecureTransport": secure}}
        closed = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/*", "Condition": condition}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [closed]}))

    demand("false")
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    demand("true")
    assert refused(s3.put_object, Bucket=BUCKET, Key="k", Body=b"x") == ("AccessDenied", 403)


def test_a_bucket_made_again_is_refused_but_in_the_first_region(s3: Any) -> None:
    """CreateBucket: "In us-east-1, if you re-create an existing bucket that you already own, Amazon S3 returns 200 OK"; nothing of it changes."""
    here = {"Bucket": BUCKET, "CreateBucketConfiguration": {"LocationConstraint": NAME}}
    assert refused(s3.create_bucket, **here) == ("BucketAlreadyOwnedByYou", 409)
    first = client("s3", region="us-east-1")
    made = first.create_bucket(Bucket="oldest")
    first.put_bucket_tagging(Bucket="oldest", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    again = first.create_bucket(Bucket="oldest")
    assert (again["Location"], again["ResponseMetadata"]["HTTPStatusCode"]) == (made["Location"], 200)
    assert first.get_bucket_tagging(Bucket="oldest")["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert refused(s3.create_bucket, Bucket="oldest") == ("BucketAlreadyOwnedByYou", 409)
    assert refused(first.create_bucket, Bucket=BUCKET) == ("BucketAlreadyOwnedByYou", 409)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("get_bucket_acl", {"Owner": {"ID": OWNER}, "Grants": [{"Grantee": {"ID": OWNER, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]}),
        ("get_bucket_ownership_controls", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}),
        ("get_public_access_block", {"PublicAccessBlockConfiguration": BLOCKED}),
        ("get_bucket_request_payment", {"Payer": "BucketOwner"}),
        ("get_bucket_accelerate_configuration", {}),
        ("get_bucket_logging", {}),
        ("get_bucket_notification_configuration", {}),
        ("get_bucket_versioning", {}),
    ],
)
def test_a_new_bucket_says_what_it_is(s3: Any, question: str, answer: dict[str, Any]) -> None:
    found = getattr(s3, question)(Bucket=BUCKET)
    del found["ResponseMetadata"]
    assert found == answer
    assert refused(getattr(s3, question), Bucket="not-there") == ("NoSuchBucket", 404)


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_policy_status", "NoSuchBucketPolicy"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ],
)
def test_what_a_new_bucket_has_not(s3: Any, question: str, code: str) -> None:
    assert refused(getattr(s3, question), Bucket=BUCKET) == (code, 404)
    assert refused(getattr(s3, question), Bucket="not-there") == ("NoSuchBucket", 404)


def test_acls_stay_off(s3: Any) -> None:
    s3.put_bucket_acl(Bucket=BUCKET, ACL="private")
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    assert refused(s3.put_bucket_acl, Bucket=BUCKET, ACL="public-read") == ("AccessControlListNotSupported", 400)
    assert refused(s3.put_bucket_acl, Bucket=BUCKET, GrantRead="uri=http://acs.amazonaws.com/groups/global/AllUsers") == ("AccessControlListNotSupported", 400)
    wanted = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    assert refused(s3.put_bucket_ownership_controls, Bucket=BUCKET, OwnershipControls=wanted) == ("NotImplemented", 501)


def test_a_public_policy_needs_the_block_lifted(s3: Any) -> None:
    assert refused(s3.put_bucket_policy, Bucket=BUCKET, Policy=PUBLIC) == ("AccessDenied", 403)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={**BLOCKED, "BlockPublicPolicy": False})
    assert s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is False
    s3.put_bucket_policy(Bucket=BUCKET, Policy=PUBLIC)
    assert s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"] == {"IsPublic": True}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=PUBLIC.replace('"Principal":"*"', f'"Principal":{{"AWS":"{ACCOUNT}"}}'))
    assert s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"] == {"IsPublic": False}
    s3.delete_public_access_block(Bucket=BUCKET)
    assert refused(s3.get_public_access_block, Bucket=BUCKET) == ("NoSuchPublicAccessBlockConfiguration", 404)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=PUBLIC)
    s3.delete_bucket_policy(Bucket=BUCKET)
    assert refused(s3.get_bucket_policy, Bucket=BUCKET) == ("NoSuchBucketPolicy", 404)


def test_tags_of_buckets_and_objects_go(s3: Any) -> None:
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "team", "Value": "core"}]})
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "team", "Value": "core"}]
    s3.delete_bucket_tagging(Bucket=BUCKET)
    assert refused(s3.get_bucket_tagging, Bucket=BUCKET) == ("NoSuchTagSet", 404)
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"body", Tagging="old=1")
    s3.put_object_tagging(Bucket=BUCKET, Key="k", Tagging={"TagSet": [{"Key": "new", "Value": "2"}]})
    assert s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"] == [{"Key": "new", "Value": "2"}]
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    assert refused(s3.put_object_tagging, Bucket=BUCKET, Key="k", Tagging=twice) == ("InvalidTag", 400)
    s3.delete_object_tagging(Bucket=BUCKET, Key="k")
    assert s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"] == []
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"body"
    assert refused(s3.put_object_tagging, Bucket=BUCKET, Key="no", Tagging=twice) == ("NoSuchKey", 404)


def test_each_object_is_its_only_version(s3: Any) -> None:
    for key in ("a", "b/1", "b/2", "c"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 3}))
    found = [one for page in pages for one in page["Versions"]]
    assert [(one["Key"], one["VersionId"], one["IsLatest"], one["Size"]) for one in found] == [
        ("a", "null", True, 1), ("b/1", "null", True, 3), ("b/2", "null", True, 3), ("c", "null", True, 1),
    ]  # fmt: skip
    assert [page["IsTruncated"] for page in pages] == [True, False]
    rolled = s3.list_object_versions(Bucket=BUCKET, Delimiter="/")
    assert ([one["Key"] for one in rolled["Versions"]], [one["Prefix"] for one in rolled["CommonPrefixes"]]) == (["a", "c"], ["b/"])


def test_parts_are_copied_from_objects(s3: Any) -> None:
    body = bytes(range(256)) * (6 << 12)  # 6 MiB
    s3.put_object(Bucket=BUCKET, Key="source", Body=body)
    part = {"Bucket": BUCKET, "Key": "joined", "UploadId": s3.create_multipart_upload(Bucket=BUCKET, Key="joined")["UploadId"]}
    source = {"Bucket": BUCKET, "Key": "source"}
    for beyond in (f"bytes=0-{len(body)}", "bytes=5-4", "bytes=7-", "0-5x"):
        assert refused(s3.upload_part_copy, **part, PartNumber=2, CopySource=source, CopySourceRange=beyond) == ("InvalidArgument", 400)
    tags = [
        s3.upload_part_copy(**part, PartNumber=1, CopySource=source)["CopyPartResult"]["ETag"],
        s3.upload_part_copy(**part, PartNumber=2, CopySource=source, CopySourceRange="bytes=10-19")["CopyPartResult"]["ETag"],
    ]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=BUCKET, Key="joined")["Body"].read() == body + body[10:20]


def test_uploads_are_listed_until_they_are_aborted(s3: Any) -> None:
    keys = ["one", "two", "two", "three/x"]
    uploads = sorted((key, s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]) for key in keys)
    pages = list(s3.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 1}))
    assert [(one["Key"], one["UploadId"]) for page in pages for one in page["Uploads"]] == uploads
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket=BUCKET, Prefix="three")["Uploads"]] == ["three/x"]
    for key, upload in uploads:
        s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"x")
        s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
        assert refused(s3.upload_part, Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=2, Body=b"x") == ("NoSuchUpload", 404)
        assert refused(s3.abort_multipart_upload, Bucket=BUCKET, Key=key, UploadId=upload) == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)
