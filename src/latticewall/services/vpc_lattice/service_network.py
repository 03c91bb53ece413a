"""Service networks and services ("Service networks in VPC Lattice", "Services in VPC Lattice")."""

from __future__ import annotations

from latticewall.auth.resource_policies import is_shared
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import certificates, dns, quotas, required_tests, text
from latticewall.services.vpc_lattice.certificates import MEMBER as CERTIFICATE_ARN
from latticewall.services.vpc_lattice.find import relink, usable
from latticewall.services.vpc_lattice.nouns import SERVICE, SERVICE_NETWORK


def create_service_network(ctx: Context, params: Document) -> Document:
    """CreateServiceNetwork."""
    quotas.check(ctx, SERVICE_NETWORK, ctx.count(SERVICE_NETWORK) + 1)
    document = {"authType": params.get("authType") or "NONE"}
    if params.get("sharingConfig"):
        document["sharingConfig"] = params["sharingConfig"]
    return ctx.view(ctx.create(SERVICE_NETWORK, document, name=params["name"], tags=tags.read(params.get("tags"))))


def update_service_network(ctx: Context, params: Document) -> Document:
    """UpdateServiceNetwork: the auth type; with NONE a stored policy stays, inactive."""
    row = usable(ctx, SERVICE_NETWORK, params["serviceNetworkIdentifier"])
    if params["authType"] == "NONE" and row.document["authType"] != "NONE":
        required_tests.require(ctx, row, None, "authType")
    return ctx.view(ctx.change(row, {"authType": params["authType"]}))


def refuse_unshareable(row: Row, member: str) -> None:
    """A service network that was made with sharing disabled is never shared. member: of the request, that names the resource."""
    if (row.document.get("sharingConfig") or {}).get("enabled") is False:
        raise text.invalid(member, f"Service network {row.id} is not enabled for sharing")


def is_shareable(ctx: Context, network: Row) -> bool:
    """Whether a service network counts as one that other accounts use: said at its creation, else as soon as it is shared."""
    said: bool | None = (network.document.get("sharingConfig") or {}).get("enabled")
    return is_shared(ctx.tx, network) if said is None else said


def create_service(ctx: Context, params: Document) -> Document:
    """CreateService."""
    domain = params.get("customDomainName") or ""
    if domain:
        dns.check_name("customDomainName", domain)
    quotas.check(ctx, SERVICE, ctx.count(SERVICE) + 1)
    identifier = ctx.new_id("svc-")
    document = {"authType": params.get("authType") or "NONE", "dnsEntry": dns.service_entry(ctx.caller.region, params["name"], identifier)}
    for member in ("customDomainName", "idleTimeoutSeconds"):
        if params.get(member) is not None:
            document[member] = params[member]
    refs = {}
    if params.get(CERTIFICATE_ARN):
        document[CERTIFICATE_ARN] = refs[CERTIFICATE_ARN] = certificates.check(ctx, params[CERTIFICATE_ARN], domain)
    return ctx.view(ctx.create(SERVICE, document, id=identifier, name=params["name"], tags=tags.read(params.get("tags")), refs=refs))


def update_service(ctx: Context, params: Document) -> Document:
    """UpdateService; an empty certificateArn takes the certificate away."""
    row = usable(ctx, SERVICE, params["serviceIdentifier"])
    changes = {member: params[member] for member in ("authType", "idleTimeoutSeconds") if params.get(member) is not None}
    if (arn := params.get(CERTIFICATE_ARN)) is not None:
        changes[CERTIFICATE_ARN] = certificates.check(ctx, arn, row.document.get("customDomainName") or "") if arn else None
        relink(ctx, row, CERTIFICATE_ARN, [arn] if arn else [])
    return ctx.view(ctx.change(row, changes))
