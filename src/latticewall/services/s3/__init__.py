"""Amazon S3, as much of it as log delivery, deployments and their tools need ("Amazon S3 API Reference").

Buckets are rows; objects have a table of their own, and their bytes are files that only `ctx.ports["objects"]` touches. Versions, ACLs, encryption, lifecycle
rules, replication and anonymous access are not there yet: what would set them answers NotImplemented, what asks for them says that there are none.
"""

from __future__ import annotations

from latticewall.resources.kind import Service
from latticewall.services.s3 import buckets, configuration, listing, objects, uploads
from latticewall.services.s3.kinds import BUCKET, UPLOAD

OPERATIONS = {**buckets.OPERATIONS, **configuration.OPERATIONS, **listing.OPERATIONS, **objects.OPERATIONS, **uploads.OPERATIONS}
SERVICE = Service("s3", (BUCKET, UPLOAD), OPERATIONS)
