"""Listeners ("Listeners for your Application Load Balancers"): a port, and a default rule."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import actions, certificates, find, rules, text, tls, versions
from latticewall.services.elbv2.account import LIMITS
from latticewall.services.elbv2.attributes import LISTENER_DEFAULTS
from latticewall.services.elbv2.nouns import LISTENER, LOAD_BALANCER, RULE

PROTOCOLS = ("HTTP", "HTTPS")


def create_listener(ctx: Context, params: Document) -> Document:
    """CreateListener."""
    balancer = find.by_arn(ctx, LOAD_BALANCER, params["LoadBalancerArn"])
    protocol, port = params.get("Protocol"), params.get("Port")
    if not protocol or not port:
        raise text.invalid("Protocol" if not protocol else "Port", "A listener must have a protocol and a port")
    secured = tls.read(ctx, params, _protocol(protocol), {})
    present = ctx.live(LISTENER, parent=balancer.id)
    if len(present) >= LIMITS["listeners-per-application-load-balancer"]:
        raise text.too_many("TooManyListeners", f"The limit of {len(present)} listeners per load balancer has been reached")
    _check_free(ctx, balancer, port)
    done = actions.read(ctx, balancer, params["DefaultActions"])
    versions.check(protocol, done.groups)
    document: Document = {"Protocol": protocol, "Port": port, "_attributes": dict(LISTENER_DEFAULTS)}
    document |= {member: value for member, value in secured.items() if value}
    identifier = f"{balancer.id}/{ctx.new_id(digits=16)}"
    row = ctx.create(LISTENER, document, id=identifier, parent=balancer.id, tags=tags.read(params.get("Tags")))
    tls.refer(ctx, row)
    rules.put(ctx, row, done)
    return {"Listeners": [ctx.view(row)]}


def _protocol(given: str) -> str:
    if given not in PROTOCOLS:
        raise text.refused("UnsupportedProtocol", f"Protocol {given} is not supported by Application Load Balancers")
    return given


def _check_free(ctx: Context, balancer: Row, port: int, own: str = "") -> None:
    if any(row.document["Port"] == port and row.id != own for row in ctx.live(LISTENER, parent=balancer.id)):
        raise text.refused("DuplicateListener", f"A listener already exists on this port for this load balancer '{balancer.arn}'")


def modify_listener(ctx: Context, params: Document) -> Document:
    """ModifyListener: what is not given stays."""
    row = find.by_arn(ctx, LISTENER, params["ListenerArn"])
    balancer = find.owner_of(ctx, row)
    protocol = _protocol(params.get("Protocol") or row.document["Protocol"])
    port = params.get("Port") or row.document["Port"]
    secured = tls.read(ctx, params, protocol, row.document)
    _check_free(ctx, balancer, port, row.id)
    row = ctx.change(row, {"Protocol": protocol, "Port": port, **secured})
    tls.refer(ctx, row)
    if protocol != "HTTPS":
        row = certificates.forget(ctx, row)
    if params.get("DefaultActions"):
        rules.act(ctx, rules.default_of(ctx, row), actions.read(ctx, balancer, params["DefaultActions"]))
    versions.check(protocol, (group for rule in ctx.live(RULE, parent=row.id) for group in ctx.referred(rule, "TargetGroups")))
    return {"Listeners": [ctx.view(row)]}


def delete_listener(ctx: Context, params: Document) -> Document:
    """DeleteListener, with its rules."""
    ctx.remove(find.by_arn(ctx, LISTENER, params["ListenerArn"]))
    return {}


def _chosen(ctx: Context, params: Document) -> list[Row]:
    if bool(params.get("LoadBalancerArn")) == bool(params.get("ListenerArns")):
        raise text.invalid("LoadBalancerArn", "You must specify either listener ARNs or a load balancer ARN")
    if params.get("ListenerArns"):
        return [find.by_arn(ctx, LISTENER, arn) for arn in params["ListenerArns"]]
    return ctx.live(LISTENER, parent=find.by_arn(ctx, LOAD_BALANCER, params["LoadBalancerArn"]).id)


OPERATIONS = {
    "CreateListener": create_listener,
    "DescribeListeners": find.described("Listeners", _chosen),
    "ModifyListener": modify_listener,
    "DeleteListener": delete_listener,
}
