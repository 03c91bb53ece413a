"""VPC Lattice's rows as the world sees them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import attrgetter
from typing import Any

from latticewall.base.rows import Row
from latticewall.world.from_rows.databases import STOPPED
from latticewall.world.from_rows.rows import Rows, tag_pairs, text
from latticewall.world.types import (
    Instance,
    LatticeRule,
    Listener,
    ResourceAssociation,
    ResourceConfiguration,
    ResourceGateway,
    ServerCertificate,
    Service,
    ServiceAssociation,
    ServiceNetwork,
    Target,
    TargetGroup,
    VpcAssociation,
)


def build_service_networks(rows: Rows) -> tuple[ServiceNetwork, ...]:
    return tuple(
        ServiceNetwork(row.id, row.arn, row.account, row.document.get("authType", "NONE"), text(row.document.get("_policy")), tag_pairs(row.tags))
        for row in rows.of("vpc-lattice:ServiceNetwork")
    )


def build_services(rows: Rows) -> tuple[Service, ...]:
    memo = rows.memo
    listeners = memo.map(_listener, rows.of("vpc-lattice:Listener"), rows.children_of("vpc-lattice:Listener", "vpc-lattice:Rule"))
    by_service = memo.grouped(build_services, memo.map(_service_of, listeners), listeners)
    return memo.map(_service, rows.of("vpc-lattice:Service"), memo.values_of(build_services, rows.ids("vpc-lattice:Service"), by_service, ()))


_service_of = attrgetter("service_id")


def _service(row: Row, listeners: tuple[Listener, ...]) -> Service:
    return Service(
        id=row.id, arn=row.arn, account=row.account, name=row.name, auth_type=row.document.get("authType", "NONE"),
        policy=text(row.document.get("_policy")), dns_name=row.document["dnsEntry"]["domainName"],
        custom_domain_name=text(row.document.get("customDomainName")), idle_timeout=int(row.document.get("idleTimeoutSeconds", 60)),
        listeners=listeners, tags=tag_pairs(row.tags),
        certificate_arn=text(row.document.get("certificateArn")),
    )  # fmt: skip


def build_certificates(rows: Rows) -> tuple[ServerCertificate, ...]:
    """Those that have been issued or imported."""
    return tuple(
        ServerCertificate(
            row.arn, row.document["_fingerprint"], tuple(row.document["SubjectAlternativeNames"]), row.document["KeyAlgorithm"],
            row.document["SignatureAlgorithm"], row.document["NotAfter"],
        )
        for row in rows.of("acm:Certificate") if "_fingerprint" in row.document
    )  # fmt: skip


def _listener(row: Row, rule_rows: tuple[Row, ...]) -> Listener:
    rules = [_rule(rule) for rule in rule_rows]
    rules.sort(key=lambda rule: (rule.is_default, rule.priority))
    return Listener(row.id, row.arn, row.parent, row.document["protocol"], int(row.document["port"]), tuple(rules))


def _rule(row: Row) -> LatticeRule:
    document = row.document
    return LatticeRule(row.id, int(document.get("priority", 0)), bool(document.get("isDefault")), document.get("match") or {}, document["action"])


_Addresses = dict[str, tuple[IPv4Address, ...]]
"""Of instances by id, and of load balancers by ARN."""


def build_target_groups(rows: Rows, instances: tuple[Instance, ...]) -> tuple[TargetGroup, ...]:
    present = (instance for instance in instances if instance.state not in ("shutting-down", "terminated"))
    addresses: _Addresses = {instance.id: (instance.private_ip,) for instance in present if instance.private_ip}
    addresses |= {row.arn: tuple(IPv4Address(node["Address"]) for node in row.document["_nodes"]) for row in rows.of("elbv2:LoadBalancer")}
    found = rows.of("vpc-lattice:TargetGroup")
    return rows.memo.map(_target_group, found, given=(rows.memo.kept(build_target_groups, addresses),))


def _target_group(row: Row, addresses: _Addresses) -> TargetGroup:
    config = row.document.get("config") or {}
    targets = [
        Target(target["id"], int(target.get("port") or 0), address)
        for target in row.document.get("_targets") or ()
        if "until" not in target
        for address in _addresses_of(target["id"], addresses)
    ]
    return TargetGroup(
        id=row.id, arn=row.arn, type=row.document["type"], protocol=config.get("protocol", ""), protocol_version=config.get("protocolVersion", ""),
        port=int(config.get("port", 0)), vpc_id=config.get("vpcIdentifier", ""), health_check=config.get("healthCheck") or {}, targets=tuple(targets),
        is_ipv6=config.get("ipAddressType") == "IPV6",
        event_structure=config.get("lambdaEventStructureVersion") or ("V1" if row.document["type"] == "LAMBDA" else ""),
    )  # fmt: skip


def _addresses_of(target_id: str, addresses: _Addresses) -> tuple[IPv4Address | IPv6Address | None, ...]:
    """Where a target is: a load balancer at each of its nodes, a function nowhere."""
    if target_id.startswith(("i-", "arn:")):
        return addresses.get(target_id, () if ":loadbalancer/" in target_id else (None,))
    try:
        return (ip_address(target_id),)
    except ValueError:
        return (None,)


def build_vpc_associations(rows: Rows) -> tuple[VpcAssociation, ...]:
    return tuple(
        VpcAssociation(
            id=row.id, arn=row.arn, service_network_id=row.document["serviceNetworkId"], vpc_id=row.document["vpcId"],
            security_group_ids=tuple(row.document.get("securityGroupIds") or ()), private_dns_enabled=bool(row.document.get("privateDnsEnabled")),
            dns_options=row.document.get("dnsOptions") or {},
        )
        for row in rows.of("vpc-lattice:ServiceNetworkVpcAssociation")
    )  # fmt: skip


def build_service_associations(rows: Rows) -> tuple[ServiceAssociation, ...]:
    return rows.memo.map(_service_association, rows.of("vpc-lattice:ServiceNetworkServiceAssociation"))


def _service_association(row: Row) -> ServiceAssociation:
    return ServiceAssociation(row.id, row.arn, row.document["serviceNetworkId"], row.document["serviceId"])


def build_resource_gateways(rows: Rows) -> tuple[ResourceGateway, ...]:
    return tuple(
        ResourceGateway(
            id=row.id, arn=row.arn, vpc_id=row.document["vpcId"], subnet_ids=tuple(row.document.get("subnetIds") or ()),
            security_group_ids=tuple(row.document.get("securityGroupIds") or ()),
            addresses=tuple(ip_address(address) for address in row.document.get("_addresses") or ()),
            resolution=row.document.get("resourceConfigDnsResolution", "PUBLIC"),
        )
        for row in rows.of("vpc-lattice:ResourceGateway")
    )  # fmt: skip


def build_resource_configurations(rows: Rows) -> tuple[ResourceConfiguration, ...]:
    return tuple(_resource_configuration(rows, row) for row in rows.of("vpc-lattice:ResourceConfiguration"))


def _resource_configuration(rows: Rows, row: Row) -> ResourceConfiguration:
    document = row.document
    group = rows.get("vpc-lattice:ResourceConfiguration", text(document.get("resourceConfigurationGroupId")))
    deciding = row if group is None or "_policy" in document else group
    verification = rows.get("vpc-lattice:DomainVerification", text(document.get("domainVerificationId")))
    verified = verification.document if verification else {}
    database = rows.by_arn("rds:DBInstance", text((document.get("resourceConfigurationDefinition") or {}).get("arnResource", {}).get("arn")))
    return ResourceConfiguration(
        id=row.id, arn=row.arn, account=row.account, type=document["type"], gateway_id=text(document.get("resourceGatewayId")),
        protocol=document.get("protocol", "TCP"), port_ranges=_port_ranges(document, database),
        definition=_definition(document, database), custom_domain_name=text(document.get("customDomainName") or document.get("_domain")),
        policy=text(deciding.document.get("_policy")), has_policy="_policy" in deciding.document,
        domain_verified=verified.get("status") == "VERIFIED" or document["type"] == "ARN",
        verification_lost_at=text(verified.get("_lostAt")), group_id=group.id if group else "", group_arn=group.arn if group else "",
        group_domain=text((group or row).document.get("groupDomain")), tags=tag_pairs(row.tags),
    )  # fmt: skip


def _port_ranges(document: dict[str, Any], database: Row | None) -> tuple[tuple[int, int], ...]:
    """Of a DB instance its port: the one that it had when there was one, while it is not there."""
    if document["type"] != "ARN":
        return tuple(_port_range(item) for item in document.get("portRanges") or ())
    port = int(database.document["_endpoint"]["Port"] if database else document["_port"])
    return ((port, port),)


def _definition(document: dict[str, Any], database: Row | None) -> dict[str, Any]:
    """A DB instance that runs is where its address is; one that does not is nowhere."""
    if database is None or database.status in STOPPED:
        return dict(document.get("resourceConfigurationDefinition") or {})
    return {"ipResource": {"ipAddress": database.document["_address"]}}


def _port_range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def build_resource_associations(rows: Rows) -> tuple[ResourceAssociation, ...]:
    """Of what can be connected to; those of groups only stand for their children's."""
    return tuple(
        ResourceAssociation(
            id=row.id, arn=row.arn, service_network_id=row.document["serviceNetworkId"], resource_configuration_id=row.document["resourceConfigurationId"],
            address=IPv4Address(row.document["_address"]), private_dns_enabled=bool(row.document.get("privateDnsEnabled")),
            dns_name=(row.document.get("dnsEntry") or {}).get("domainName", ""), created_at=row.created_at,
        )
        for row in rows.of("vpc-lattice:ServiceNetworkResourceAssociation")
        if "_address" in row.document
    )  # fmt: skip
