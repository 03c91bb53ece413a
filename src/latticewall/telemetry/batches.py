"""From records to the files that land in a bucket: names and contents. Pure: the same batch gives the same file, however often it is made.

Pages: "Access logs for VPC Lattice" (keys of files in S3), "Configure Amazon S3 object name format", "Custom prefixes for Amazon S3 objects".
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

JAVA = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_EXPRESSION = re.compile(r"!\{(timestamp|firehose):([^}]*)\}")
_LETTERS = re.compile(r"'([^']*)'|yyyy|MM|dd|HH|mm|ss")


@dataclass(frozen=True)
class File:
    """What is put: bucket, key, bytes, and headers as PutObject's members."""

    bucket: str
    key: str
    content: bytes
    members: Mapping[str, str]


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def access_log_file(about: Mapping[str, Any], batch: str, records: Sequence[tuple[int, bytes]]) -> File:
    """VPC Lattice's file of a batch: compressed, one JSON object on each line. about: Bucket, Prefix, Account, Region, ResourceId, Resource (whether it is
    about resource configurations)."""
    at = moment(records[0][0])
    word = "Resource" if about["Resource"] else ""
    account, region, resource = about["Account"], about["Region"], about["ResourceId"]
    name = f"{account}_VpcLattice{word}AccessLogs_{region}_{resource}_{at:%Y%m%dT%H%M}Z_{batch}.json.gz"
    folder = f"AWSLogs/{account}/VpcLattice/{word}AccessLogs/{region}/{at:%Y/%m/%d}/{resource}/"
    prefix = f"{str(about['Prefix']).strip('/')}/" if about["Prefix"] else ""
    content = gzip.compress(b"".join(line + b"\n" for _, line in records), mtime=0)
    return File(about["Bucket"], prefix + folder + name, content, {"ContentType": "application/json", "ContentEncoding": "gzip"})


def stream_file(about: Mapping[str, Any], batch: str, records: Sequence[tuple[int, bytes]]) -> File:
    """Firehose's file of a batch: the records one after another, as they came. about: a stream's destination, with Name and Version."""
    at = moment(records[0][0])
    content = b"".join(record for _, record in records)
    zipped = about["CompressionFormat"] == "GZIP"
    extension = about.get("FileExtension") or (".gz" if zipped else "")
    name = f"{about['Name']}-{about['Version']}-{at:%Y-%m-%d-%H-%M-%S}-{batch}{extension}"
    members = {"ContentType": "application/octet-stream", **({"ContentEncoding": "gzip"} if zipped else {})}
    key = prefix(str(about.get("Prefix") or ""), at, batch) + name
    return File(str(about["BucketARN"]).rpartition(":")[2], key, gzip.compress(content, mtime=0) if zipped else content, members)


def prefix(template: str, at: datetime, random: str) -> str:
    """What stands before a file's name: with expressions exactly what they say, else the hour is added."""
    if not _EXPRESSION.search(template):
        return f"{template}{at:%Y/%m/%d/%H/}"

    def value(found: re.Match[str]) -> str:
        if found[1] == "firehose":
            return random[:11]
        return _LETTERS.sub(lambda letters: letters[1] if letters[1] is not None else at.strftime(JAVA[letters[0]]), found[2])

    return _EXPRESSION.sub(value, template)
