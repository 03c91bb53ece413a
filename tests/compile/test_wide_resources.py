"""Resources with many ports: one socket, filters that hand it the packets, the same gates as for any other resource."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from latticewall.base.memo import Memo
from latticewall.compile.index import Index
from latticewall.compile.proxy import compile_proxy
from latticewall.compile.render.envoy import inconsistencies, render
from latticewall.compile.render.nft import render_nft
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.compile.units import Units
from latticewall.plan.nft import Ruleset
from latticewall.world.types import (
    ResourceAssociation,
    ResourceConfiguration,
    ResourceGateway,
    ServiceNetwork,
    Subnet,
    Vpc,
    VpcAssociation,
    World,
)

ACCOUNT = "111122223333"
GATEWAY = ResourceGateway("rgw-1", "arn:rgw-1", "vpc-b", ("subnet-b",), (), (IPv4Address("10.0.0.20"),))
CONFIGURATION = ResourceConfiguration(
    "rcfg-1", "arn:rcfg-1", ACCOUNT, "SINGLE", "rgw-1", "TCP", (), {"ipResource": {"ipAddress": "10.0.0.9"}}, "", "", has_policy=False
)  # fmt: skip
RESOURCE = ResourceAssociation("snra-1", "arn:snra-1", "sn-1", "rcfg-1", IPv4Address("129.224.0.5"), private_dns_enabled=False, dns_name="x")


def world(*ports: tuple[int, int]) -> World:
    return World(
        region="us-west-2",
        revision=1,
        now="2026-01-02T03:04:05Z",
        vpcs=tuple(Vpc(id_, f"arn:{id_}", ACCOUNT, (IPv4Network("10.0.0.0/16"),), dns_support=True, dns_hostnames=True) for id_ in ("vpc-a", "vpc-b")),
        subnets=tuple(Subnet(f"subnet-{x}", f"vpc-{x}", IPv4Network("10.0.0.0/24"), "us-west-2a", "", "") for x in "ab"),
        service_networks=(ServiceNetwork("sn-1", "arn:sn-1", ACCOUNT, "NONE", ""),),
        vpc_associations=(VpcAssociation("snva-1", "arn:snva-1", "sn-1", "vpc-a", ()),),
        resource_gateways=(GATEWAY,),
        resource_configurations=(replace(CONFIGURATION, port_ranges=ports),),
        resource_associations=(RESOURCE,),
    )


def compiled(*ports: tuple[int, int]) -> tuple[list[str], str]:
    """Names of Envoy's listeners, and the nft text of what captures packets."""
    gates = ServiceNetworkGates(Index(world(*ports)))
    plan, problems = compile_proxy(Units(world(*ports), Memo()))
    assert problems == []
    snapshot = render(plan)
    assert (snapshot.problems, inconsistencies(snapshot)) == ((), ())
    return list(snapshot.listeners), render_nft(Ruleset(tuple(gates.capture_chain("vpc-a"))))


def test_all_ports_share_one_socket() -> None:
    listeners, nft = compiled((1, 65535))
    assert listeners == ["tcp-vpc-a-snra-1"]
    assert 'ip daddr 129.224.0.5 tcp dport 1-65535 tproxy ip to 129.224.0.5:15001 accept comment "snra-1"' in nft


@pytest.mark.parametrize(("ports", "count"), [(((6379, 6379),), 1), (((1, 64),), 64), (((1, 32), (100, 131)), 64)])
def test_few_ports_have_a_socket_each(ports: tuple[tuple[int, int], ...], count: int) -> None:
    listeners, nft = compiled(*ports)
    assert len(listeners) == count
    assert "tproxy" not in nft


def test_ranges_are_captured_as_they_are() -> None:
    listeners, nft = compiled((80, 80), (1000, 1063))
    assert len(listeners) == 1
    assert "tcp dport { 80, 1000-1063 } tproxy" in nft
