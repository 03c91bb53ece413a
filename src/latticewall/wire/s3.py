"""What S3's wire has of its own: the names of its root elements, and where its errors differ from the other XML services'.

Pages: Amazon S3 API Reference, the response syntax of each operation; "Error responses"; "Virtual hosting of general purpose buckets".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from latticewall.wire import xml_body
from latticewall.wire.message import HttpRequest

ROOTS: Mapping[str, str] = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketLocation": "LocationConstraint",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}
"""Root elements of answers, where the model has only the name of a shape."""
_HOSTED = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]*?)\.(?:s3(?:[.-][a-z0-9.-]+)?|(?:[a-z0-9.-]+\.)?localhost)(?::\d+)?\Z")
_REGIONAL = re.compile(r"s3(?:[.-][a-z0-9.-]+)?(?::\d+)?\Z")


def location(namespace: str, region: str | None) -> bytes:
    """GetBucketLocation's answer is one element with the region as its text."""
    return xml_body.document(xml_body.element("LocationConstraint", xml_body.escape(region or ""), namespace))


def error(code: str, message: str, request_id: str, further: Mapping[str, Any]) -> bytes:
    """An error is the root itself, without envelope."""
    known = "".join(xml_body.text_element(name, str(value)) for name, value in further.items())
    content = xml_body.text_element("Code", code) + xml_body.text_element("Message", message) + known + xml_body.text_element("RequestId", request_id)
    return xml_body.document(xml_body.element("Error", content))


def path_style(request: HttpRequest) -> HttpRequest:
    """The request with its bucket in the path, wherever the client put it: `bucket.s3.eu-west-1.example`, `bucket.localhost` or in the path already."""
    host = request.header("host").lower()
    found = None if _REGIONAL.match(host) else _HOSTED.match(host)
    return replace(request, raw_path=f"/{found['bucket']}/{request.raw_path.removeprefix('/')}") if found else request
