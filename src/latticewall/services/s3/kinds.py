"""Buckets, and uploads in several parts."""

from __future__ import annotations

from latticewall.resources.kind import Kind

BUCKET = Kind("s3:Bucket", name_member="Name", arn="arn:aws:s3:::{name}", by_name=True, owns=("s3:Upload",), not_found="NoSuchBucket")
"""Its id is its name: there is only one bucket of a name, whoever owns it."""
UPLOAD = Kind("s3:Upload")
"""parent: its bucket. name: the key."""
