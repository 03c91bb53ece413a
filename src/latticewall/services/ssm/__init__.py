"""Systems Manager Parameter Store: the public parameters that name machine images, and parameters of one's own ("Parameter Store").

SecureString is refused: there is no KMS here.
"""

from __future__ import annotations

from latticewall.resources.kind import Kind, Service
from latticewall.services.ssm.semantics import OPERATIONS

PARAMETER = Kind(
    "ssm:Parameter", arn_member="ARN", arn="arn:aws:ssm:{region}:{account}:parameter{name}", name_member="Name", unique="region", by_name=True
)
SERVICE = Service("ssm", (PARAMETER,), OPERATIONS)
