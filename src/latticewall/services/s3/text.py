"""S3's refusals ("Error responses")."""

from __future__ import annotations

from latticewall.base.faults import Conflict, Fault, Invalid, NotFound, Unsupported


def no_bucket(name: str) -> NotFound:
    return NotFound("The specified bucket does not exist", code="NoSuchBucket", kind="s3:Bucket", id=name, members={"BucketName": name})


def no_key(key: str) -> NotFound:
    return NotFound("The specified key does not exist.", code="NoSuchKey", kind="s3:Object", id=key, members={"Key": key})


def no_upload(upload: str) -> NotFound:
    message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    return NotFound(message, code="NoSuchUpload", kind="s3:Upload", id=upload)


def absent(code: str, message: str) -> NotFound:
    """A configuration that the bucket does not have."""
    return NotFound(message, code=code)


def invalid(message: str, code: str = "InvalidArgument") -> Invalid:
    return Invalid(message, code=code)


def conflict(message: str, code: str) -> Conflict:
    return Conflict(message, code=code)


def precondition_failed(header: str) -> Fault:
    return Conflict("At least one of the pre-conditions you specified did not hold", code="PreconditionFailed", members={"Condition": header})


def unsupported(what: str) -> Unsupported:
    return Unsupported(f"{what} is not supported by latticewall", code="NotImplemented")
