"""Which Availability Zone an address in the access log is in; what a minute's readings of connections come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any, cast

from tests.region import ACCOUNT, NAME, Region, client

from latticewall.control_plane.measuring import Measurer, Zones
from latticewall.dataplane.envoy.admin import USED
from latticewall.dataplane.envoy.bootstrap import COUNTED
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import Cluster, ProxyPlan
from latticewall.reconcile.loop import Loop
from latticewall.telemetry.lattice_metrics import CLUSTER_COUNTERS, Reading


def test_zones_of_addresses_of_both_families(region: Region) -> None:
    """Those of interfaces, and of whatever else is in a subnet; IPv6 as the log has it, in brackets or without."""
    vpc, zone = region.vpc(), f"{region.ec2.meta.region_name}b"
    subnet = region.subnet(vpc, "10.0.2.0/24", "b")
    block = region.ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    home, elsewhere, *_ = IPv6Network(block).subnets(new_prefix=64)
    region.ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=str(home))
    made = region.ec2.create_network_interface(SubnetId=subnet, Ipv6AddressCount=1)["NetworkInterface"]
    with region.store.read() as snapshot:
        zones = Zones(snapshot)
    known = [made["PrivateIpAddress"], made["Ipv6Addresses"][0]["Ipv6Address"], "10.0.2.77", str(home[77]), f"[{home[78]}]"]
    assert [zones(vpc, address) for address in known] == [zone] * len(known)
    assert [zones(vpc, address) for address in ("10.0.9.9", str(elsewhere[1]), "", "pipe")] == [""] * 4
    assert zones("vpc-0123456789abcdef0", str(home[77])) == ""


def test_envoy_counts_what_is_read() -> None:
    assert {*CLUSTER_COUNTERS, USED} <= {*COUNTED}


@dataclass
class Proxy:
    """Envoy's counters, as they are at the moment."""

    access_log: Path
    active: tuple[int, ...] = ()

    def read_proxy_counters(self) -> tuple[str, list[Reading]]:
        return "7", [Reading("tg-1", f"10.0.0.{number}", "cx_active", active) for number, active in enumerate(self.active, 5)]


def test_the_sum_of_a_minute_is_what_was_active_at_once(region: Region, tmp_path: Path) -> None:
    """Over all targets, at the reading that found the most; not that much again with every reading."""
    cluster = Cluster("tg-1", "vpc-1", "169.254.171.2", (), arn=f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:targetgroup/tg-1")
    plan = NodePlan(1, (), (), (), ProxyPlan(clusters=(cluster,)), AuthorizationPlan(), NamesPlan(), ())
    loop = Loop(lambda: plan, [], lambda *_: None, lambda revision, _: revision)
    loop.round()
    proxy = Proxy(tmp_path / "access.jsonl")
    measurer = Measurer(region.app, cast(Any, proxy), loop)
    begin = region.clock.moment.replace(second=0)
    for minute, readings in enumerate([((2, 3), (4, 5), (1,), ()), ((1,),)]):
        region.clock.moment = begin + timedelta(minutes=minute)
        for proxy.active in readings:
            measurer.step()
            measurer.step()  # counters are read every second time
    found = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/VpcLattice", MetricName="ActiveConnectionCount", Dimensions=[{"Name": "TargetGroup", "Value": "tg-1"}], StartTime=begin,
        EndTime=begin + timedelta(minutes=2), Period=60, Statistics=["Sum", "Maximum", "Average", "SampleCount"],
    )["Datapoints"]  # fmt: skip
    first, second = sorted(found, key=lambda point: point["Timestamp"])
    assert (first["Sum"], first["Maximum"], first["Average"], first["SampleCount"]) == (9, 5, 4.5, 2)
    assert (second["Sum"], second["SampleCount"]) == (1, 1)
    assert 'vpc_lattice_active_connection_count{target_group="tg-1"' in measurer.prometheus()
