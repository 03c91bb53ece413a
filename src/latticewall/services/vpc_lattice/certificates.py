"""The certificate of a service's custom domain name ("Bring your own certificate for VPC Lattice").

ACM's, of the service's own account and Region, issued, with a key of 2,048 bits RSA, and for the name: by its subject alternative names, where a wildcard
stands for one label, or by its common name if it has none.
"""

from __future__ import annotations

from latticewall.base.faults import Fault
from latticewall.resources.context import Context
from latticewall.services.vpc_lattice import text

MEMBER = "certificateArn"
KEY_ALGORITHM = "RSA_2048"


def check(ctx: Context, arn: str, domain: str) -> str:
    """The ARN, of a certificate that can be served for the domain. domain: the service's custom one, "" for none. Raises ValidationException."""
    if not domain:
        raise text.invalid(MEMBER, "A certificate is for a custom domain name, which the service does not have")
    try:
        found = ctx.call("acm:DescribeCertificate", {"CertificateArn": arn})["Certificate"]
    except Fault as fault:
        raise text.invalid(MEMBER, f"Certificate {arn} does not exist in account {ctx.caller.account} and Region {ctx.caller.region}") from fault
    if found["Status"] != "ISSUED":
        raise text.invalid(MEMBER, f"Certificate {arn} cannot be used: its status is {found['Status']}")
    if found["KeyAlgorithm"] != KEY_ALGORITHM:
        raise text.invalid(MEMBER, f"Certificate {arn} has a key of type {found['KeyAlgorithm']}; only {KEY_ALGORITHM} is supported")
    if not any(_covers(name, domain.lower()) for name in found.get("SubjectAlternativeNames") or ()):
        raise text.invalid(MEMBER, f"Certificate {arn} is not for the custom domain name {domain}")
    return arn


def _covers(name: str, domain: str) -> bool:
    return name == domain or (name.startswith("*.") and name[2:] == domain.partition(".")[2])
