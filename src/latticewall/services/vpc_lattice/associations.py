"""What belongs to a service network: services, VPCs, resources ("Manage the associations for a VPC Lattice service network")."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources import tags, verbs
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import dns, quotas, sharing, text
from latticewall.services.vpc_lattice.find import relink, security_groups_in, usable, vpc_of
from latticewall.services.vpc_lattice.nouns import (
    RESOURCE_ASSOCIATION,
    RESOURCE_CONFIGURATION,
    SERVICE,
    SERVICE_ASSOCIATION,
    SERVICE_NETWORK,
    VPC_ASSOCIATION,
)
from latticewall.services.vpc_lattice.service_network import is_shareable

RESOURCE_ADDRESSES = IPv4Network("129.224.0.0/17")
FIRST_ADDRESS = 10
"""Offset of the first address given to a resource, above those that a network usually keeps for itself."""
NEEDS_DOMAINS = ("VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS", "SPECIFIED_DOMAINS_ONLY")


OF_CHILD = "group"
"""The role in which the association of a child of a GROUP refers to the group's."""


def refuse_in_progress(ctx: Context, row: Row) -> None:  # noqa: ARG001 - the signature of a kind's hook
    """An association is deleted only when its creation or update is over."""
    if row.status in ("creating", "updating"):
        raise text.in_progress(row.kind, row.id, row.status)


def _refuse_pair(ctx: Context, network: Row, kind: str, other: Row) -> None:
    """Refused when `other` is associated with the network already, in whatever status. Children of groups do not count."""
    for row in ctx.referring(other, kind):
        if row.document["serviceNetworkId"] == network.id and not is_of_child(row):
            status = text.STATUS[row.status]
            raise text.conflict(kind, row.id, f"{other.id} is already associated with {network.id}: association {row.id} is in status {status}")
    quotas.check(ctx, kind, ctx.count_referring(network, kind, OF_CHILD if kind == RESOURCE_ASSOCIATION else "") + 1, network.id)


# -- services ----------------------------------------------------------------------------------------------------------------------------------


def create_service_association(ctx: Context, params: Document) -> Document:
    """CreateServiceNetworkServiceAssociation; a custom domain can be in a service network only once."""
    network = usable(ctx, SERVICE_NETWORK, params["serviceNetworkIdentifier"], sharing.shared)
    service = usable(ctx, SERVICE, params["serviceIdentifier"], sharing.shared)
    _refuse_pair(ctx, network, SERVICE_ASSOCIATION, service)
    custom = service.document.get("customDomainName")
    if custom and any(row.document.get("customDomainName", "").lower() == custom.lower() for row in ctx.referring(network, SERVICE_ASSOCIATION)):
        raise text.conflict(SERVICE, service.id, f"A service with the custom domain name {custom} already exists in service network {network.id}")
    document = {
        "serviceId": service.id, "serviceNetworkId": network.id, "createdBy": ctx.caller.account, "dnsEntry": service.document["dnsEntry"],
        **sharing.sides(ctx, network, service),
    }  # fmt: skip
    if custom:
        document["customDomainName"] = custom
    refs = {"serviceNetworkIdentifier": network, "serviceIdentifier": service}
    return ctx.view(ctx.create(SERVICE_ASSOCIATION, document, tags=tags.read(params.get("tags")), refs=refs))


# -- VPCs --------------------------------------------------------------------------------------------------------------------------------------


def create_vpc_association(ctx: Context, params: Document) -> Document:
    """CreateServiceNetworkVpcAssociation: a VPC is in one service network. Without security groups all of the VPC may use the network."""
    network = usable(ctx, SERVICE_NETWORK, params["serviceNetworkIdentifier"], sharing.shared)
    vpc = vpc_of(ctx, params["vpcIdentifier"])
    if existing := ctx.referring(vpc, VPC_ASSOCIATION):
        raise text.conflict(VPC_ASSOCIATION, existing[0].id, f"{text.VPC_TAKEN} Association {existing[0].id}: {text.STATUS[existing[0].status]}")
    quotas.check(ctx, VPC_ASSOCIATION, ctx.count_referring(network, VPC_ASSOCIATION) + 1, network.id)
    groups = security_groups_in(ctx, vpc, params.get("securityGroupIds") or ())
    document: Document = {"serviceNetworkId": network.id, "vpcId": vpc.id, "createdBy": ctx.caller.account, **_dns_members(params, {})}
    document |= sharing.sides(ctx, network, vpc)
    if groups:
        document["securityGroupIds"] = groups
    refs = {"serviceNetworkIdentifier": network, "vpcIdentifier": vpc}
    row = ctx.create(VPC_ASSOCIATION, document, tags=tags.read(params.get("tags")), refs=refs)
    relink(ctx, row, "securityGroupIds", groups)
    return ctx.view(row)


