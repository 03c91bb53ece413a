"""The TLS of HTTPS listeners ("HTTPS listeners for your Application Load Balancer"): a certificate of ACM and a security policy."""

from __future__ import annotations

from latticewall.base.faults import NotFound
from latticewall.base.rows import Row
from latticewall.base.ssl_policies import DEFAULT, POLICIES, SUITES_OF_1_3
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import text

MEMBERS = ("SslPolicy", "Certificates", "AlpnPolicy")


def read(ctx: Context, params: Document, protocol: str, current: Document) -> Document:
    """The members of a listener that say how it speaks TLS. current: of the listener as it is. A listener that is not HTTPS has none of them."""
    if (params.get("MutualAuthentication") or {}).get("Mode", "off") != "off":
        raise text.unsupported("MutualAuthentication", "Mutual authentication is not supported yet")
    if params.get("AlpnPolicy"):
        raise text.configuration("AlpnPolicy is for Network Load Balancers only")
    if protocol != "HTTPS":
        for member in MEMBERS:
            if params.get(member):
                raise text.configuration(f"{member} is for HTTPS listeners only")
        return {"SslPolicy": None, "Certificates": None}
    policy = params.get("SslPolicy") or current.get("SslPolicy") or DEFAULT
    if policy not in POLICIES:
        raise text.refused("SSLPolicyNotFound", f"SSL policy '{policy}' is not found; there are {', '.join(POLICIES)}")
    certificates = params.get("Certificates") or current.get("Certificates") or []
    if len(certificates) != 1:
        raise text.invalid("Certificates", "An HTTPS listener must have exactly one certificate")
    arn = str(certificates[0].get("CertificateArn") or "")
    check_certificate(ctx, arn)
    return {"SslPolicy": policy, "Certificates": [{"CertificateArn": arn}]}


def check_certificate(ctx: Context, arn: str) -> None:
    """Whether listeners can show it. Raises CertificateNotFound or UnsupportedCertificate."""
    try:
        found = ctx.call("acm:DescribeCertificate", {"CertificateArn": arn})["Certificate"]
    except NotFound as fault:
        raise text.refused("CertificateNotFound", f"Certificate '{arn}' not found") from fault
    if found["Status"] != "ISSUED":
        raise text.refused("UnsupportedCertificate", f"Certificate '{arn}' cannot be used: its status is {found['Status']}")


def refer(ctx: Context, listener: Row) -> None:
    """The listener uses its certificate, and no other."""
    ctx.forget(listener, "Certificates")
    for certificate in listener.document.get("Certificates") or ():
        ctx.refer(listener, "Certificates", certificate["CertificateArn"])


def describe_ssl_policies(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of a handler
    """DescribeSSLPolicies."""
    names = params.get("Names") or POLICIES
    for name in names:
        if name not in POLICIES:
            raise text.refused("SSLPolicyNotFound", f"SSL policy '{name}' is not found")
    return {"SslPolicies": [_shown(name) for name in names]}


def _shown(name: str) -> Document:
    policy = POLICIES[name]
    suites = (*(SUITES_OF_1_3 if "TLSv1.3" in policy.versions else ()), *policy.suites)
    ciphers = [{"Name": suite, "Priority": at} for at, suite in enumerate(suites, 1)]
    return {"Name": name, "SslProtocols": list(policy.versions), "Ciphers": ciphers, "SupportedLoadBalancerTypes": ["application"]}


OPERATIONS = {"DescribeSSLPolicies": describe_ssl_policies}
