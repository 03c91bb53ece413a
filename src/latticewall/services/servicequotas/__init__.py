"""Service Quotas: the quotas of VPC Lattice, shown and raised ("What is Service Quotas?", "Requesting a quota increase").

A request for an adjustable quota is approved at once: there is nobody who would look at it. What it is from then on, the service keeps to.
"""

from __future__ import annotations

from latticewall.base.lattice_quotas import RAISED
from latticewall.resources.kind import Kind, Service
from latticewall.services.servicequotas.semantics import OPERATIONS, REQUEST

SERVICE = Service(
    "service-quotas",
    (
        Kind(RAISED, arn="arn:aws:servicequotas:{region}:{account}:{name}", unique="region", by_name=True),
        Kind(REQUEST, id_member="Id"),
    ),
    OPERATIONS,
)

__all__ = ["SERVICE"]