def update_vpc_association(ctx: Context, params: Document) -> Document:
    """UpdateServiceNetworkVpcAssociation, by the account that made it. Security groups can be replaced or added, never all taken away."""
    row = usable(ctx, VPC_ASSOCIATION, params["serviceNetworkVpcAssociationIdentifier"], sharing.own_association)
    if row.account != ctx.caller.account:
        raise text.denied(ctx.caller.arn, ctx.operation, sharing.local_arn(ctx, row))
    if row.status in ("creating", "updating"):
        raise text.in_progress(row.kind, row.id, row.status)
    changes = _dns_members(params, row.document)
    if params.get("securityGroupIds") is not None:
        if not params["securityGroupIds"]:
            raise text.invalid("securityGroupIds", "An association keeps at least one security group")
        changes["securityGroupIds"] = security_groups_in(ctx, vpc_of(ctx, row.document["vpcId"]), params["securityGroupIds"])
        relink(ctx, row, "securityGroupIds", changes["securityGroupIds"])
    return ctx.view(ctx.change(row, changes, settle=True))


def _dns_members(params: Document, present: Document) -> dict[str, Any]:
    """privateDnsEnabled and dnsOptions, where given. present: the association so far."""
    options, enabled = params.get("dnsOptions") or {}, params.get("privateDnsEnabled")
    if options and not (present.get("privateDnsEnabled") if enabled is None else enabled):
        raise text.invalid("dnsOptions", "dnsOptions are supported only when privateDnsEnabled is true")
    needs = options.get("privateDnsPreference") in NEEDS_DOMAINS
    if needs != bool(options.get("privateDnsSpecifiedDomains")):
        word = "needed" if needs else "allowed only"
        raise text.invalid("dnsOptions.privateDnsSpecifiedDomains", f"Specified domains are {word} with the preferences {', '.join(NEEDS_DOMAINS)}")
    for name in options.get("privateDnsSpecifiedDomains") or ():
        dns.check_name("dnsOptions.privateDnsSpecifiedDomains", name, wildcard=True)
    return {member: params[member] for member in ("privateDnsEnabled", "dnsOptions") if params.get(member) is not None}


# -- resources ---------------------------------------------------------------------------------------------------------------------------------


def create_resource_association(ctx: Context, params: Document) -> Document:
    """CreateServiceNetworkResourceAssociation: the resource gets an address that is its own within the service network. A GROUP brings its children,
    each with an association of its own, which comes and goes with the group's or the child."""
    network = usable(ctx, SERVICE_NETWORK, params["serviceNetworkIdentifier"], sharing.shared)
    configuration = usable(ctx, RESOURCE_CONFIGURATION, params["resourceConfigurationIdentifier"], sharing.shared)
    _refuse_pair(ctx, network, RESOURCE_ASSOCIATION, configuration)
    if configuration.document["type"] == "CHILD":
        group = configuration.document["resourceConfigurationGroupId"]
        message = f"Resource configuration {configuration.id} is of type CHILD: it is associated with its group, {group}"
        raise text.invalid("resourceConfigurationIdentifier", message)
    if configuration.document["type"] == "CIDR":
        message = f"Resource configuration {configuration.id} is of type CIDR: it is reached through tunnel VPC endpoints, not through a service network"
        raise text.invalid("resourceConfigurationIdentifier", message)
    if is_shareable(ctx, network) and not configuration.document["allowAssociationToShareableServiceNetwork"]:
        message = f"Resource configuration {configuration.id} does not allow association with {network.id}, which is enabled for sharing"
        raise text.invalid("serviceNetworkIdentifier", message)
    private = bool(params.get("privateDnsEnabled")) or configuration.document["type"] == "ARN"  # whose private DNS is always on
    members = {"privateDnsEnabled": private, "createdBy": ctx.caller.account, **sharing.sides(ctx, network, configuration)}
    refs = {"serviceNetworkIdentifier": network, "resourceConfigurationIdentifier": configuration}
    row = _join(ctx, network, configuration, members, refs, tags.read(params.get("tags")))
    if configuration.document["type"] == "GROUP":
        for child in ctx.referring(configuration, RESOURCE_CONFIGURATION, "resourceConfigurationGroupIdentifier"):
            if child.status != "deleting":
                _join_child(ctx, row, network, child)
    return ctx.view(row)


