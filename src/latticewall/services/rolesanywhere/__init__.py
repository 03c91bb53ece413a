"""IAM Roles Anywhere: roles for workloads outside, known by X.509 certificates ("IAM Roles Anywhere User Guide" and "API Reference").

Trust anchors are bundles of CA certificates; AWS Private CA, aliases, notifications and CRL distribution points are refused. `CreateSession` is signed
with the certificate's key, which `faces.http` checks; whether the certificate is trusted is decided here.
"""

from __future__ import annotations

from latticewall.resources.kind import Service
from latticewall.services.rolesanywhere import create_session, crls, profiles, shared, subjects, trust_anchors
from latticewall.services.rolesanywhere.kinds import KINDS

SERVICE = Service(
    "rolesanywhere", KINDS,
    {**trust_anchors.OPERATIONS, **profiles.OPERATIONS, **crls.OPERATIONS, **subjects.OPERATIONS, **shared.OPERATIONS, **create_session.OPERATIONS},
)  # fmt: skip
