"""Elastic Load Balancing's rows as the world sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from latticewall.base.rows import Row
from latticewall.world.from_rows.rows import Rows
from latticewall.world.types import Instance, LoadBalancer, LoadBalancerListener, LoadBalancerNode, LoadBalancerRule, LoadBalancerTargetGroup, Target

Address = IPv4Address | IPv6Address


def build_load_balancers(rows: Rows) -> tuple[LoadBalancer, ...]:
    return tuple(
        LoadBalancer(
            id=row.id, arn=row.arn, dns_name=row.document["DNSName"].lower(), vpc_id=row.document["VpcId"],
            nodes=tuple(_node(node) for node in row.document["_nodes"]),
            listeners=tuple(_listener(rows, listener) for listener in rows.children("elbv2:Listener", row.id)), attributes=row.document["_attributes"],
        )
        for row in rows.of("elbv2:LoadBalancer")
    )  # fmt: skip


def _node(node: dict[str, str]) -> LoadBalancerNode:
    ipv6 = IPv6Address(node["Ipv6Address"]) if "Ipv6Address" in node else None
    return LoadBalancerNode(node["SubnetId"], node["InterfaceId"], IPv4Address(node["Address"]), ipv6)


def _listener(rows: Rows, row: Row) -> LoadBalancerListener:
    rules = [_rule(rule) for rule in rows.children("elbv2:Rule", row.id)]
    rules.sort(key=lambda rule: (rule.priority == 0, rule.priority))
    certificate = next((item["CertificateArn"] for item in row.document.get("Certificates") or ()), "")
    return LoadBalancerListener(
        row.id, row.arn, row.document["Protocol"], int(row.document["Port"]), tuple(rules), row.document["_attributes"], certificate,
        row.document.get("SslPolicy") or "", tuple(row.document.get("_certificates") or ()),
    )  # fmt: skip


def _rule(row: Row) -> LoadBalancerRule:
    return LoadBalancerRule(row.arn, int(row.document["_priority"]), tuple(row.document["Conditions"]), row.document["Actions"][-1])


def build_load_balancer_target_groups(rows: Rows, instances: Iterable[Instance]) -> tuple[LoadBalancerTargetGroup, ...]:
    addresses = {instance.id: instance.private_ip for instance in instances if instance.private_ip and instance.state in ("pending", "running")}
    found = []
    for row in rows.of("elbv2:TargetGroup"):
        document = row.document
        registered = [target for target in document["_targets"] if "until" not in target]
        by_id: Mapping[str, Address] = addresses
        if document["TargetType"] != "instance":
            by_id = {target["Id"]: ip_address(target["Id"]) for target in registered}
        targets = [Target(target["Id"], int(target["Port"]), by_id[target["Id"]]) for target in registered if target["Id"] in by_id]
        found.append(
            LoadBalancerTargetGroup(
                id=row.id, arn=row.arn, protocol=document["Protocol"], protocol_version=document["ProtocolVersion"], vpc_id=document["VpcId"],
                health_check={member: value for member, value in document.items() if member.startswith(("Health", "Unhealthy", "Matcher"))},
                targets=tuple(targets), attributes=document["_attributes"], is_ipv6=document["IpAddressType"] == "ipv6",
            )
        )  # fmt: skip
    return tuple(found)
