"""ACM's one kind. A certificate's id is a UUID; it is in use by whatever refers to it."""

from __future__ import annotations

from datetime import datetime

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Kind

CERTIFICATE = "acm:Certificate"
HOSTED_ZONE = "route53:HostedZone"


def shown(ctx: Context, row: Row) -> Document:
    """What follows from who uses it, and from the time."""
    document = row.document
    expired = document["Status"] == "ISSUED" and datetime.fromisoformat(document["NotAfter"]) < ctx.now_datetime
    return {
        "InUseBy": sorted(user.arn for user in ctx.referring(row)), "CreatedAt": row.created_at,
        "Status": "EXPIRED" if expired else document["Status"], "RenewalEligibility": "INELIGIBLE",
    }  # fmt: skip


KINDS = (
    Kind(
        CERTIFICATE, arn="arn:aws:acm:{region}:{account}:certificate/{id}", arn_member="CertificateArn", view=shown,
        not_found_text="Could not find certificate {id}.",
    ),
)  # fmt: skip