def join_group(ctx: Context, group: Row, child: Row) -> None:
    """A new child of a GROUP is in all service networks that the group is in."""
    for association in ctx.referring(group, RESOURCE_ASSOCIATION, "resourceConfigurationIdentifier"):
        network = ctx.tx.get(SERVICE_NETWORK, association.document["serviceNetworkId"])
        if network is not None and association.status != "deleting":
            _join_child(ctx, association, network, child)


def is_of_child(row: Row) -> bool:
    """Whether an association is one that a group's association has brought."""
    return "_group" in row.document


def _join_child(ctx: Context, group: Row, network: Row, child: Row) -> None:
    members = {member: group.document[member] for member in ("privateDnsEnabled", "createdBy", sharing.SEEN_BY) if member in group.document}
    _join(ctx, network, child, {**members, "_group": group.id}, {"serviceNetworkIdentifier": network, "child": child, OF_CHILD: group})


def _join(ctx: Context, network: Row, configuration: Row, members: Document, refs: dict[str, Row], tagged: dict[str, str] | None = None) -> Row:
    """An association; one that can be connected to (not a GROUP's) has an address and a name."""
    identifier = ctx.new_id("snra-")
    document: Document = {"serviceNetworkId": network.id, "resourceConfigurationId": configuration.id, "isManagedAssociation": False, **members}
    if configuration.document["type"] != "GROUP":
        document["dnsEntry"] = dns.resource_entry(ctx.caller.region, identifier, configuration.id)
        document["_address"] = _free_address(ctx.referring(network, RESOURCE_ASSOCIATION))
    domain = configuration.document.get("customDomainName") or configuration.document.get("groupDomain") or configuration.document.get("_domain")
    if domain and document["privateDnsEnabled"]:
        document["privateDnsEntry"] = {"domainName": domain}
    return ctx.create(RESOURCE_ASSOCIATION, document, id=identifier, tags=tagged, refs=refs)


def _free_address(existing: list[Row]) -> str:
    """The lowest address that no resource of the network has; there are far more than there can be resources."""
    taken = {row.document.get("_address") for row in existing}
    candidates = (str(RESOURCE_ADDRESSES[offset]) for offset in range(FIRST_ADDRESS, RESOURCE_ADDRESSES.num_addresses))
    return next(address for address in candidates if address not in taken)


def delete_resource_association(ctx: Context, params: Document) -> Document:
    """DeleteServiceNetworkResourceAssociation: a child's ends with its group's."""
    row = sharing.own_association(ctx, RESOURCE_ASSOCIATION, params["serviceNetworkResourceAssociationIdentifier"])
    if is_of_child(row):
        group = row.document["_group"]
        raise text.conflict(RESOURCE_ASSOCIATION, row.id, f"Association {row.id} is of a child resource configuration: it ends with its group's, {group}")
    return ctx.view(ctx.remove(row) or row)


def list_resource_associations(ctx: Context, params: Document) -> Document:
    """ListServiceNetworkResourceAssociations; includeChildren: those of the children of the groups that are listed too."""
    network, configuration, children = (params.get(member) for member in ("serviceNetworkIdentifier", "resourceConfigurationIdentifier", "includeChildren"))
    without = "" if children else OF_CHILD
    if configuration:
        rows: Sequence[Row] = sharing.joined_to(ctx, RESOURCE_ASSOCIATION, "resourceConfigurationIdentifier", configuration, without)
        if children:
            brought = [child for row in rows for child in ctx.referring(row, RESOURCE_ASSOCIATION, OF_CHILD)]
            rows = sorted([*rows, *brought], key=lambda row: (row.created_at, row.id))
        rows = verbs.chosen(rows, {"serviceNetworkId": network} if network else {})
    elif network:
        rows = sharing.joined_to(ctx, RESOURCE_ASSOCIATION, "serviceNetworkIdentifier", network, without)
    else:
        rows = [row for row in sharing.joined(ctx, RESOURCE_ASSOCIATION) if children or not is_of_child(row)]
    return {"items": verbs.Shown(ctx, rows)}
