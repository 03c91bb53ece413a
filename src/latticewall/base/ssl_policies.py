"""Security policies of load balancers' HTTPS listeners ("Security policies for your Application Load Balancer"): versions of TLS and suites.

Suites that the proxy's TLS library no longer has (CBC with SHA-256 and SHA-384) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SslPolicy(NamedTuple):
    """versions: from the lowest to the highest. suites: of TLS 1.2 and before, in the server's order; those of TLS 1.3 are always its three."""

    versions: tuple[str, ...]
    suites: tuple[str, ...]


_FORWARD_SECRET = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
)  # fmt: skip
_OLD = (
    "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA", "AES128-GCM-SHA256", "AES128-SHA",
    "AES256-GCM-SHA384", "AES256-SHA",
)  # fmt: skip
SUITES_OF_1_3 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
DEFAULT = "ELBSecurityPolicy-2016-08"
POLICIES: Mapping[str, SslPolicy] = {
    DEFAULT: SslPolicy(("TLSv1", "TLSv1.1", "TLSv1.2"), (*_FORWARD_SECRET, *_OLD)),
    "ELBSecurityPolicy-TLS13-1-2-2021-06": SslPolicy(("TLSv1.2", "TLSv1.3"), _FORWARD_SECRET),
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06": SslPolicy(("TLSv1.2", "TLSv1.3"), _FORWARD_SECRET),
    "ELBSecurityPolicy-TLS13-1-3-2021-06": SslPolicy(("TLSv1.3",), ()),
}
