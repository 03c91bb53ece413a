"""The certificate list of HTTPS listeners ("SSL certificates for your Application Load Balancer"): further ones, for clients that ask for their names."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import find, text, tls
from latticewall.services.elbv2.account import LIMITS
from latticewall.services.elbv2.nouns import LISTENER

FURTHER = "FurtherCertificates"
"""The role of the listener's references to them."""


def add_listener_certificates(ctx: Context, params: Document) -> Document:
    """AddListenerCertificates: one that is in the list already stays there once."""
    listener = find.by_arn(ctx, LISTENER, params["ListenerArn"])
    arn = _one(params)
    if listener.document["Protocol"] != "HTTPS":
        raise text.configuration("Certificates are for HTTPS listeners only")
    tls.check_certificate(ctx, arn)
    listed = listener.document.get("_certificates") or []
    if arn not in listed:
        most = LIMITS["certificates-per-application-load-balancer"]
        if sum(len(other.document.get("_certificates") or ()) for other in ctx.live(LISTENER, parent=listener.parent)) >= most:
            raise text.too_many("TooManyCertificates", f"The limit of {most} certificates per load balancer has been reached; default ones do not count")
        listener = ctx.change(listener, {"_certificates": [*listed, arn]})
        ctx.refer(listener, FURTHER, arn)
    return {"Certificates": _shown(listener)}


def remove_listener_certificates(ctx: Context, params: Document) -> Document:
    """RemoveListenerCertificates: one that is not in the list does not matter; the default certificate is replaced only."""
    listener = find.by_arn(ctx, LISTENER, params["ListenerArn"])
    arn = _one(params)
    listed = listener.document.get("_certificates") or []
    if arn in listed:
        _list(ctx, listener, [one for one in listed if one != arn])
    elif any(item["CertificateArn"] == arn for item in listener.document.get("Certificates") or ()):
        raise text.refused("OperationNotPermitted", f"The default certificate '{arn}' of a listener cannot be removed; ModifyListener replaces it")
    return {}


def forget(ctx: Context, listener: Row) -> Row:
    """A listener that is not HTTPS any more has none."""
    return _list(ctx, listener, []) if listener.document.get("_certificates") else listener


def _list(ctx: Context, listener: Row, arns: list[str]) -> Row:
    listener = ctx.change(listener, {"_certificates": arns or None})
    ctx.forget(listener, FURTHER)
    for arn in arns:
        ctx.refer(listener, FURTHER, arn)
    return listener


def _one(params: Document) -> str:
    given = params["Certificates"]
    if len(given) != 1 or not given[0].get("CertificateArn"):
        raise text.invalid("Certificates", "Exactly one certificate must be specified")
    if given[0].get("IsDefault") is not None:
        raise text.invalid("Certificates", "IsDefault cannot be specified")
    return str(given[0]["CertificateArn"])


def _shown(listener: Row) -> list[Document]:
    return [{"CertificateArn": arn, "IsDefault": False} for arn in listener.document.get("_certificates") or ()]


def describe_listener_certificates(ctx: Context, params: Document) -> Document:
    """DescribeListenerCertificates: the default one, and the list; what is both is there twice."""
    listener = find.by_arn(ctx, LISTENER, params["ListenerArn"])
    return {"Certificates": [*({**item, "IsDefault": True} for item in listener.document.get("Certificates") or ()), *_shown(listener)]}


OPERATIONS = {
    "AddListenerCertificates": add_listener_certificates,
    "RemoveListenerCertificates": remove_listener_certificates,
    "DescribeListenerCertificates": describe_listener_certificates,
}
