"""AWS Certificate Manager: server certificates, imported or signed by the region's own authority ("AWS Certificate Manager User Guide").

Lives here: certificates, their checks, their validation by DNS. The authority comes in as the port `certificate_authority`. Private keys are kept in a
private member of the row: no operation shows one. Not there: export, private CAs, ACME endpoints, validation by e-mail and HTTP, managed renewal; each is
refused by name.
"""

from __future__ import annotations

from latticewall.resources.kind import Service
from latticewall.services.acm import certificates, importing, requesting
from latticewall.services.acm.kinds import KINDS

SERVICE = Service("acm", KINDS, {**importing.OPERATIONS, **requesting.OPERATIONS, **certificates.OPERATIONS}, settled=requesting.issue_pending)

__all__ = ["SERVICE"]
