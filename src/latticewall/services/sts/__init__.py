"""AWS Security Token Service: who am I, and becoming a role ("STS API Reference").

Web identity, SAML and federation tokens are not there yet. The account's root may assume roles here, which AWS refuses: it is the one
identity a fresh region has.
"""

from __future__ import annotations

from latticewall.resources.kind import Kind, Service
from latticewall.services.sts.semantics import OPERATIONS

SESSION = Kind("sts:Session", id_prefix="ASIA", is_global=True)
SERVICE = Service("sts", (SESSION,), OPERATIONS)
